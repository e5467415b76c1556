"""What `make policy` lets pass says why: checkov itself takes an exception without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "terraform").rglob("*.tf"))
SKIP = re.compile(r"^ *#checkov:skip=(CKV2?_AWS_\d+):(.+)$")


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if "checkov:skip" in path.read_text()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_exceptions_stand_in_a_resource_and_say_why(path: Path) -> None:
    block = ""
    for line in path.read_text().splitlines():
        if line and not line.startswith((" ", "}")):
            block = line
        if "checkov:" not in line:
            continue
        found = SKIP.match(line)
        assert found is not None, line
        assert block.startswith("resource "), line
        assert len(found[2].split()) >= 4, line


def test_nothing_is_excused_for_all_of_it() -> None:
    command = (ROOT / "scripts" / "terraform_policy.sh").read_text()
    assert "--directory terraform" in command
    assert not re.search(r"--(skip-check|skip-path|check|soft-fail)|(^|\s)-(c|s)\s", command)
    assert not list(ROOT.glob(".checkov.y*ml")) + list((ROOT / "terraform").rglob(".checkov.y*ml"))
