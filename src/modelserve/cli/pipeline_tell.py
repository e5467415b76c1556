"""``modelserve pipeline tell``: the end of a run that a workflow engine did, to a webhook."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from modelserve.cli.arguments import address

_ENDS = {"Succeeded": "succeeded", "Failed": "failed", "Error": "failed"}
"""Argo's words for how a workflow ended, and ours."""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "tell",
        help="tell a webhook of a run's end, for a workflow engine",
        description="Send the CloudEvent of a run's end once. Status 0 when it was taken, 1 when it was not.",
    )
    parser.add_argument("pipeline", help="its name")
    parser.add_argument("--webhook", type=address, required=True, metavar="URL", help="that is told")
    parser.add_argument("--run_id", required=True, help="of the run")
    parser.add_argument("--status", choices=_ENDS, required=True, help="of the workflow")
    parser.add_argument("--failures", default="", help="why it failed (default: nothing more)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send it."""
    import httpx

    from modelserve.events.outgoing import write_event
    from modelserve.pipelines.store import Notice, RunStatus
    from modelserve.pipelines.working.telling import ended_event

    status = RunStatus(_ENDS[options.status])
    notice = Notice(
        run=options.run_id,
        round=1,
        pipeline=options.pipeline,
        status=status,
        output=None,
        error=(options.failures or "the workflow tells more") if status is RunStatus.FAILED else "",
        webhook=options.webhook,
        at=time.time(),
        tries=1,
    )
    headers, body = write_event(ended_event(notice))
    try:
        httpx.post(options.webhook, headers=headers, content=body, timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        print(f"modelserve pipeline tell: {error}", file=sys.stderr)
        return 1
    return 0
