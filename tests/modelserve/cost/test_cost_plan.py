"""What is read of plans and states, and what is refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.cost.plan import PlanError, parse_plan, read_plan

DATA = Path(__file__).parent / "data"


def document(**more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "planned_values": {"root_module": {}}} | more


def subnet(zone: str) -> dict[str, Any]:
    return {
        "address": f"aws_subnet.{zone}",
        "mode": "managed",
        "type": "aws_subnet",
        "name": "s",
        "values": {"availability_zone": zone},
    }


def test_modules_within_modules_are_read_and_data_is_not() -> None:
    inner = {
        "address": 'module.a["x"].module.b',
        "resources": [subnet("us-east-1a"), subnet("us-east-1b") | {"mode": "data"}],
    }
    outer = {"address": 'module.a["x"]', "child_modules": [inner]}
    plan = parse_plan(json.dumps(document(planned_values={"root_module": {"child_modules": [outer]}})), "p")
    assert [(found.address, found.module) for found in plan.resources] == [
        ("aws_subnet.us-east-1a", 'module.a["x"].module.b')
    ]
    assert plan.region == "us-east-1"


def test_an_environment_without_anything_is_one() -> None:
    plan = parse_plan(json.dumps(document()), "p")
    assert plan.resources == ()
    assert plan.region is None


def test_the_region_is_that_of_the_provider_before_that_of_zones() -> None:
    root = {"root_module": {"resources": [subnet("us-east-1a")]}}
    aws = "registry.terraform.io/hashicorp/aws"
    providers = {
        "aws": {"full_name": aws, "expressions": {"region": {"references": ["var.region"]}}},
        "aws.global": {"full_name": aws, "expressions": {"region": {"constant_value": "us-east-1"}}},
        "random": {"full_name": "registry.terraform.io/hashicorp/random"},
    }
    plan = parse_plan(
        json.dumps(
            document(
                planned_values=root,
                configuration={"provider_config": providers},
                variables={"region": {"value": "eu-central-1"}},
            )
        ),
        "p",
    )
    assert plan.region == "eu-central-1"
    assert plan.remarks == ("resources in us-east-1 are priced as in eu-central-1",)


def test_zones_of_two_regions_tell_none() -> None:
    root = {"root_module": {"resources": [subnet("us-east-1a"), subnet("eu-central-1a")]}}
    assert parse_plan(json.dumps(document(planned_values=root)), "p").region is None


def test_a_plan_that_broke_off_says_so() -> None:
    assert parse_plan(json.dumps(document(errored=True)), "p").remarks == (
        "the plan ended with an error: what comes after it is not in it",
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "no JSON"),
        ('{"a": 1}\n{"b": 2}', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no format_version"),
        ('{"version": 4, "resources": []}', "no format_version"),
        ('{"format_version": "0.2", "planned_values": {}}', "no format_version"),
        ('{"format_version": "1.0"}', "neither planned_values nor values"),
        ('{"format_version": "1.0", "values": []}', "neither planned_values nor values"),
        ('{"format_version": "1.0", "values": {"root_module": []}}', "not formed"),
        ('{"format_version": "1.0", "values": {"root_module": {"resources": [{}]}}}', "not formed"),
        ('{"format_version": "1.0", "values": {"root_module": {"child_modules": [7]}}}', "not formed"),
        ('{"format_version": "1.0", "values": {}, "configuration": 7}', "not formed"),
    ],
)
def test_what_is_neither_plan_nor_state_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(PlanError, match=f"the file .*{wrong}.*accepted is what `terraform show -json"):
        parse_plan(text, "the file")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["root_module", "resources", "child_modules", "address", "mode", "values", "index"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    ),
    st.sampled_from(["planned_values", "values", "configuration", "variables"]),
)
def test_whatever_the_document_is_it_is_read_or_refused(value: Any, key: str) -> None:
    with contextlib.suppress(PlanError):
        parse_plan(json.dumps(document() | {key: value}), "p")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "none.json")
    binary = tmp_path / "p"
    binary.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(PlanError, match=r"is no text.*terraform show -json"):
        read_plan(binary)


@pytest.mark.parametrize("name", ["dev/plan.json", "account/plan.json", "account/state.json"])
def test_terraforms_own_files_are_read(name: str) -> None:
    plan = read_plan(DATA / name)
    assert plan.resources
    assert plan.region == ("eu-central-1" if name.startswith("dev") else "us-east-1")
    assert plan.remarks == ()
