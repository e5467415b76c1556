"""Facts of a real cluster: KServe 0.20 and Knative 0.48 with one fault each, read by the doctor itself.

``data/platform.json`` is what the platform's own namespaces had, the other files what a namespace had.
What no check looks at is left out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from modelserve.doctor.facts import Facts

DATA = Path(__file__).parent / "data"

Content = dict[str, Any]


def _content(name: str) -> Content:
    """A file's, with the platform's objects among it."""
    found: Content = json.loads((DATA / f"{name}.json").read_text())
    platform = json.loads((DATA / "platform.json").read_text())
    for resource, objects in platform.items():
        found["objects"][resource] = found["objects"].get(resource, []) + objects
    return found


@pytest.fixture(scope="session")
def captured() -> Callable[..., Facts]:
    """The facts of a file, changed by a function of its content first."""

    def facts(name: str, change: Callable[[Content], None] = lambda content: None) -> Facts:
        content = copy.deepcopy(_content(name))
        change(content)
        return Facts(
            namespace=content["namespace"],
            name=content["name"],
            now=datetime.fromisoformat(content["now"]),
            objects={resource: tuple(objects) for resource, objects in content["objects"].items()},
            absent=frozenset(content.get("absent", [])),
            logs=content["logs"],
        )

    return facts
