"""Builds manifests as kubectl and Flux do: with a real kustomize."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
OLDEST = (5, 7)  # `sourceValue` in replacements


def _version(*command: str) -> tuple[int, ...]:
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if command[1:2] == ("version",) and said.startswith("{"):
        said = str(json.loads(said).get("kustomizeVersion", ""))
    found = re.search(r"v(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0, 0)


@pytest.fixture(scope="session")
def kustomize() -> list[str]:
    """The command that builds a folder: kustomize, or kubectl with one inside that is new enough."""
    folders = [str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")]
    if home := os.environ.get("CLUSTER_HOME"):
        folders.insert(1, str(Path(home) / "bin"))
    seen = []
    for folder in os.pathsep.join(folders).split(os.pathsep):
        for name, ask, build in [
            ("kustomize", ["version"], ["build"]),
            ("kubectl", ["version", "--client", "-o", "json"], ["kustomize"]),
        ]:
            if program := shutil.which(name, path=folder):
                version = _version(program, *ask)
                if version >= OLDEST:
                    return [program, *build]
                seen.append(f"{program} has kustomize {'.'.join(map(str, version))}")
    pytest.fail(
        "no kustomize 5.7 or newer on PATH, in .tools/bin or in $CLUSTER_HOME/bin; scripts/test_programs.sh"
        f" installs it{'; ' if seen else ''}{'; '.join(seen)}"
    )


@pytest.fixture(scope="session")
def build_folder(kustomize: list[str]) -> Callable[[Path], list[Object]]:
    """Builds a folder once, and gives its objects."""
    built: dict[Path, list[Object]] = {}

    def build(folder: Path) -> list[Object]:
        if folder not in built:
            done = subprocess.run([*kustomize, str(folder)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "deprecated" not in done.stderr, done.stderr
            built[folder] = [d for d in yaml.safe_load_all(done.stdout) if d]
        return built[folder]

    return build
