"""The site that `make docs` builds, as far as it can be seen without its environment: nothing is left out."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = sorted((ROOT / "docs/site/api").glob("[!i]*.md"))


def test_each_page_of_the_reference_is_listed() -> None:
    listed = re.findall(r"^([a-z]+)$", (ROOT / "docs/site/api/index.md").read_text("utf-8"), re.M)
    assert listed
    assert set(listed) == {page.stem for page in API}


@pytest.mark.parametrize("page", API, ids=lambda page: page.stem)
def test_what_the_reference_names_has_a_docstring(page: Path) -> None:
    """A heading and its module are one; the module can be imported, and says why it is there."""
    text = page.read_text("utf-8")
    modules = re.findall(r"^\.\. automodule:: (\S+)$", text, re.M)
    assert modules == re.findall(r"^## (\S+)$", text, re.M)
    for module in modules:
        assert import_module(module).__doc__


def test_nothing_of_the_site_is_fetched() -> None:
    """Neither when it is built nor, for its diagrams, when it is read."""
    text = (ROOT / "docs/site/conf.py").read_text("utf-8")
    assert "http" not in text
    assert 'mermaid_output_format = "svg"' in text
