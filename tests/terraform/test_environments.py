"""The environments have one interface, and name what the repository has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "terraform" / "environments"
ENVIRONMENTS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
VARIABLES = (ROOT / "terraform" / "modules" / "environment" / "variables.tf").read_text()


def default_of(variable: str) -> set[str]:
    block = re.search(rf'^variable "{variable}" {{\n(.*?)^}}', VARIABLES, re.MULTILINE | re.DOTALL)
    assert block is not None
    return set(re.findall(r'"([^"]+)"', block[1].partition("default")[2].partition("validation")[0]))


@pytest.mark.parametrize("name", ["variables.tf", "outputs.tf", "versions.tf"])
def test_environments_are_asked_and_answer_alike(name: str) -> None:
    texts = {(FOLDER / one / name).read_text().replace(one, "ENVIRONMENT") for one in ENVIRONMENTS}
    assert len(texts) == 1, f"{name} of the environments {', '.join(ENVIRONMENTS)} differ"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_called_as_its_folder_and_has_an_overlay(environment: str) -> None:
    assert f'environment   = "{environment}"' in (FOLDER / environment / "main.tf").read_text()
    assert (ROOT / "inferenceservices" / "overlays" / environment / "kustomization.yaml").is_file()


def test_every_image_has_a_repository() -> None:
    units = re.search(r"units=\(([a-z][^)]*)\)", (ROOT / "scripts" / "build_images.sh").read_text())
    assert units is not None
    assert default_of("images") == set(units[1].split())


def test_every_models_service_account_has_rights() -> None:
    accounts = ROOT / "inferenceservices" / "base" / "service-accounts" / "service-accounts.yaml"
    assert default_of("models") == set(re.findall(r"metadata: {name: ([a-z-]+)}", accounts.read_text()))
