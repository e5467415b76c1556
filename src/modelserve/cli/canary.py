"""``modelserve canary``: how a new revision is judged, and how often that would be wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli import canary_controller, canary_moves, canary_plan, canary_report, canary_run
from modelserve.cli.arguments import count, fraction, number, positive
from modelserve.cli.canary_target import guarded
from modelserve.cli.files import expect_writable, writing

if TYPE_CHECKING:
    from modelserve.canary.simulation.simulating import Row
    from modelserve.canary.simulation.traffic import Plan, Step


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser("canary", help="judge a new revision")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    canary_plan.add_parser(actions)
    canary_run.add_parser(actions)
    canary_moves.add_parsers(actions)
    canary_report.add_parser(actions)
    canary_controller.add_parser(actions)
    simulate: argparse.ArgumentParser = actions.add_parser(
        "simulate",
        help="tell how often the judge would be wrong, and how soon it would be right",
        description="Draw canaries that are equal to the stable revision, that have more errors, are slower, "
        "or lost a label, and judge them at every look. Exit status: 0 when equal canaries were rolled back "
        "in no more than the share --alpha of the runs, 1 when in more, 2 for bad usage.",
    )
    simulate.add_argument(
        "--requests_per_second", type=positive, default=10.0, help="of both revisions (%(default)s)"
    )
    simulate.add_argument(
        "--step",
        type=_step,
        action="append",
        metavar="PERCENT:SECONDS",
        help="of the traffic, for so long; once for each step (10:1200, 25:1200 and 50:1200)",
    )
    simulate.add_argument(
        "--look_seconds", type=positive, default=10.0, help="from one look to the next (%(default)s)"
    )
    simulate.add_argument(
        "--unrest",
        type=fraction,
        help="of errors and latency of both revisions, from minute to minute: the standard deviation of the "
        "logarithm of a factor (none)",
    )
    simulate.add_argument(
        "--error_share", type=fraction, default=0.01, help="of the stable revision's requests (%(default)s)"
    )
    simulate.add_argument(
        "--error_ratio", type=positive, default=2.0, help="of a canary with more errors (%(default)s)"
    )
    simulate.add_argument(
        "--median_seconds", type=positive, default=0.08, help="of the stable latency (%(default)s)"
    )
    simulate.add_argument(
        "--spread", type=positive, default=0.6, help="of the latency's logarithm (%(default)s)"
    )
    simulate.add_argument("--slowdown", type=positive, default=1.2, help="of a slower canary (%(default)s)")
    simulate.add_argument("--labels", type=count, default=10, help="equally frequent ones (%(default)s)")
    simulate.add_argument(
        "--alpha", type=fraction, default=0.01, help="false rollbacks of a canary (%(default)s)"
    )
    simulate.add_argument("--runs", type=count, default=1000, help="of each kind of canary (%(default)s)")
    simulate.add_argument("--seed", type=number, default=1, help="of all chance (%(default)s)")
    simulate.add_argument(
        "--peers", action="store_true", help="also a rule as Flagger's and a judge as Kayenta's"
    )
    simulate.add_argument("--plot", type=Path, metavar="FILE", help="draw the shares over requests there")
    simulate.add_argument("--json", action="store_true", help="print the table as JSON")
    simulate.set_defaults(run=run)


@guarded
def run(options: argparse.Namespace) -> int:
    """Simulate; 0 when the judge keeps its promise, 1 when not, 2 for bad usage."""
    if options.labels < 2:
        print("modelserve canary simulate: --labels is 1; at least 2 are accepted", file=sys.stderr)
        return 2
    if options.plot is not None:
        from modelserve.canary.simulation.plotting import draw_rows, expect_format  # matplotlib takes a while

        expect_format(options.plot)
        expect_writable(options.plot)
    from modelserve.canary.judge.policy import Policy
    from modelserve.canary.simulation.simulating import simulate
    from modelserve.canary.simulation.traffic import Behaviour, Plan, scenarios

    default = Plan()
    plan = Plan(
        options.requests_per_second,
        options.step or default.steps,
        options.look_seconds,
        options.unrest or 0.0,
    )
    stable = Behaviour(options.error_share, options.median_seconds, options.spread, options.labels)
    kinds = scenarios(stable, error_ratio=options.error_ratio, slowdown=options.slowdown)
    policy = Policy(alpha=options.alpha)
    rows = []
    for row in simulate(kinds, plan, policy, runs=options.runs, seed=options.seed, with_peers=options.peers):
        rows.append(row)
        if not options.json:
            # A table of many runs takes minutes, and each line is one that is done.
            print(_line(row, plan), flush=True)
    if options.json:
        import orjson

        print(orjson.dumps([_as_json(row, plan) for row in rows]).decode())
    if options.plot is not None:
        with writing(options.plot):
            draw_rows(rows, options.plot)
    return 0 if rows[0].outcomes.rolled_back <= options.alpha else 1


def _as_json(row: Row, plan: Plan) -> dict[str, Any]:
    """The row; its medians are of all runs, and None where fewer than half were rolled back."""
    from statistics import median_low

    outcomes = row.outcomes
    passed = None if outcomes.passed is None else float(outcomes.passed.mean())
    told = outcomes.rolled_back > 0.5
    return {
        "canary": row.scenario,
        "judge": row.judge,
        "runs": len(outcomes.rolled_back_at),
        "rolled_back": outcomes.rolled_back,
        "passed": passed,
        "undecided": None if passed is None else 1 - passed - outcomes.rolled_back,
        "median_canary_requests": int(median_low(outcomes.requests_until.tolist())) if told else None,
        "median_seconds": median_low(outcomes.looks_until.tolist()) * plan.look_seconds if told else None,
    }


def _line(row: Row, plan: Plan) -> str:
    found = _as_json(row, plan)
    parts = [f"{row.scenario:<22} {row.judge:<16} rolled back {found['rolled_back']:7.2%}"]
    if found["passed"] is not None:
        parts.append(f"passed {found['passed']:7.2%}  undecided {found['undecided']:7.2%}")
    if found["median_seconds"] is not None:
        parts.append(
            f"after {found['median_canary_requests']:,.0f} requests, {found['median_seconds'] / 60:.0f} min"
        )
    return "  ".join(parts)


def _step(text: str) -> Step:
    from modelserve.canary.simulation.traffic import Step

    try:
        percent, seconds = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no step as 10:1200") from error
    if not (0 < percent < 100 and 0 < seconds < float("inf")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no step: the percent must be between 0 and 100, and the seconds above 0"
        )
    return Step(percent, seconds)
