"""Estimates as a page of text, and as JSON; money is rounded here, to cents, and nowhere before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from modelserve.cost.lines import Estimate
from modelserve.cost.prices import HOURS_A_MONTH

_WHAT, _QUANTITY, _USD = 50, 22, 12
"""Widths of columns, in characters."""


def text_of(estimates: Sequence[Estimate], *, idle_share: Decimal) -> str:
    """A table for each environment, and their sum."""
    lines: list[str] = []
    for estimate in estimates:
        lines += [*_table(estimate, idle_share), ""]
    if len(estimates) > 1:
        lines += [
            "All environments, USD a month",
            *(_row(f"  {estimate.environment}", estimate.usd) for estimate in estimates),
            _row("  total", _sum(estimates)),
            "",
        ]
    return "\n".join(lines)


def json_of(estimates: Sequence[Estimate], *, idle_share: Decimal) -> dict[str, Any]:
    """The same for programs; USD a month, rounded to cents each."""
    return {
        "hours_a_month": HOURS_A_MONTH,
        "idle_share": float(idle_share),
        "environments": [_object(estimate) for estimate in estimates],
        "usd": _cents(_sum(estimates)),
    }


def _sum(estimates: Sequence[Estimate]) -> Decimal:
    return sum((estimate.usd for estimate in estimates), Decimal())


def _table(estimate: Estimate, idle_share: Decimal) -> Iterator[str]:
    yield f"{estimate.environment} in {estimate.region}, USD a month of {HOURS_A_MONTH} hours"
    yield f"Prices: {estimate.prices}"
    for remark in estimate.remarks:
        yield f"Note: {remark}"
    for group, lines in groupby(estimate.lines, key=lambda line: line.group):
        found = [*lines]
        yield _row(group.value, sum((line.usd for line in found), Decimal()))
        for line in found:
            yield _row(f"  {line.what}", line.usd, f"{_amount(line.quantity)} x {_price(line.unit_usd)}")
    yield _row("total", estimate.usd)
    yield _row("saved", estimate.saved_usd)
    for saving in estimate.savings:
        yield _row(f"  {saving.way.value}: {saving.what}", saving.usd)
    yield _row("total without these savings", estimate.usd + estimate.saved_usd)
    yield f"Models are taken to be idle for {idle_share} of the hours (idle_share)."
    if estimate.not_estimated:
        yield "Not estimated:"
    for one in estimate.not_estimated:
        yield f"  {len(one.addresses)} x {one.type}: {one.reason}"
        yield from (f"    {address}" for address in one.addresses)
    yield "Left out:"
    yield from (f"  {what}" for what in estimate.left_out)


def _object(estimate: Estimate) -> dict[str, Any]:
    return {
        "environment": estimate.environment,
        "region": estimate.region,
        "prices": estimate.prices,
        "usd": _cents(estimate.usd),
        "saved_usd": _cents(estimate.saved_usd),
        "lines": [
            {
                "group": line.group.value,
                "what": line.what,
                "quantity": float(line.quantity),
                "unit": line.unit,
                "unit_usd": float(line.unit_usd),
                "usd": _cents(line.usd),
            }
            for line in estimate.lines
        ],
        "savings": [
            {"way": saving.way.value, "what": saving.what, "usd": _cents(saving.usd)}
            for saving in estimate.savings
        ],
        "not_estimated": [
            {"type": one.type, "reason": one.reason, "count": len(one.addresses), "addresses": one.addresses}
            for one in estimate.not_estimated
        ],
        "left_out": estimate.left_out,
        "remarks": estimate.remarks,
    }


def _row(what: str, usd: Decimal, product: str = "") -> str:
    return f"{what:<{_WHAT}} {product:>{_QUANTITY}} {_rounded(usd):>{_USD},}"


def _amount(quantity: Decimal) -> str:
    """A quantity to two places, without those that say nothing."""
    text = f"{quantity:,.2f}"
    return text.rstrip("0").rstrip(".")


def _price(usd: Decimal) -> str:
    """A price to cents, or to hundredths of one where it is below a dollar."""
    return f"{usd:,.2f}" if usd >= 1 or usd == 0 else f"{usd:.4f}"


def _rounded(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _cents(usd: Decimal) -> float:
    return float(_rounded(usd))
