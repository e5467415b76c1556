"""``modelserve canary plan``: what a run would do, and whether it could begin now."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import address
from modelserve.cli.canary_sources import prometheus_of
from modelserve.cli.canary_target import (
    add_names,
    add_policy,
    add_service,
    guarded,
    rollout_of,
    specification_of,
    state_json,
)

if TYPE_CHECKING:
    from modelserve.canary.judge.policy import Policy
    from modelserve.canary.running.beginning import Outlook
    from modelserve.canary.running.plan import Plan


def add_parser(actions: Any) -> None:
    """Add the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "plan",
        help="tell what a run would do, and whether it could begin now",
        description="Look at everything that a run needs, and move nothing. Exit status: 0 when it could "
        "begin now, 1 when not, 2 for bad usage, 3 when there is no newer revision.",
    )
    add_service(parser)
    parser.add_argument(
        "--prometheus", type=address, metavar="URL", required=True, help="where both revisions are measured"
    )
    add_names(parser)
    add_policy(parser)
    parser.add_argument("--json", action="store_true", help="print it as a JSON object")
    parser.set_defaults(run=_plan)


@guarded
def _plan(options: argparse.Namespace) -> int:
    from modelserve.canary.rollout import NothingNew
    from modelserve.canary.running.beginning import Outlook, foresee

    wanted = specification_of(options)
    plan, policy = wanted.plan(), wanted.policy()
    rollout, namespace = rollout_of(options)
    with closing(prometheus_of(options, namespace, policy)) as source:
        try:
            outlook, status = foresee(rollout, source, plan), 0
        except NothingNew as error:
            outlook, status = Outlook(None, [str(error)]), 3
    if options.json:
        print(json.dumps(state_json(options, namespace, outlook.state) | _as_json(outlook, plan, policy)))
    else:
        print("\n".join(_lines(outlook, plan, policy)))
    return status or int(bool(outlook.obstacles))


def _as_json(outlook: Outlook, plan: Plan, policy: Policy) -> dict[str, Any]:
    state = outlook.state
    return {
        "can_begin": not outlook.obstacles,
        "obstacles": list(outlook.obstacles),
        "first_step": None if state is None else plan.first_step(state.percent),
        **asdict(plan),
        "checks": _checks(policy),
        "on_inconclusive": policy.on_inconclusive.value,
    }


def _lines(outlook: Outlook, plan: Plan, policy: Policy) -> list[str]:
    from modelserve.canary.running.settling import describe

    state = outlook.state
    first = 0 if state is None else plan.first_step(state.percent)
    lines = [] if state is None else [describe(state)]
    for step in plan.steps[first:]:
        lines.append(f"{step.percent:3}% for {step.least_seconds:g} to {step.most_seconds:g} s")
    lines += [
        "then all calls",
        f"checked every {plan.look_seconds:g} s: {', '.join(_checks(policy))}",
        f"at a step's end without a verdict: {policy.on_inconclusive.value}",
        *(f"cannot begin now: {sentence}" for sentence in outlook.obstacles),
    ]
    return lines if outlook.obstacles else [*lines, "can begin now"]


def _checks(policy: Policy) -> list[str]:
    return [*policy.alphas(), *(["drift"] if policy.drift else [])]
