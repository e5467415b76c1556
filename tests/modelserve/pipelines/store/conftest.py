"""An empty database of each kind that runs may be in, and a pipeline whose steps fail and follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Run, RunStore, new_run

PIPELINE = Pipeline.model_validate(
    {
        "metadata": {"name": "names"},
        "spec": {
            "models": {"m": {"url": "http://model"}},
            "steps": [
                {"name": "first", "model": "m"},
                {"name": "second", "model": "m", "inputs": {"x": "steps.first.output"}},
                {"name": "other", "model": "m"},
                {"name": "items", "model": "m", "forEach": "steps.other.output", "onFailure": "continue"},
            ],
            "output": "steps.second.output",
        },
    }
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    url: str = request.getfixturevalue("postgres").url
    return url


@pytest.fixture
def store(database: str) -> Iterator[RunStore]:
    opened = RunStore(database)
    yield opened
    opened.close()


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run that is not queued yet."""

    def make(*, now: float = 0.0, **options: Any) -> Run:
        return new_run(PIPELINE, {"text": "Ada"}, now=now, **options)

    return make
