"""What the code of a plan refers to, and where that is not certain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelserve.cost.plan import Plan, Resource, parse_plan, read_plan
from modelserve.cost.references import References

DATA = Path(__file__).parent / "data"


def resource(type_: str, name: str, module: str, *keys: str | int) -> list[dict[str, Any]]:
    base = f"{module}.{type_}.{name}" if module else f"{type_}.{name}"
    one = {"mode": "managed", "type": type_, "name": name, "values": {}}
    if not keys:
        return [one | {"address": base}]
    return [one | {"address": f"{base}[{json.dumps(key)}]", "index": key} for key in keys]


def code(address: str, **expressions: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "expressions": expressions}


def plan_of(references: list[str], *, outputs: list[str], call: Any = None) -> Plan:
    """Two modules: one with three subnets, and one whose balancer is in what ``references`` say."""
    network = {
        "resources": [code("aws_subnet.public")],
        "outputs": {"ids": {"expression": {"references": outputs}}},
    }
    edge = {
        "resources": [code("aws_lb.this", subnets={"references": references})],
        "module_calls": {},
    }
    given = {"references": ["module.network.ids", "module.network"]} if call is None else call
    root = {
        "module_calls": {
            "network": {"module": network},
            "edge": {"module": edge, "expressions": {"subnet_ids": given}},
        }
    }
    modules = [
        {
            "address": "module.network",
            "resources": resource("aws_subnet", "public", "module.network", "a", "b", "c"),
        },
        {
            "address": "module.edge",
            "resources": resource("aws_lb", "this", "module.edge")
            + resource("aws_subnet", "own", "module.edge"),
        },
    ]
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"child_modules": modules}},
        "configuration": {"root_module": root},
    }
    return parse_plan(json.dumps(document), "p")


def zones(plan: Plan) -> int | None:
    (balancer,) = plan.of_type("aws_lb")
    return References(plan).count(balancer, "subnets", of_type="aws_subnet")


def test_subnets_are_counted_through_variables_and_outputs() -> None:
    assert zones(plan_of(["var.subnet_ids"], outputs=["aws_subnet.public"])) == 3
    assert zones(plan_of(["var.subnet_ids"], outputs=["var.zones", "aws_subnet.public"])) == 3
    assert zones(plan_of(["aws_subnet.own.id", "aws_subnet.own"], outputs=[])) == 1


@pytest.mark.parametrize(
    "references",
    [
        ["var.subnet_ids[0]", "var.subnet_ids"],
        ["local.subnet_ids"],
        ["data.aws_subnets.all.ids", "data.aws_subnets.all"],
        ["each.value.subnet_ids", "each.value", "var.subnet_ids"],
        ["aws_eip.one.id", "aws_eip.one"],
        ["aws_subnet.none"],
        ["?"],
        [],
    ],
)
def test_what_is_not_certain_is_not_counted(references: list[str]) -> None:
    assert zones(plan_of(references, outputs=["aws_subnet.public"])) is None


@pytest.mark.parametrize(
    "outputs",
    [['aws_subnet.public["a"].id', 'aws_subnet.public["a"]', "aws_subnet.public"], ["local.ids"], []],
)
def test_an_output_that_is_not_certain_is_not_counted(outputs: list[str]) -> None:
    assert zones(plan_of(["var.subnet_ids"], outputs=outputs)) is None


@pytest.mark.parametrize(
    "call",
    [
        {"constant_value": []},
        {"references": ["module.network[0].ids", "module.network"]},
        {"references": ["x"]},
    ],
)
def test_a_call_that_is_not_certain_is_not_counted(call: Any) -> None:
    assert zones(plan_of(["var.subnet_ids"], outputs=["aws_subnet.public"], call=call)) is None


def one(references: list[str], key: str | None, keys: list[str]) -> Resource | None:
    """The template that a group with a key refers to."""
    group = resource("aws_eks_node_group", "this", "", *([] if key is None else [key]))
    templates = resource("aws_launch_template", "node", "", *keys)
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": group + templates}},
        "configuration": {
            "root_module": {
                "resources": [
                    code("aws_eks_node_group.this", launch_template=[{"id": {"references": references}}])
                ]
            }
        },
    }
    plan = parse_plan(json.dumps(document), "p")
    (found,) = plan.of_type("aws_eks_node_group")
    return References(plan).one(found, "launch_template", "id", of_type="aws_launch_template")


EACH = ["aws_launch_template.node", "each.key"]
PLAIN = ["aws_launch_template.node.id", "aws_launch_template.node"]


@pytest.mark.parametrize(
    ("references", "key", "keys", "expected"),
    [
        (PLAIN, None, [], "aws_launch_template.node"),
        (EACH, "gpu", ["cpu", "gpu"], 'aws_launch_template.node["gpu"]'),
        (EACH, "gpu/evening", ["gpu", "gpu-mig"], 'aws_launch_template.node["gpu"]'),
        (EACH, "gpu-mig/evening", ["gpu", "gpu-mig"], 'aws_launch_template.node["gpu-mig"]'),
        (EACH, "other", ["cpu", "gpu"], None),
        (PLAIN, "gpu", ["cpu", "gpu"], None),
        (
            [
                'aws_launch_template.node["cpu"].id',
                'aws_launch_template.node["cpu"]',
                "aws_launch_template.node",
            ],
            "gpu",
            ["cpu", "gpu"],
            'aws_launch_template.node["cpu"]',
        ),
        (["local.template"], "gpu", ["gpu"], None),
    ],
)
def test_one_of_many_is_known_by_its_key(
    references: list[str], key: str | None, keys: list[str], expected: str | None
) -> None:
    found = one(references, key, keys)
    assert (found and found.address) == expected


def test_a_real_plan_tells_templates_groups_and_zones() -> None:
    plan = read_plan(DATA / "dev" / "plan.json")
    references = References(plan)
    for group in plan.of_type("aws_eks_node_group"):
        template = references.one(group, "launch_template", "id", of_type="aws_launch_template")
        assert template is not None
        assert template.index == group.index
    for schedule in plan.of_type("aws_autoscaling_schedule"):
        moved = references.one(schedule, "autoscaling_group_name", of_type="aws_eks_node_group")
        assert moved is not None
        assert moved.index == "gpu"
    for endpoint in plan.of_type("aws_vpc_endpoint"):
        count = references.count(endpoint, "subnet_ids", of_type="aws_subnet")
        assert count == (3 if endpoint.name == "interface" else None)
    (cluster,) = plan.of_type("aws_eks_cluster")
    assert references.leaves_out(cluster, "upgrade_policy")
    assert not references.leaves_out(cluster, "version")


def test_a_state_has_no_code() -> None:
    plan = read_plan(DATA / "account" / "state.json")
    (balancer,) = plan.of_type("aws_lb")
    assert not References(plan).leaves_out(balancer, "internal")
    assert References(plan).count(balancer, "subnets", of_type="aws_subnet") is None
