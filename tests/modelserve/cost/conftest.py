"""Plans: real ones, and small ones that a test makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelserve.cost.plan import Plan, parse_plan
from modelserve.cost.prices import Prices, packaged_prices

DATA = Path(__file__).parent / "data"

MakePlan = Callable[..., Plan]


@pytest.fixture(scope="session")
def prices() -> Prices:
    """Those of us-east-1 that the package has."""
    return packaged_prices()["us-east-1"]


@pytest.fixture
def make_plan() -> MakePlan:
    """Makes a plan of resources of the root module, each of its address and its values."""

    def make(
        resources: Mapping[str, Mapping[str, Any]], code: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Plan:
        found = []
        for address, values in resources.items():
            type_, _, rest = address.partition(".")
            name, _, key = rest.partition("[")
            one = {"address": address, "mode": "managed", "type": type_, "name": name, "values": values}
            found.append(one | ({"index": key[1:-2]} if key else {}))
        document: dict[str, Any] = {
            "format_version": "1.2",
            "planned_values": {"root_module": {"resources": found}},
        }
        if code is not None:
            document["configuration"] = {
                "root_module": {
                    "resources": [
                        {"address": address, "mode": "managed", "expressions": expressions}
                        for address, expressions in code.items()
                    ]
                }
            }
        return parse_plan(json.dumps(document), "the test's plan")

    return make
