"""What environments come to: by hand, resource by resource, and of real plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserve.cost.estimate import estimate
from modelserve.cost.lines import Estimate, Way
from modelserve.cost.plan import Plan, read_plan
from modelserve.cost.prices import Prices, packaged_prices

DATA = Path(__file__).parent / "data"
MakePlan = Callable[..., Plan]
CENT = Decimal("0.01")

GROUP = 'aws_eks_node_group.this["gpu"]'
TEMPLATE = 'aws_launch_template.node["gpu"]'


def of_nodes(
    make_plan: MakePlan,
    *,
    sizes: tuple[int, int, int] = (0, 4, 2),
    capacity: str = "ON_DEMAND",
    schedules: Mapping[str, tuple[str, int, int, int]] | None = None,
    **changed: Any,
) -> Plan:
    """A group of g6.2xlarge with disks of 100 GB, as a state has it."""
    least, most, desired = sizes
    group = {
        "capacity_type": capacity,
        "instance_types": ["g6.2xlarge"],
        "scaling_config": [{"min_size": least, "max_size": most, "desired_size": desired}],
        "launch_template": [{"id": "lt-1"}],
        "resources": [{"autoscaling_groups": [{"name": "asg"}]}],
    }
    template = {
        "id": "lt-1",
        "block_device_mappings": [{"ebs": [{"volume_size": 100, "volume_type": "gp3"}]}],
    }
    resources: dict[str, Any] = {GROUP: group | changed, TEMPLATE: template}
    for name, (recurrence, low, high, wanted) in (schedules or {}).items():
        resources[f'aws_autoscaling_schedule.this["{name}"]'] = {
            "scheduled_action_name": name,
            "autoscaling_group_name": "asg",
            "recurrence": recurrence,
            "min_size": low,
            "max_size": high,
            "desired_capacity": wanted,
        }
    return make_plan(resources)


def usd(found: Estimate) -> dict[str, Decimal]:
    return {line.what: line.usd.quantize(CENT, ROUND_HALF_UP) for line in found.lines}


def saved(found: Estimate) -> dict[Way, Decimal]:
    return {saving.way: saving.usd.quantize(CENT, ROUND_HALF_UP) for saving in found.savings}


MACHINE, DISK = Decimal("0.9776") * 730, 100 * Decimal("0.08")


def test_machines_and_disks_are_paid_while_models_are_called(make_plan: MakePlan, prices: Prices) -> None:
    found = estimate("dev", of_nodes(make_plan), prices, idle_share=Decimal("0.7"))
    assert found.usd == Decimal("0.3") * 2 * (MACHINE + DISK)
    assert saved(found) == {
        Way.SCALE_TO_ZERO: (Decimal("0.7") * 2 * (MACHINE + DISK)).quantize(CENT, ROUND_HALF_UP)
    }
    assert found.not_estimated == ()
    assert "machines beyond a group's size: gpu has up to 4 x g6.2xlarge" in found.left_out


def test_a_group_that_is_never_empty_is_paid_all_month(make_plan: MakePlan, prices: Prices) -> None:
    found = estimate("dev", of_nodes(make_plan, sizes=(1, 2, 2)), prices)
    assert found.usd == 2 * (MACHINE + DISK)
    assert found.savings == ()


def test_an_empty_group_costs_nothing_and_needs_no_price(make_plan: MakePlan, prices: Prices) -> None:
    plan = of_nodes(make_plan, sizes=(0, 3, 0), instance_types=["u-24tb1.metal"])
    found = estimate("dev", plan, prices)
    assert usd(found) == {"nodes gpu: u-24tb1.metal": Decimal("0.00")}
    assert found.not_estimated == ()
    assert any("up to 3 x u-24tb1.metal" in what for what in found.left_out)


def test_savings_follow_each_other_and_none_is_counted_twice(make_plan: MakePlan, prices: Prices) -> None:
    plan = of_nodes(
        make_plan,
        capacity="SPOT",
        schedules={"evening": ("0 20 * * *", 0, 0, 0), "morning": ("0 8 * * *", 0, 4, 2)},
    )
    found = estimate("dev", plan, prices, idle_share=Decimal("0.75"))
    both = MACHINE + DISK
    assert found.usd.quantize(CENT, ROUND_HALF_UP) == (
        Decimal("0.5") * (MACHINE * Decimal("0.5") + DISK)
    ).quantize(CENT, ROUND_HALF_UP)
    assert saved(found) == {
        Way.SCHEDULES: both.quantize(CENT, ROUND_HALF_UP),
        Way.SCALE_TO_ZERO: (Decimal("0.5") * both).quantize(CENT, ROUND_HALF_UP),
        Way.SPOT: (Decimal("0.5") * MACHINE * Decimal("0.5")).quantize(CENT, ROUND_HALF_UP),
    }
    assert any("spot prices as they are" in what for what in found.left_out)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(sorted),
    capacity=st.sampled_from(["SPOT", "ON_DEMAND"]),
    night=st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted),
    hour=st.integers(1, 23),
    idle=st.decimals(0, 1, places=2),
)
def test_what_is_paid_and_what_is_saved_is_what_would_be_paid_without(
    make_plan: MakePlan,
    prices: Prices,
    sizes: list[int],
    capacity: str,
    night: list[int],
    hour: int,
    idle: Decimal,
) -> None:
    least, desired, most = sizes
    schedules = {
        "night": ("0 0 * * *", night[0], night[1], night[1]),
        "day": (f"0 {hour} * * *", least, most, desired),
    }
    plan = of_nodes(make_plan, sizes=(least, most, desired), capacity=capacity, schedules=schedules)
    found = estimate("dev", plan, prices, idle_share=idle)
    assert abs(found.usd + found.saved_usd - desired * (MACHINE + DISK)) < Decimal("1e-15")
    assert found.usd >= 0
    more = estimate("dev", plan, prices, idle_share=Decimal(0))
    assert more.usd >= found.usd - Decimal("1e-15")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scaling_config": [{"min_size": 0, "max_size": 1}]}, "its size is not known before it is made"),
        ({"instance_types": None, "launch_template": []}, "its machines' type is not known"),
        ({"instance_types": ["u-24tb1.metal"]}, "the prices for us-east-1 have no u-24tb1.metal among ec2"),
        ({"launch_template": [{"id": "lt-2"}]}, "its disks are not known"),
    ],
)
def test_what_is_not_known_of_a_group_is_told(
    make_plan: MakePlan, prices: Prices, changed: dict[str, Any], reason: str
) -> None:
    found = estimate("dev", of_nodes(make_plan, **changed), prices)
    (missing,) = found.not_estimated
    assert (missing.type, missing.reason, missing.addresses) == ("aws_eks_node_group", reason, (GROUP,))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"recurrence": None}, "it does not recur"),
        ({"recurrence": "0 8 * *"}, "five fields are accepted"),
        ({"time_zone": "Europe/Nowhere"}, "time zone 'Europe/Nowhere' is not among"),
        ({"min_size": None}, "its sizes are not known"),
        ({"autoscaling_group_name": "other"}, "the node group that it moves is not known"),
    ],
)
def test_a_schedule_that_cannot_be_reckoned_is_told(
    make_plan: MakePlan, prices: Prices, changed: dict[str, Any], reason: str
) -> None:
    plan = of_nodes(make_plan, sizes=(1, 2, 2), schedules={"x": ("0 8 * * *", 0, 0, 0)})
    (schedule,) = plan.of_type("aws_autoscaling_schedule")
    (group, template) = (plan.of_type("aws_eks_node_group")[0], plan.of_type("aws_launch_template")[0])
    again = make_plan(
        {one.address: one.values for one in (group, template)}
        | {schedule.address: dict(schedule.values) | changed}
    )
    found = estimate("dev", again, prices)
    assert found.usd == 2 * (MACHINE + DISK)
    (missing,) = found.not_estimated
    assert missing.type == "aws_autoscaling_schedule"
    assert reason in missing.reason


def test_a_schedule_may_leave_a_size_as_it_is(make_plan: MakePlan, prices: Prices) -> None:
    plan = of_nodes(make_plan, sizes=(1, 4, 2), schedules={"x": ("0 8 * * *", -1, -1, 3)})
    assert estimate("dev", plan, prices).usd == 3 * (MACHINE + DISK)


ALARM = "aws_cloudwatch_metric_alarm.a"


@pytest.mark.parametrize(
    ("address", "values", "expected"),
    [
        ("aws_eks_cluster.a", {}, {"EKS control plane": "73.00"}),
        ("aws_nat_gateway.a", {}, {"NAT gateways": "32.85"}),
        ("aws_eip.a", {}, {"public IPv4 addresses": "3.65"}),
        ("aws_vpc_endpoint.a", {"vpc_endpoint_type": "Gateway"}, {}),
        (
            "aws_vpc_endpoint.a",
            {"vpc_endpoint_type": "Interface", "subnet_ids": ["a", "b"]},
            {"interface endpoints, in each zone": "14.60"},
        ),
        (
            "aws_db_instance.a",
            {
                "engine": "postgres",
                "instance_class": "db.t4g.medium",
                "allocated_storage": 20,
                "storage_type": "gp3",
                "multi_az": False,
                "manage_master_user_password": True,
            },
            {
                "PostgreSQL db.t4g.medium": "47.45",
                "storage of PostgreSQL: GB of gp3": "2.30",
                "secrets": "0.40",
            },
        ),
        (
            "aws_elasticache_replication_group.a",
            {
                "engine": "redis",
                "node_type": "cache.t4g.small",
                "num_node_groups": 2,
                "replicas_per_node_group": 1,
            },
            {"redis cache.t4g.small": "93.44"},
        ),
        (
            "aws_lb.a",
            {"load_balancer_type": "network", "internal": True},
            {"network load balancers": "16.43"},
        ),
        (
            "aws_lb.a",
            {"load_balancer_type": "application", "internal": False, "subnet_mapping": [{}, {}, {}]},
            {"application load balancers": "16.43", "public IPv4 addresses": "10.95"},
        ),
        ("aws_wafv2_web_acl.a", {"rule": []}, {"web ACLs": "5.00"}),
        ("aws_wafv2_web_acl.a", {"rule": [{}, {}]}, {"web ACLs": "5.00", "rules of web ACLs": "2.00"}),
        ("aws_route53_zone.a", {}, {"Route 53 zones": "0.50"}),
        ("aws_kms_key.a", {}, {"KMS keys": "1.00"}),
        ("aws_secretsmanager_secret.a", {"replica": [{}]}, {"secrets": "0.80"}),
        (ALARM, {"period": 300}, {"metrics of alarms": "0.10"}),
        (ALARM, {"period": 10}, {"metrics of alarms of high resolution": "0.30"}),
        (
            ALARM,
            {"metric_query": [{"metric": []}, {"metric": [{"period": 60}]}, {"metric": [{"period": 60}]}]},
            {"metrics of alarms": "0.20"},
        ),
        ("aws_cloudwatch_composite_alarm.a", {}, {"composite alarms": "0.50"}),
        ("aws_cloudwatch_dashboard.a", {}, {"dashboards": "3.00"}),
        ("aws_iam_role.a", {}, {}),
    ],
)
def test_what_a_resource_costs(
    make_plan: MakePlan, prices: Prices, address: str, values: dict[str, Any], expected: dict[str, str]
) -> None:
    found = estimate("dev", make_plan({address: values}), prices)
    assert usd(found) == {what: Decimal(figure) for what, figure in expected.items()}
    assert found.not_estimated == ()


DATABASE = {
    "engine": "postgres",
    "instance_class": "db.t4g.medium",
    "allocated_storage": 20,
    "storage_type": "gp3",
    "multi_az": True,
}


@pytest.mark.parametrize(
    ("address", "values", "reason"),
    [
        ("aws_db_instance.a", DATABASE | {"engine": "mysql"}, "the engine mysql has no prices; postgres has"),
        ("aws_db_instance.a", DATABASE | {"multi_az": None}, "whether it is multi_az is not known"),
        (
            "aws_db_instance.a",
            DATABASE | {"allocated_storage": None},
            "its class or its storage is not known",
        ),
        ("aws_db_instance.a", DATABASE | {"storage_type": "io2"}, "no item rds_postgres_io2_gb"),
        ("aws_db_instance.a", DATABASE | {"instance_class": "db.x"}, "no db.x among rds_postgres"),
        ("aws_elasticache_replication_group.a", {"engine": "redis"}, "its node type is not known"),
        (
            "aws_elasticache_replication_group.a",
            {"engine": "redis", "node_type": "cache.t4g.small"},
            "its number of nodes is not known",
        ),
        ("aws_vpc_endpoint.a", {"vpc_endpoint_type": "Interface"}, "how many subnet_ids it has is not known"),
        ("aws_vpc_endpoint.a", {"vpc_endpoint_type": "Resource"}, "Resource has no price"),
        ("aws_vpc_endpoint.a", {}, "its type, which is not known"),
        ("aws_lb.a", {"load_balancer_type": "gateway", "internal": True}, "no item load_balancer_gateway"),
        ("aws_lb.a", {"load_balancer_type": "application"}, "whether it is internal is not known"),
        ("aws_msk_cluster.a", {}, "no price is known for this type"),
        ("helm_release.a", {}, "no price is known for this type"),
    ],
)
def test_what_cannot_be_priced_is_named_and_not_guessed(
    make_plan: MakePlan, prices: Prices, address: str, values: dict[str, Any], reason: str
) -> None:
    found = estimate("dev", make_plan({address: values}), prices)
    assert found.lines == ()
    (missing,) = found.not_estimated
    assert missing.addresses == (address,)
    assert reason in missing.reason


def test_what_is_known_of_a_resource_is_paid_though_the_rest_is_not(
    make_plan: MakePlan, prices: Prices
) -> None:
    balancer = {"load_balancer_type": "application", "internal": False}
    found = estimate("dev", make_plan({"aws_lb.a": balancer}), prices)
    assert usd(found) == {"application load balancers": Decimal("16.43")}
    (missing,) = found.not_estimated
    assert missing.reason == "how many subnets it has is not known before it is made, nor its addresses paid"


def test_what_the_code_does_not_set_is_awss_default(make_plan: MakePlan, prices: Prices) -> None:
    plan = make_plan(
        {
            "aws_db_instance.a": {
                key: DATABASE[key] for key in ("engine", "instance_class", "allocated_storage")
            },
            "aws_elasticache_replication_group.a": {"node_type": "cache.t4g.small"},
            "aws_vpc_endpoint.a": {},
        },
        code={"aws_db_instance.a": {}, "aws_elasticache_replication_group.a": {}, "aws_vpc_endpoint.a": {}},
    )
    found = estimate("dev", plan, prices)
    assert usd(found) == {
        "PostgreSQL db.t4g.medium": Decimal("47.45"),
        "storage of PostgreSQL: GB of gp2": Decimal("2.30"),
        "redis cache.t4g.small": Decimal("23.36"),
    }
    assert found.not_estimated == ()


def test_resources_of_one_type_are_gathered(make_plan: MakePlan, prices: Prices) -> None:
    found = estimate("dev", make_plan({"aws_msk_cluster.a": {}, "aws_msk_cluster.b": {}}), prices)
    (missing,) = found.not_estimated
    assert missing.addresses == ("aws_msk_cluster.a", "aws_msk_cluster.b")


def test_use_is_priced_where_it_is_said_and_left_out_where_it_is_not(
    make_plan: MakePlan, prices: Prices
) -> None:
    plan = make_plan({"aws_s3_bucket.a": {}, "aws_s3_bucket.b": {}, "aws_ecr_repository.a": {}})
    found = estimate("dev", plan, prices, usage={"s3_gb": Decimal(200), "nat_gb": Decimal(1)})
    assert usd(found) == {"objects in S3, standard class": Decimal("4.60")}
    assert "images in ECR (usage: ecr_gb)" in found.left_out
    assert "data through NAT gateways: nat_gb was given, and nothing here is paid by it" in found.left_out


@pytest.mark.parametrize(
    ("policy", "is_told"),
    [([{"support_type": "STANDARD"}], False), ([{"support_type": "EXTENDED"}], True), ([], True)],
)
def test_extended_support_is_told_where_a_cluster_may_come_to_it(
    make_plan: MakePlan, prices: Prices, policy: list[Any], is_told: bool
) -> None:
    found = estimate("dev", make_plan({"aws_eks_cluster.a": {"upgrade_policy": policy}}), prices)
    assert any(what.startswith("extended support") and "438.00" in what for what in found.left_out) == is_told


def test_a_plan_and_the_state_that_comes_of_it_cost_the_same() -> None:
    prices = packaged_prices()["eu-central-1"]
    plan, state = (
        estimate("dev", read_plan(DATA / "dev" / f"{kind}.json"), prices) for kind in ("plan", "state")
    )
    assert plan == state
    assert plan.not_estimated == ()
    assert usd(plan) == {
        "nodes general: m7i.xlarge, on demand": Decimal("352.59"),
        "disks of nodes general: GB of gp3": Decimal("9.52"),
        "nodes gpu: g6.2xlarge, on demand": Decimal("267.62"),
        "disks of nodes gpu: GB of gp3": Decimal("4.28"),
        "nodes gpu-mig: p5.48xlarge": Decimal("0.00"),
        "nodes models: c7i.2xlarge, spot": Decimal("71.38"),
        "disks of nodes models: GB of gp3": Decimal("2.86"),
        "EKS control plane": Decimal("73.00"),
        "public IPv4 addresses": Decimal("3.65"),
        "NAT gateways": Decimal("37.96"),
        "interface endpoints, in each zone": Decimal("131.40"),
    }


def test_an_account_beside_its_machines(prices: Prices) -> None:
    found = estimate("account", read_plan(DATA / "account" / "plan.json"), prices)
    assert usd(found) == {
        "PostgreSQL db.t4g.medium, two zones": Decimal("94.90"),
        "storage of PostgreSQL: GB of gp3": Decimal("23.00"),
        "valkey cache.t4g.small": Decimal("37.38"),
        "public IPv4 addresses": Decimal("7.30"),
        "application load balancers": Decimal("16.43"),
        "Route 53 zones": Decimal("0.50"),
        "web ACLs": Decimal("5.00"),
        "rules of web ACLs": Decimal("2.00"),
        "secrets": Decimal("0.80"),
        "KMS keys": Decimal("2.00"),
        "metrics of alarms": Decimal("0.30"),
    }
    assert [(one.type, len(one.addresses)) for one in found.not_estimated] == [("aws_msk_configuration", 1)]
