"""What is written about the doctor is what it does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

from modelserve.doctor import reading
from modelserve.doctor.findings import UNDECIDED, Code

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
SEEN = ROOT / "tests" / "e2e" / "test_doctor.py"


def _entries() -> dict[str, str]:
    parts = re.split(r"^### `([a-z-]+)`$", DOCUMENT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_code_has_an_entry_and_no_other() -> None:
    assert set(_entries()) == {code.value for code in Code}


def test_every_entry_says_what_is_seen_what_it_means_and_how_it_is_mended() -> None:
    for code, entry in _entries().items():
        for words in ("**You see**", "**It means**", "**Mend it**"):
            assert words in entry.replace("\n", " "), code


def test_an_entry_is_marked_where_no_cluster_had_the_fault() -> None:
    strings = {one.value for one in ast.walk(ast.parse(SEEN.read_text())) if isinstance(one, ast.Constant)}
    for code, entry in _entries().items():
        assert entry.lstrip().startswith("*By objects alone.* ") != (code in strings), code


def test_the_undecided_ones_are_named_beside_their_status() -> None:
    (row,) = [line for line in DOCUMENT.splitlines() if line.startswith("| 3 |")]
    assert set(re.findall(r"`([a-z]+-?[a-z]+)`", row)) - {"unknown"} == {code.value for code in UNDECIDED}


def test_the_role_has_what_is_read_and_no_more() -> None:
    role = yaml.safe_load((ROOT / "inferenceservices" / "components" / "rbac" / "doctor.yaml").read_text())
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == {
        *((group, plural, "list") for group, _, plural in reading.KINDS),
        ("", "pods/log", "get"),
    }
