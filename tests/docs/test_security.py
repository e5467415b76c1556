"""The tests that SECURITY.md names are there, and each threat has one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")


def test_each_threat_names_a_test_that_is_there() -> None:
    (table,) = re.findall(r"^\| threat \|.*?\n((?:\|.*\n)+)", TEXT, re.M)
    rows = table.splitlines()[1:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for file, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.M), (
                f"{file}::{name}"
            )


def test_every_kind_of_stride_has_its_threats() -> None:
    kinds = ["Spoofing", "Tampering", "Repudiation", "Disclosure", "Denial", "Elevation"]
    assert re.findall(r"^\| \*\*(\w+)\*\*", TEXT, re.M) == kinds
