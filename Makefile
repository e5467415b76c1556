# The commands of the project; CI calls only these.
PYTHON ?= python3
RUN_ENV := .venv
TEST_ENV := .venv-test
DRIFT_ENV := .venv-drift
AUDIT_ENV := .venv-audit
POLICY_ENV := .venv-checkov
DOCS_ENV := .venv-docs
HTTP_PORT ?= 8080
GRPC_PORT ?= 8081
DRIFT_PORT ?= 8082
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help run test check audit secrets image sbom scan dashboards docs fuzz terraform policy e2e bench bench-gate format lock clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: $(RUN_ENV)/.ready ## serve the sample models, watched for drift, until Ctrl-C (no torch needed)
	@scripts/run_local.sh $(RUN_ENV)/bin $(HTTP_PORT) $(GRPC_PORT) $(DRIFT_PORT)

# alibi-detect wants an older NumPy than all else: its tests are a run of their own, before the others, so that
# what a choice of tests in PYTEST_ARGS leaves out of them is no failure.
ALIBI_TESTS := tests/drift_detector/alibi
# They need Terraform and its provider.
APPLY_TESTS := tests/terraform/apply

test: $(TEST_ENV)/.ready $(DRIFT_ENV)/.ready ## run every test that needs no cluster
	@scripts/test_programs.sh
	$(DRIFT_ENV)/bin/python -m pytest --confcutdir=tests/drift_detector $(ALIBI_TESTS)
	$(TEST_ENV)/bin/python -m pytest --ignore=tests/e2e --ignore=$(ALIBI_TESTS) --ignore=$(APPLY_TESTS) $(PYTEST_ARGS)

e2e: $(TEST_ENV)/.ready ## test on the cluster that KUBECONFIG names (tests/e2e/README.md)
	$(TEST_ENV)/bin/python -m pytest tests/e2e $(PYTEST_ARGS)

terraform: policy $(TEST_ENV)/.ready ## check and test the modules, and apply the environments to a stand-in (terraform 1.10 or newer)
	@scripts/terraform_tests.sh
	$(TEST_ENV)/bin/python -m pytest $(APPLY_TESTS) $(PYTEST_ARGS)

policy: $(POLICY_ENV)/.ready .tools/bin/tflint ## hold terraform/ against checkov's policies and tflint's rules (no account)
	@scripts/terraform_policy.sh $(POLICY_ENV)/bin/checkov .tools/bin/tflint

check: $(TEST_ENV)/.ready .tools/bin/actionlint ## lint, format check and types; the workflows too
	$(TEST_ENV)/bin/ruff check .
	$(TEST_ENV)/bin/ruff format --check .
	$(TEST_ENV)/bin/mypy
	@# What is on one machine's PATH and not on another's is to make no difference.
	.tools/bin/actionlint -shellcheck= -pyflakes=
	$(TEST_ENV)/bin/zizmor --offline --quiet .github

audit: $(AUDIT_ENV)/.ready ## look the locks up in PyPI's advisories
	@scripts/audit.sh $(AUDIT_ENV)/bin

secrets: .tools/bin/gitleaks ## look for secrets in every commit
	.tools/bin/gitleaks git --no-banner --redact .

UNIT ?= bert-ner
FLAVOUR ?= cpu
IMAGE = build/$(UNIT)-$(FLAVOUR)

image: ## build the image of UNIT in FLAVOUR (cpu, gpu) as an archive in build/ (needs buildah)
	@scripts/build_image.sh $(UNIT) $(FLAVOUR) $(IMAGE).tar

sbom: .tools/bin/syft ## write what is in that archive
	@scripts/image_bom.sh $(IMAGE).tar

scan: .tools/bin/grype ## look that up for known vulnerabilities
	@scripts/scan_image.sh $(IMAGE).cdx.json

# Go builds them, from modules that its checksum database knows.
.tools/bin/%: scripts/install_tool.sh
	@scripts/install_tool.sh $*

dashboards: $(TEST_ENV)/.ready ## write Grafana's dashboards again (Python 3.11 or newer)
	$(TEST_ENV)/bin/python -m grafana

docs: $(DOCS_ENV)/.ready ## build the documentation site, in build/site; a warning is an error
	$(DOCS_ENV)/bin/python -m sphinx -M html . build/site -c docs/site --fail-on-warning --keep-going --quiet
	@echo build/site/html/index.html

fuzz: $(TEST_ENV)/.ready ## call real servers as nobody would, FUZZ_SECONDS (60) for each way
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(TEST_ENV)/bin/python -m pytest tests/fuzz $(PYTEST_ARGS)

bench: $(RUN_ENV)/.ready ## measure against direct calls and other servers (an hour)
	$(RUN_ENV)/bin/python -m benchmarks $(BENCH_ARGS)

bench-gate: $(RUN_ENV)/.ready ## measure, and fail where a ratio is worse than docs/benchmarks has it
	@rm -rf .bench/gate && mkdir -p .bench/gate
	-$(RUN_ENV)/bin/python -m benchmarks --output .bench/gate
	@$(RUN_ENV)/bin/python -m benchmarks.regressions docs/benchmarks/results.json .bench/gate/results.json \
	  >.bench/gate/ratios.md 2>&1; status=$$?; cat .bench/gate/ratios.md; exit $$status

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

$(AUDIT_ENV)/.ready: requirements/audit.txt
	@scripts/make_env.sh "$(PYTHON)" $(AUDIT_ENV) requirements/audit.txt

# checkov wants an older `packaging` than what builds this project: an environment without it.
$(POLICY_ENV)/.ready: requirements/checkov.txt
	@scripts/make_env.sh "$(PYTHON)" $(POLICY_ENV) requirements/checkov.txt

$(DOCS_ENV)/.ready: requirements/docs.txt pyproject.toml
	@scripts/make_env.sh "$(PYTHON)" $(DOCS_ENV) requirements/docs.txt

LOCK_FLAGS = --universal --python-version 3.10 --generate-hashes \
  --no-annotate --no-header --no-emit-index-url --quiet $(LOCK_ARGS)
LOCK = uv pip compile pyproject.toml $(LOCK_FLAGS)

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
	$(LOCK) --extra docs --extra build -o requirements/docs.txt
	$(LOCK_ALIBI) -o requirements/drift_detector.txt
	$(LOCK_ALIBI) --extra alibi-test -o requirements/drift_detector_test.txt
	uv pip compile requirements/audit.in $(LOCK_FLAGS) -o requirements/audit.txt
	uv pip compile requirements/checkov.in $(LOCK_FLAGS) -o requirements/checkov.txt

clean: ## remove the environments and caches
	rm -rf $(RUN_ENV) $(TEST_ENV) $(DRIFT_ENV) $(AUDIT_ENV) $(POLICY_ENV) $(DOCS_ENV) .tools build .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
