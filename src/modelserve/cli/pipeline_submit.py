"""``modelserve pipeline submit``: begin a run at a server."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from modelserve.cli.arguments import address, positive
from modelserve.cli.pipeline_client import NotAnswered, add_server, ask, tell
from modelserve.cli.pipeline_inputs import InputMistake, add_inputs, read_inputs


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "submit",
        help="begin a run at a pipeline server",
        description="Begin a run at a pipeline server and print its id; with --wait_seconds its output. "
        "Status 0 when it succeeded, or was taken where nobody waits; 1 when it failed or was refused; 3 "
        "when it goes on after the wait.",
    )
    parser.add_argument("pipeline", help="its name at the server")
    add_inputs(parser)
    add_server(parser)
    parser.add_argument("--webhook", type=address, help="a URL that is told of the run's end by a CloudEvent")
    parser.add_argument("--idempotency_key", help="with the same key and inputs the run is begun once")
    parser.add_argument("--wait_seconds", type=positive, help="wait so long for its end (at most 300)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask for a run, once."""
    from modelserve.pipelines.definition.models import Pipeline

    headers = {"Prefer": "respond-async"}
    if options.idempotency_key:
        headers["Idempotency-Key"] = options.idempotency_key
    try:
        pipeline = Pipeline.model_validate(ask(options, "GET", f"/pipelines/{options.pipeline}"))
        asked = {"inputs": read_inputs(options, pipeline)}
        if options.webhook:
            asked["webhook"] = options.webhook
        begun = ask(options, "POST", f"/pipelines/{options.pipeline}/runs", content=asked, headers=headers)
        if options.wait_seconds:
            found = ask(options, "GET", f"/runs/{begun['id']}", wait_seconds=options.wait_seconds)
            return tell(options, found)
    except InputMistake as error:
        print(f"modelserve pipeline submit: {error}", file=sys.stderr)
        return 2
    except NotAnswered as error:
        print(f"modelserve pipeline submit: {error}", file=sys.stderr)
        return 1
    tell(options, begun)
    return 0
