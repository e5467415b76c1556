"""``modelserve pipeline status | list | cancel | resend``: runs at a server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from modelserve.cli.arguments import count, positive
from modelserve.cli.pipeline_client import UNFINISHED, NotAnswered, add_server, ask, tell


def add_parser(subparsers: Any) -> None:
    """Add the subcommands."""
    status = _command(
        subparsers,
        "status",
        _status,
        "tell how a run stands",
        "Print a run's steps, and its output when it succeeded. Status 0 when it did, 1 when it failed or "
        "was cancelled, 3 when it goes on.",
    )
    status.add_argument(
        "--wait_seconds", type=positive, default=0.0, help="wait so long for its end (at most 300)"
    )
    _command(subparsers, "cancel", _cancel, "end a run", "Ask for a run's end.")
    _command(
        subparsers,
        "resend",
        _resend,
        "go on with a run that failed",
        "Send a dead letter again: what succeeded is kept, and the run goes on from the steps that failed.",
    )
    listed: argparse.ArgumentParser = subparsers.add_parser(
        "list",
        help="list runs",
        description="List runs, the newest first. Those with --status failed are the dead letters.",
    )
    listed.add_argument("--pipeline", help="of this pipeline only")
    listed.add_argument("--status", help="queued, running, succeeded, failed or cancelled")
    listed.add_argument("--limit", type=count, default=100, help="so many at most (%(default)s)")
    add_server(listed)
    listed.set_defaults(run=lambda options: _answered(options, _list))


def _command(
    subparsers: Any, name: str, does: Callable[[argparse.Namespace], int], help_text: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=help_text, description=description)
    parser.add_argument("run_id", metavar="RUN", help="its id")
    add_server(parser)
    parser.set_defaults(run=lambda options: _answered(options, does))
    return parser


def _answered(options: argparse.Namespace, does: Callable[[argparse.Namespace], int]) -> int:
    try:
        return does(options)
    except NotAnswered as error:
        print(f"modelserve pipeline: {error}", file=sys.stderr)
        return 1


def _status(options: argparse.Namespace) -> int:
    run = ask(options, "GET", f"/runs/{options.run_id}", wait_seconds=options.wait_seconds)
    if not options.json:
        for step in run["steps"]:
            name = step["step"] if step["index"] is None else f"{step['step']}[{step['index']}]"
            print(f"{name}\t{step['status']}\t{step['tries']} tries\t{step['error'] or ''}", file=sys.stderr)
    return tell(options, run)


def _cancel(options: argparse.Namespace) -> int:
    return _taken(options, ask(options, "POST", f"/runs/{options.run_id}/cancel"))


def _resend(options: argparse.Namespace) -> int:
    return _taken(options, ask(options, "POST", f"/runs/{options.run_id}/resend"))


def _taken(options: argparse.Namespace, run: Any) -> int:
    tell(options, run)
    return 0


def _list(options: argparse.Namespace) -> int:
    chosen = {"pipeline": options.pipeline, "status": options.status, "limit": options.limit}
    found = ask(
        options, "GET", "/runs?" + urlencode({key: one for key, one in chosen.items() if one is not None})
    )
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for run in found["runs"]:
        created = datetime.fromtimestamp(run["created"], timezone.utc).isoformat(timespec="seconds")
        error = "" if run["status"] in UNFINISHED else run["error"] or ""
        print(f"{run['id']}\t{created}\t{run['pipeline']}\t{run['status']}\t{error}")
    return 0
