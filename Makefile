# The commands of the project; CI calls only these.
PYTHON ?= python3
RUN_ENV := .venv
TEST_ENV := .venv-test
DRIFT_ENV := .venv-drift
HTTP_PORT ?= 8080
GRPC_PORT ?= 8081
DRIFT_PORT ?= 8082

.DEFAULT_GOAL := help
.PHONY: help run test check terraform e2e bench format lock clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: $(RUN_ENV)/.ready ## serve the sample models, watched for drift, until Ctrl-C (no torch needed)
	@scripts/run_local.sh $(RUN_ENV)/bin $(HTTP_PORT) $(GRPC_PORT) $(DRIFT_PORT)

# alibi-detect wants an older NumPy than all else: its tests are a run of their own, before the others, so that
# what a choice of tests in PYTEST_ARGS leaves out of them is no failure.
ALIBI_TESTS := tests/drift_detector/alibi

test: $(TEST_ENV)/.ready $(DRIFT_ENV)/.ready ## run every test that needs no cluster
	@scripts/test_programs.sh
	$(DRIFT_ENV)/bin/python -m pytest --confcutdir=tests/drift_detector $(ALIBI_TESTS)
	$(TEST_ENV)/bin/python -m pytest --ignore=tests/e2e --ignore=$(ALIBI_TESTS) $(PYTEST_ARGS)

e2e: $(TEST_ENV)/.ready ## test on the cluster that KUBECONFIG names (tests/e2e/README.md)
	$(TEST_ENV)/bin/python -m pytest tests/e2e $(PYTEST_ARGS)

terraform: ## test the Terraform modules (needs terraform 1.7 or newer, no account)
	@scripts/terraform_tests.sh

check: $(TEST_ENV)/.ready ## lint, format check and types
	$(TEST_ENV)/bin/ruff check .
	$(TEST_ENV)/bin/ruff format --check .
	$(TEST_ENV)/bin/mypy

bench: $(RUN_ENV)/.ready ## measure against direct calls and other servers (an hour)
	$(RUN_ENV)/bin/python -m benchmarks $(BENCH_ARGS)

format: $(TEST_ENV)/.ready ## format the code and mend what the linter can
	$(TEST_ENV)/bin/ruff check --fix .
	$(TEST_ENV)/bin/ruff format .

# An environment is whole when its stamp is newer than its lock. pip alone makes it: it is what every
# Python has, and it reads the user's own configuration of package indexes.
$(RUN_ENV)/.ready: requirements/local.txt pyproject.toml
	@scripts/make_env.sh "$(PYTHON)" $(RUN_ENV) requirements/local.txt

$(TEST_ENV)/.ready: requirements/test.txt pyproject.toml
	@scripts/make_env.sh "$(PYTHON)" $(TEST_ENV) requirements/test.txt

$(DRIFT_ENV)/.ready: requirements/drift_detector_test.txt pyproject.toml
	@scripts/make_env.sh "$(PYTHON)" $(DRIFT_ENV) requirements/drift_detector_test.txt

LOCK = uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes \
  --no-annotate --no-header --no-emit-index-url --quiet $(LOCK_ARGS)

LOCK_ALIBI = $(LOCK) --extra alibi --extra build --override requirements/drift_detector.overrides

lock: ## resolve the dependencies again (needs uv); LOCK_ARGS=--upgrade takes newer versions
	$(LOCK) --extra cpu --extra build -o requirements/cpu.txt
	$(LOCK) --extra cpu --extra monitor --extra pipelines --extra build -o requirements/local.txt
	$(LOCK) --extra monitor --extra build -o requirements/monitor.txt
	$(LOCK) --extra canary --extra build -o requirements/canary.txt
	$(LOCK) --extra pipelines --extra build -o requirements/pipelines.txt
	$(LOCK) --extra gpu --extra build -o requirements/gpu.txt
	$(LOCK) --extra transformer --extra build -o requirements/transformer.txt
	$(LOCK) --extra explainer --extra build -o requirements/explainer.txt
	$(LOCK) --extra test --extra check --extra build -o requirements/test.txt
	$(LOCK_ALIBI) -o requirements/drift_detector.txt
	$(LOCK_ALIBI) --extra alibi-test -o requirements/drift_detector_test.txt

clean: ## remove the environments and caches
	rm -rf $(RUN_ENV) $(TEST_ENV) $(DRIFT_ENV) .tools .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
