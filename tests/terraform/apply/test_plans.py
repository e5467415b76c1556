"""Plans and what is approved of them, with a root that needs no account and no provider."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"
ROOT = """
terraform {
  backend "local" {}
}
variable "word" { type = string }
resource "terraform_data" "one" { input = var.word }
"""


class Repository:
    """The scripts beside an environment ``dev`` of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(SCRIPTS, folder / "scripts")
        self.environment = folder / "terraform" / "environments" / "dev"
        self.environment.mkdir(parents=True)
        (self.environment / "versions.tf").write_text(ROOT)
        self.state = folder / "state.json"

    def call(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            cwd=self.folder,
            # A root without providers has nothing to fetch, whatever the machine's settings are.
            env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def set_word(self, word: str) -> None:
        backend, inputs = f'path = "{self.state}"', f'word = "{word}"'
        done = self.call("terraform_inputs.sh", "dev", TERRAFORM_BACKEND=backend, TERRAFORM_INPUTS=inputs)
        assert done.returncode == 0, done.stderr

    def plan(self) -> dict[str, str]:
        done = self.call("terraform_plan.sh", "dev", "plan/plan")
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    if shutil.which("terraform") is None:
        pytest.fail("terraform is not on the PATH; these tests plan with it")
    made = Repository(tmp_path / "repository")
    made.set_word("first")
    return made


def test_what_was_approved_is_applied(repository: Repository) -> None:
    planned = repository.plan()
    assert re.fullmatch("[0-9a-f]{64}", planned["sum"])
    assert planned["changes"] == "true"
    assert "terraform_data.one will be created" in (repository.folder / "plan" / "plan.txt").read_text()
    done = repository.call("terraform_apply.sh", "dev", planned["sum"])
    assert done.returncode == 0, done.stderr
    assert "first" in repository.state.read_text()
    assert repository.plan()["changes"] == "false"


def test_something_else_than_what_was_approved_is_not_applied(repository: Repository) -> None:
    approved = repository.plan()["sum"]
    repository.set_word("second")
    done = repository.call("terraform_apply.sh", "dev", approved)
    assert done.returncode == 1
    assert "This is not what was approved" in done.stderr
    assert '+ input  = "second"' in done.stderr
    assert not repository.state.exists()


def test_a_plan_is_shown_whole_or_says_that_it_is_not(repository: Repository, tmp_path: Path) -> None:
    text = tmp_path / "plan.txt"
    text.write_text("+ one\n")
    done = repository.call("summarise_plan.sh", "dev", str(text))
    assert done.stdout == "### dev\n\n~~~~~~text\n+ one\n\n~~~~~~\n"
    text.write_text("+ one\n" * 200_000)
    shown = repository.call("summarise_plan.sh", "dev", str(text)).stdout
    assert len(shown) < 2**20
    assert "and more: run scripts/terraform_plan.sh dev PLAN yourself" in shown


@pytest.mark.parametrize(
    ("script", "arguments", "variables", "sentence"),
    [
        ("terraform_plan.sh", ["nosuch", "plan"], {}, "nosuch is no environment; there are: dev/"),
        ("terraform_plan.sh", ["dev"], {}, "usage: terraform_plan.sh ENVIRONMENT PLAN"),
        ("terraform_apply.sh", ["dev"], {}, "usage: terraform_apply.sh ENVIRONMENT SUM"),
        ("terraform_inputs.sh", ["dev"], {"TERRAFORM_BACKEND": ""}, "is what backend.hcl has"),
        ("terraform_inputs.sh", ["dev"], {"TERRAFORM_BACKEND": "x"}, "is what terraform.tfvars has"),
    ],
)
def test_refusals(
    script: str, arguments: list[str], variables: dict[str, str], sentence: str, repository: Repository
) -> None:
    given: dict[str, Any] = {"TERRAFORM_INPUTS": "", **variables}
    done = repository.call(script, *arguments, **given)
    assert done.returncode != 0
    assert sentence in done.stderr
