"""What is checked in is what the code writes, and what Grafana's own types take."""

from __future__ import annotations

import enum
import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 11), reason="Grafana's builders need Python 3.11"),
    # The schema that provisioning from files is documented with: docs/adr/0024-dashboards.md.
    pytest.mark.filterwarnings("ignore:Prefer using dashboardv2"),
]
FOLDER = Path(__file__).parents[3] / "observability" / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))


def test_what_is_checked_in_is_what_the_code_writes() -> None:
    from grafana.generating import render

    found = {file.name: file.read_text("utf-8") for file in FILES}
    assert found == render(), "python -m grafana writes them again"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_grafanas_types_take_all_of_it(file: Path) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    written = json.loads(file.read_text("utf-8"))
    read = Dashboard.from_json(written)
    # A name that the types do not have is lost on the way.
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == written
    assert list(mistakes(read, Dashboard, "dashboard")) == []


def test_what_does_not_fit_the_types_is_found() -> None:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    wrong = Dashboard.from_json({"title": 7, "links": [{"title": "a", "type": "no such type"}]})
    found = list(mistakes(wrong, Dashboard, "dashboard"))
    assert [one.partition(" ")[0] for one in found] == ["dashboard.title", "dashboard.links[0].type_val"]


def mistakes(value: Any, hint: Any, where: str) -> Iterator[str]:
    """Where a value is not what its type says; the types' own readers do not look."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        yield from min((list(mistakes(value, one, where)) for one in inner), key=len)
    elif origin in (list, dict) and isinstance(value, origin):
        for name, one in value.items() if origin is dict else enumerate(value):
            yield from mistakes(one, inner[-1], f"{where}[{name}]")
    elif hint in (Any, object) or (isinstance(hint, type) and _is_of_the_types(value, hint)):
        yield from _of_an_object(value, hint, where)
    elif not _is_plain(value, hint):
        yield f"{where} is {value!r} and no {hint}"


def _is_of_the_types(value: Any, hint: type) -> bool:
    return hasattr(hint, "from_json") and isinstance(value, (dict, hint))


def _is_plain(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if not isinstance(hint, type):
        return False
    if issubclass(hint, enum.Enum):
        return value in {one.value for one in hint}
    return isinstance(value, (int, float) if hint is float else hint)


def _of_an_object(value: Any, hint: Any, where: str) -> Iterator[str]:
    found = hint.from_json(value) if isinstance(value, dict) and hasattr(hint, "from_json") else value
    if hasattr(type(found), "from_json"):
        for name, each in typing.get_type_hints(type(found)).items():
            yield from mistakes(getattr(found, name), each, f"{where}.{name}")
