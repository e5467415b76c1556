"""What the tests of drift have in common: an empty database, a store on it, and whose windows they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelserve.drift.store import Store
from modelserve.drift.verdicts import Source
from modelserve.events import Component


@pytest.fixture
def source() -> Callable[..., Source]:
    """Whose window it is, by the revision's number."""

    def make(number: int = 1, *, service: str = "names", digest: str = "sha256:a") -> Source:
        component = Component("default", service, "predictor")
        return Source(component, f"{service}-predictor-{number:05}", digest)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/drift.db"
    url: str = request.getfixturevalue("postgres").url
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()
