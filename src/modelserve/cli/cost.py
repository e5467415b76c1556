"""``modelserve cost``: what environments on AWS cost a month, from plans or states of Terraform."""

from __future__ import annotations

import argparse
import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cost import USUAL_IDLE_SHARE

if TYPE_CHECKING:
    from modelserve.cost.lines import Estimate
    from modelserve.cost.plan import Plan
    from modelserve.cost.prices import Prices


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "cost",
        help="estimate what environments on AWS cost a month",
        description="Estimate what would exist by what `terraform show -json` prints of a plan or a state, "
        "at prices that come with this package and are noted by hand: no network is asked. It says what is "
        "saved, what it cannot estimate and what it leaves out. Status 0 when it is done, 2 when a file is "
        "not what is accepted.",
    )
    parser.add_argument(
        "plans",
        nargs="+",
        type=_named,
        metavar="[NAME=]FILE",
        help="a plan or a state in JSON, one for each environment (without NAME the file's name)",
    )
    parser.add_argument("--json", action="store_true", help="print the estimates as one JSON object")
    parser.add_argument(
        "--idle_share",
        type=_share,
        default=USUAL_IDLE_SHARE,
        metavar="SHARE",
        help="of the hours without a call, in which machines of groups that may be empty are gone: 0 to 1 "
        "(%(default)s)",
    )
    parser.add_argument(
        "--usage",
        type=_amount,
        action="append",
        default=[],
        metavar="NAME=AMOUNT",
        help="what is used in a month by each environment that has it, such as nat_gb=100; once for each. "
        "Another NAME is answered by those that are accepted. Without it what is paid by use is left out",
    )
    parser.add_argument(
        "--prices",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="prices of a region in place of the package's; once for each region",
    )
    parser.add_argument("--region", help="of AWS, where a plan does not tell it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Estimate, and print."""
    from modelserve.cost.report import json_of, text_of
    from modelserve.errors import ModelServeError

    try:
        estimates = _estimates(options)
    except ModelServeError as error:
        print(f"modelserve cost: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(json_of(estimates, idle_share=options.idle_share), ensure_ascii=False))
    else:
        print(text_of(estimates, idle_share=options.idle_share), end="")
    return 0


def _estimates(options: argparse.Namespace) -> list[Estimate]:
    from modelserve.cost.estimate import estimate
    from modelserve.cost.plan import PlanError, read_plan
    from modelserve.cost.prices import packaged_prices, read_prices
    from modelserve.cost.types import USAGE

    names = [name for name, _ in options.plans]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"two environments are called {name}; NAME=FILE gives them names of their own")
    usage = dict(options.usage)
    for name in usage:
        if name not in USAGE:
            raise PlanError(f"--usage {name} is unknown; accepted are {', '.join(USAGE)}")
    prices = packaged_prices()
    for path in options.prices:
        found = read_prices(path)
        prices[found.region] = found
    return [
        estimate(
            name,
            plan := read_plan(path),
            _prices_of(plan, path, prices, options.region),
            idle_share=options.idle_share,
            usage=usage,
        )
        for name, path in options.plans
    ]


def _prices_of(plan: Plan, path: Path, prices: dict[str, Prices], region: str | None) -> Prices:
    from modelserve.cost.plan import PlanError
    from modelserve.cost.prices import PriceError

    found = region or plan.region
    if found is None:
        raise PlanError(f"{path} does not tell its region; --region is accepted, such as eu-central-1")
    if found not in prices:
        known = ", ".join(sorted(prices))
        raise PriceError(
            f"there are no prices for {found}, of {path}; there are for {known}, and --prices FILE"
        )
    return prices[found]


def _named(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator:
        return Path(text).stem, Path(text)
    if not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=FILE")
    return name, Path(path)


def _share(text: str) -> Decimal:
    value = _decimal(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _amount(text: str) -> tuple[str, Decimal]:
    name, _, amount = text.partition("=")
    if not name or not amount:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=AMOUNT")
    value = _decimal(amount)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{amount} is negative")
    return name, value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return value
