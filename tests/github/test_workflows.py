"""What holds for every workflow: actions by commit, few rights, and steps that run anywhere.

Syntax, expressions and known mistakes are checked by actionlint and zizmor, in `make check`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github"
WORKFLOWS = sorted(FOLDER.glob("workflows/*.yml"))
FILES = [*WORKFLOWS, *sorted(FOLDER.glob("actions/*/action.yml"))]
# Whose code runs in the jobs. One more is a decision.
OWNERS = {"actions", "aws-actions", "hashicorp"}
WRITERS = {
    "deploy.yml": {"deploy": {"contents", "id-token"}, "conclude": {"contents", "issues"}},
    "publish.yml": {"publish": {"id-token"}},
    "release.yml": {
        "publish": {"id-token"},
        "staging": {"contents", "id-token", "issues"},
        "prod": {"contents", "id-token", "issues"},
    },
    "terraform.yml": {job: {"id-token"} for job in ("plan", "dev", "staging", "prod")},
    "terraform-environment.yml": {"plan": {"id-token"}, "apply": {"id-token"}},
    "benchmarks.yml": {"tell": {"issues"}},
}


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def jobs_of(path: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = load(path)["jobs"]
    return jobs


def steps_of(path: Path) -> Iterator[dict[str, Any]]:
    whole = load(path)
    for job in whole.get("jobs", {"action": whole.get("runs", {})}).values():
        yield from job.get("steps", [])


def commands_of(path: Path) -> list[str]:
    return [step["run"] for step in steps_of(path) if "run" in step]


def test_there_are_workflows() -> None:
    names = {path.stem for path in WORKFLOWS}
    assert names >= {"ci", "images", "publish", "release", "deploy", "rollback", "terraform", "benchmarks"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    for line in re.findall(r"uses: (.*)", path.read_text()):
        if line.startswith("./"):
            local = ROOT / line
            assert (local if local.suffix else local / "action.yml").is_file(), line
            continue
        found = re.fullmatch(r"([\w-]+)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        assert found is not None, f"{line} is not ACTION@COMMIT # vX.Y.Z"
        assert found[1] in OWNERS


def test_an_action_has_one_commit() -> None:
    pins = {line for path in FILES for line in re.findall(r"uses: ([^.].*)", path.read_text())}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins}), sorted(pins)


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_rights_are_those_that_are_known(path: Path) -> None:
    whole = load(path)
    assert whole["permissions"] in ({}, {"contents": "read"})
    writing = {
        name: {right for right, level in job["permissions"].items() if level == "write"}
        for name, job in jobs_of(path).items()
        if "permissions" in job
    }
    assert {name: rights for name, rights in writing.items() if rights} == WRITERS.get(path.name, {})


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_job_that_builds_gets_no_token_of_the_cloud(path: Path) -> None:
    for job in jobs_of(path).values():
        commands = " ".join(step.get("run", "") for step in job.get("steps", []))
        if re.search(r"make (image|test|check|bench\S*|terraform)\b", commands):
            assert job.get("permissions", whole_rights(path)) == {"contents": "read"}


def whole_rights(path: Path) -> dict[str, str]:
    rights: dict[str, str] = load(path)["permissions"]
    return rights


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_secret_is_kept(path: Path) -> None:
    assert "secrets." not in path.read_text()
    for step in steps_of(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        if step.get("uses", "").startswith("aws-actions/"):
            assert set(step["with"]) == {"role-to-assume", "aws-region"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_job_that_is_run_ends(path: Path) -> None:
    for name, job in jobs_of(path).items():
        assert "uses" in job or job["timeout-minutes"] <= 180, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_steps_are_targets_and_scripts_of_the_repository(path: Path) -> None:
    for command in commands_of(path):
        words = [word for word in shlex.split(command) if not word.startswith((">", "$(<"))]
        if words[:2] == ["sudo", "env"]:
            words = words[3:]
        if words[0] == "make":
            # What make would do; without the target it fails.
            done = subprocess.run(
                ["make", "-n", words[1]], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert len(words) == 2
        elif words[0] == ".venv-canary/bin/modelserve":
            assert words[1:3] == ["canary", "rollback"]
        else:
            assert words[0].startswith("scripts/"), command
            assert os.access(ROOT / words[0], os.X_OK), command


def test_what_is_built_is_what_has_a_dockerfile_and_a_repository() -> None:
    matrices = [
        jobs_of(FOLDER / "workflows" / f"{name}.yml")[job]["strategy"]["matrix"]
        for name, job in (("images", "build"), ("publish", "publish"))
    ]
    assert matrices[0] == matrices[1]
    units = re.search(r"units=\(([a-z][^)]*)\)", (ROOT / "scripts" / "build_images.sh").read_text())
    assert units is not None
    assert set(matrices[0]["unit"]) == set(units[1].split())
    both = {
        path.parent.name.replace("_", "-")
        for path in ROOT.glob("predictors/*/Dockerfile")
        if "ARG FLAVOUR=" in path.read_text()
    }
    assert {one["unit"] for one in matrices[0]["include"]} == both
    assert {one["flavour"] for one in matrices[0]["include"]} == {"gpu"}
    assert (ROOT / "requirements" / "gpu.txt").is_file()


def test_what_is_released_are_the_overlays_services() -> None:
    canary = jobs_of(FOLDER / "workflows" / "deploy.yml")["canary"]
    services = canary["strategy"]["matrix"]["service"]
    # YAML 1.1 reads the key `on` as true.
    triggers: Any = {str(key): value for key, value in load(FOLDER / "workflows" / "rollback.yml").items()}
    assert services == triggers["True"]["workflow_dispatch"]["inputs"]["service"]["options"]
    (concluded,) = [c for c in commands_of(FOLDER / "workflows" / "deploy.yml") if "conclude_canaries" in c]
    assert " ".join(services) in concluded
    for environment in ("staging", "prod"):
        overlay = ROOT / "inferenceservices" / "overlays" / environment
        assert all((overlay / f"{service}.yaml").is_file() for service in services)


def test_who_signs_is_who_is_asked_for() -> None:
    assert "scripts/sign_image.sh" in (FOLDER / "workflows" / "publish.yml").read_text()
    deploy = (FOLDER / "workflows" / "deploy.yml").read_text()
    assert "/.github/workflows/publish.yml@${{ github.ref }}" in deploy


def test_each_environment_of_terraform_is_planned_and_applied() -> None:
    environments = sorted(p.parent.name for p in ROOT.glob("terraform/environments/*/versions.tf"))
    jobs = jobs_of(FOLDER / "workflows" / "terraform.yml")
    assert sorted(jobs.pop("plan")["strategy"]["matrix"]["environment"]) == environments
    assert sorted(job["with"]["environment"] for job in jobs.values()) == environments
    assert all(job["with"]["apply"] is True for job in jobs.values())


def test_the_guide_names_every_variable_and_environment() -> None:
    guide = (ROOT / "docs" / "guides" / "ci.md").read_text()
    used = {name for path in WORKFLOWS for name in re.findall(r"vars\.([A-Z_]+)", path.read_text())}
    assert {name for name in used if f"`{name}`" not in guide} == set()
    named = {
        job["environment"].replace("${{ inputs.environment }}", "ENV")
        for path in WORKFLOWS
        for job in jobs_of(path).values()
        if "environment" in job
    }
    assert named == {"ENV", "ENV-plan", "ENV-release"}
    assert all(f"`{name}`" in guide for name in named)
