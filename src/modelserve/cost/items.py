"""What is paid at a fixed price for as long as it exists, beside node groups: a function for each type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from modelserve.cost.lines import Group, Line, NotEstimated
from modelserve.cost.plan import NotTold, Plan, Resource
from modelserve.cost.prices import NotPriced, Prices
from modelserve.cost.references import References

_HIGH_RESOLUTION_SECONDS = 60
"""An alarm whose period is below it is paid as one of high resolution."""


def estimate_items(plan: Plan, prices: Prices) -> tuple[list[Line], list[NotEstimated]]:
    """What the resources of the types in ``PRICED`` cost, and those of them that cannot be priced."""
    items = _Items(References(plan), prices)
    lines: list[Line] = []
    missing: list[NotEstimated] = []
    for resource in plan.resources:
        price = _PRICERS.get(resource.type)
        if price is None:
            continue
        try:
            lines += price(items, resource)
        except (NotPriced, NotTold) as error:
            missing.append(NotEstimated(resource.type, str(error), (resource.address,)))
    return lines, missing


class _Items:
    """Prices of resources; each function yields lines, and raises where something more is not known."""

    def __init__(self, references: References, prices: Prices) -> None:
        self._references, self._prices = references, prices

    def cluster(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.COMPUTE, "EKS control plane", 1, "clusters", "eks_cluster")

    def nat_gateway(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.NETWORK, "NAT gateways", 1, "gateways", "nat_gateway")

    def address(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.NETWORK, "public IPv4 addresses", 1, "addresses", "public_ipv4_address")

    def endpoint(self, resource: Resource) -> Iterator[Line]:
        kind = resource.text("vpc_endpoint_type")
        if kind == "Gateway" or (kind is None and self._references.leaves_out(resource, "vpc_endpoint_type")):
            return
        if kind != "Interface":
            raise NotTold(
                f"{kind or 'its type, which is not known'} has no price; Interface and Gateway have"
            )
        zones = self._count(resource, "subnet_ids", "aws_subnet")
        yield self._line(
            Group.NETWORK, "interface endpoints, in each zone", zones, "zones", "interface_endpoint"
        )

    def database(self, resource: Resource) -> Iterator[Line]:
        engine = resource.text("engine")
        if engine != "postgres":
            raise NotTold(f"the engine {engine or 'is not known'} has no prices; postgres has")
        machine, gib = resource.text("instance_class"), resource.number("allocated_storage")
        if machine is None or gib is None:
            raise NotTold("its class or its storage is not known before it is made")
        kind = self._text(resource, "storage_type", "gp2")
        copies = 2 if self._is(resource, "multi_az") else 1
        what = f"PostgreSQL {machine}{', two zones' if copies == 2 else ''}"
        usd = self._prices.machine_a_month("rds_postgres", machine)
        storage = self._line(
            Group.DATA, f"storage of PostgreSQL: GB of {kind}", gib * copies, "GB", f"rds_postgres_{kind}_gb"
        )
        yield Line(Group.DATA, what, Decimal(copies), "machines", usd)
        yield storage
        if resource.at("manage_master_user_password") is True:
            yield from self.secret(resource)

    def cache(self, resource: Resource) -> Iterator[Line]:
        machine, engine = resource.text("node_type"), self._text(resource, "engine", "redis")
        if machine is None:
            raise NotTold("its node type is not known before it is made")
        usd = self._prices.machine_a_month(f"elasticache_{engine}", machine)
        yield Line(Group.DATA, f"{engine} {machine}", Decimal(self._nodes(resource)), "machines", usd)

    def _nodes(self, resource: Resource) -> int:
        nodes = resource.number("num_cache_clusters")
        shards, replicas = resource.number("num_node_groups"), resource.number("replicas_per_node_group")
        if nodes is None and shards is not None and replicas is not None:
            nodes = shards * (replicas + 1)
        if nodes is None and all(
            self._references.leaves_out(resource, name) for name in ("num_cache_clusters", "num_node_groups")
        ):
            nodes = 1
        if nodes is None:
            raise NotTold("its number of nodes is not known before it is made")
        return nodes

    def load_balancer(self, resource: Resource) -> Iterator[Line]:
        kind = self._text(resource, "load_balancer_type", "application")
        balancer = self._line(Group.EDGE, f"{kind} load balancers", 1, "balancers", f"load_balancer_{kind}")
        is_internal = self._is(resource, "internal")
        yield balancer
        if not is_internal:
            mappings = len(resource.blocks("subnet_mapping"))
            try:
                zones = mappings or self._count(resource, "subnets", "aws_subnet")
            except NotTold as error:
                raise NotTold(f"{error}, nor its addresses paid") from error
            yield self._line(
                Group.NETWORK, "public IPv4 addresses", zones, "addresses", "public_ipv4_address"
            )

    def web_acl(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.EDGE, "web ACLs", 1, "ACLs", "waf_web_acl")
        rules = len(resource.blocks("rule"))
        if rules:
            yield self._line(Group.EDGE, "rules of web ACLs", rules, "rules", "waf_rule")

    def zone(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.EDGE, "Route 53 zones", 1, "zones", "route53_zone")

    def key(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.SECURITY, "KMS keys", 1, "keys", "kms_key")

    def secret(self, resource: Resource) -> Iterator[Line]:
        copies = 1 + len(resource.blocks("replica"))
        yield self._line(Group.SECURITY, "secrets", copies, "secrets", "secret")

    def alarm(self, resource: Resource) -> Iterator[Line]:
        metrics = [block["metric"][0] for block in resource.blocks("metric_query") if block.get("metric")]
        periods = [metric.get("period") for metric in metrics] or [resource.at("period")]
        is_fine = any(isinstance(period, int) and 0 < period < _HIGH_RESOLUTION_SECONDS for period in periods)
        how, item = (" of high resolution", "_high_resolution") if is_fine else ("", "")
        yield self._line(
            Group.WATCHING, f"metrics of alarms{how}", len(periods), "metrics", f"alarm_metric{item}"
        )

    def composite_alarm(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.WATCHING, "composite alarms", 1, "alarms", "alarm_composite")

    def dashboard(self, resource: Resource) -> Iterator[Line]:
        yield self._line(Group.WATCHING, "dashboards", 1, "dashboards", "dashboard")

    def _line(self, group: Group, what: str, quantity: int, unit: str, item: str) -> Line:
        return Line(group, what, Decimal(quantity), unit, self._prices.a_month(item))

    def _count(self, resource: Resource, attribute: str, of_type: str) -> int:
        found = resource.at(attribute)
        if isinstance(found, list):
            return len(found)
        count = self._references.count(resource, attribute, of_type=of_type)
        if count is None:
            raise NotTold(f"how many {attribute} it has is not known before it is made")
        return count

    def _text(self, resource: Resource, attribute: str, default: str) -> str:
        found = resource.text(attribute)
        if found is None and not self._references.leaves_out(resource, attribute):
            raise NotTold(f"its {attribute} is not known before it is made")
        return found or default

    def _is(self, resource: Resource, attribute: str) -> bool:
        found = resource.at(attribute)
        if found is None and not self._references.leaves_out(resource, attribute):
            raise NotTold(f"whether it is {attribute} is not known before it is made")
        return found is True


_PRICERS: dict[str, Callable[[_Items, Resource], Iterator[Line]]] = {
    "aws_alb": _Items.load_balancer,
    "aws_cloudwatch_composite_alarm": _Items.composite_alarm,
    "aws_cloudwatch_dashboard": _Items.dashboard,
    "aws_cloudwatch_metric_alarm": _Items.alarm,
    "aws_db_instance": _Items.database,
    "aws_eip": _Items.address,
    "aws_eks_cluster": _Items.cluster,
    "aws_elasticache_replication_group": _Items.cache,
    "aws_kms_external_key": _Items.key,
    "aws_kms_key": _Items.key,
    "aws_kms_replica_key": _Items.key,
    "aws_lb": _Items.load_balancer,
    "aws_nat_gateway": _Items.nat_gateway,
    "aws_route53_zone": _Items.zone,
    "aws_secretsmanager_secret": _Items.secret,
    "aws_vpc_endpoint": _Items.endpoint,
    "aws_wafv2_web_acl": _Items.web_acl,
}

PRICED = frozenset(_PRICERS)
"""Types that are paid by their time."""
