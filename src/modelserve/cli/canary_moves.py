"""``modelserve canary status | promote | abort | rollback``: a rollout in a person's hands."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import positive
from modelserve.cli.canary_target import add_service, guarded, rollout_of, state_json

if TYPE_CHECKING:
    from modelserve.canary.rollout import Rollout

_MOVED = (
    "Exit status: 0 when the cluster says that it has all calls, 1 when it does not say so in time, 2 for "
    "bad usage and where there is nothing to move."
)


def add_parsers(actions: Any) -> None:
    """Add the actions."""
    status = _add(actions, "status", "tell where a rollout stands; 0 when there is a canary, 3 when not")
    status.set_defaults(run=_status)
    for name, asks, text in (
        ("promote", _promote, "give the canary all calls now, unjudged"),
        ("abort", _abort, "give the stable revision all calls now"),
        ("rollback", _roll_back, "give the revision before all calls, also after a promotion"),
    ):
        parser = _add(actions, name, text, _MOVED)
        parser.add_argument(
            "--timeout_seconds",
            type=positive,
            default=120.0,
            help="until the cluster has moved the traffic (%(default)s)",
        )
        parser.set_defaults(run=_moving(name, asks))


def _add(actions: Any, name: str, text: str, more: str = "") -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}. {more}"
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=description)
    add_service(parser)
    parser.add_argument("--json", action="store_true", help="print it as a JSON object")
    return parser


@guarded
def _status(options: argparse.Namespace) -> int:
    from modelserve.canary.running.settling import describe

    rollout, namespace = rollout_of(options)
    state = rollout.state()
    print(json.dumps(state_json(options, namespace, state)) if options.json else describe(state))
    return 3 if state.canary is None else 0


def _promote(rollout: Rollout) -> str:
    state = rollout.check()
    rollout.promote(state)
    return str(state.canary)


def _abort(rollout: Rollout) -> str:
    state = rollout.check()
    rollout.shift(0, state)
    return state.stable


def _roll_back(rollout: Rollout) -> str:
    return rollout.roll_back()


def _moving(name: str, ask: Callable[[Rollout], str]) -> Callable[[argparse.Namespace], int]:
    """An action that asks for all calls for a revision, and waits until it has them."""

    @guarded
    def move(options: argparse.Namespace) -> int:
        from modelserve.canary.running.settling import NotSettled, describe, settle

        rollout, namespace = rollout_of(options)
        began = time.monotonic()
        revision, state, reason = ask(rollout), None, ""
        try:
            state = settle(rollout, revision, timeout_seconds=options.timeout_seconds)
        except NotSettled as error:
            reason = str(error)
        if options.json:
            said = {
                "action": name,
                "revision": revision,
                "done": state is not None,
                "seconds": round(time.monotonic() - began, 1),
                "reason": reason,
            }
            print(json.dumps(state_json(options, namespace, state) | said))
        elif state is not None:
            print(describe(state))
        else:
            print(f"modelserve canary: {reason}", file=sys.stderr)
        return int(state is None)

    return move
