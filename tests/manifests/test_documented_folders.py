"""What documents tell to apply can be built."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _folders() -> list[str]:
    command = [
        "git",
        "grep",
        "--untracked",
        "-hoE",
        "-e",
        "-k (inferenceservices|observability)/[a-z0-9./_-]+",
    ]
    said = subprocess.run(
        [*command, "--", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return sorted({re.sub(r"^-k |[/.]+$", "", line) for line in said.splitlines()})


def test_there_is_something_to_build() -> None:
    assert "inferenceservices/overlays/local" in _folders()


@pytest.mark.parametrize("folder", _folders())
def test_a_folder_that_is_told_to_apply_builds(
    folder: str, build_folder: Callable[[Path], list[dict[str, Any]]]
) -> None:
    assert build_folder(ROOT / folder)
