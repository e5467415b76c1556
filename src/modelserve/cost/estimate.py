"""An estimate of an environment: nodes, what is paid by time, what is paid by use, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from modelserve.cost import USUAL_IDLE_SHARE
from modelserve.cost.items import PRICED, estimate_items
from modelserve.cost.lines import Estimate, Group, Line, NotEstimated, Way
from modelserve.cost.nodes import estimate_nodes
from modelserve.cost.plan import Plan
from modelserve.cost.prices import NotPriced, Prices
from modelserve.cost.types import ALWAYS_LEFT_OUT, FREE, LEFT_OUT, USAGE


def estimate(
    environment: str,
    plan: Plan,
    prices: Prices,
    *,
    idle_share: Decimal = USUAL_IDLE_SHARE,
    usage: Mapping[str, Decimal] | None = None,
) -> Estimate:
    """What an environment costs a month.

    Args:
        environment: its name.
        plan: of what exists in it.
        prices: of its region.
        idle_share: of the hours, in which nobody calls the models, 0 to 1.
        usage: amounts of a month by the names in ``USAGE``; what is not named is left out.
    """
    nodes = estimate_nodes(plan, prices, idle_share=idle_share)
    lines, missing = estimate_items(plan, prices)
    used, unpriced, unsaid = _usage(plan, prices, usage or {})
    return Estimate(
        environment,
        prices.region,
        _told(prices),
        tuple(_summed([*nodes.lines, *lines, *used])),
        tuple(sorted(nodes.savings, key=lambda saving: [*Way].index(saving.way))),
        tuple(_gathered([*nodes.not_estimated, *missing, *unpriced, *_strangers(plan)])),
        (*unsaid, *nodes.left_out, *_left_out(plan, prices), *ALWAYS_LEFT_OUT),
        plan.remarks,
    )


def _told(prices: Prices) -> str:
    first, last = prices.noted
    return f"{prices.origin} ({first}{'' if first == last else f' to {last}'})"


def _usage(
    plan: Plan, prices: Prices, usage: Mapping[str, Decimal]
) -> tuple[list[Line], list[NotEstimated], list[str]]:
    """Lines of what is used, what has no price, and what nobody said the use of."""
    lines, unpriced, unsaid = [], [], []
    for name, kind in USAGE.items():
        here = tuple(resource.address for resource in plan.of_type(*kind.types))
        amount = usage.get(name)
        if amount is not None and not here:
            unsaid.append(f"{kind.what}: {name} was given, and nothing here is paid by it")
        elif amount is not None:
            try:
                lines.append(Line(kind.group, kind.what, amount, kind.unit, prices.a_month(kind.item)))
            except NotPriced as error:
                unpriced.append(NotEstimated(sorted(kind.types)[0], str(error), here))
        elif here:
            unsaid.append(f"{kind.what} (usage: {name})")
    return lines, unpriced, unsaid


def _strangers(plan: Plan) -> Iterator[NotEstimated]:
    """Resources of types that nothing is known of: they may cost."""
    for resource in plan.resources:
        if resource.type not in PRICED | FREE:
            yield NotEstimated(resource.type, "no price is known for this type", (resource.address,))


def _left_out(plan: Plan, prices: Prices) -> Iterator[str]:
    for type_, what in LEFT_OUT.items():
        if plan.of_type(type_):
            yield what
    if any(
        cluster.text("upgrade_policy", "support_type") != "STANDARD"
        for cluster in plan.of_type("aws_eks_cluster")
    ):
        try:
            usd = prices.a_month("eks_cluster_extended_support")
        except NotPriced:
            yield "extended support of a Kubernetes version that is too old for the standard one"
        else:
            yield (
                "extended support: a control plane whose Kubernetes version is too old for the standard "
                f"one is {usd:.2f} USD"
            )


def _summed(lines: Iterable[Line]) -> list[Line]:
    """Lines of the same kind as one, in the order of the groups."""
    found: dict[tuple[Group, str, str, Decimal], Decimal] = {}
    for line in lines:
        kind = line.group, line.what, line.unit, line.unit_usd
        found[kind] = found.get(kind, Decimal()) + line.quantity
    summed = [Line(group, what, quantity, unit, usd) for (group, what, unit, usd), quantity in found.items()]
    return sorted(summed, key=lambda line: [*Group].index(line.group))


def _gathered(missing: Iterable[NotEstimated]) -> list[NotEstimated]:
    """Resources of one type that are missing for one reason, together."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in missing:
        found[one.type, one.reason] = (*found.get((one.type, one.reason), ()), *one.addresses)
    return [NotEstimated(type_, reason, addresses) for (type_, reason), addresses in found.items()]
