"""``modelserve pipeline serve``: pipelines over REST."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from modelserve.cli.arguments import count, host, port, positive
from modelserve.cli.pipeline_store import add_queue, add_store, keep_seconds


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "serve",
        help="take runs over REST",
        description="Serve pipelines over REST until SIGTERM. Without --queue_url this process does the runs "
        "itself; with it, workers do (modelserve pipeline work), which share its store. Exit status: 0 after "
        "a signal, 1 when it cannot begin, 2 for bad usage.",
    )
    parser.add_argument(
        "pipelines",
        nargs="+",
        type=Path,
        help="definitions, folders with a pipeline.yaml, or folders of such",
    )
    parser.add_argument(
        "--http_host", type=host, default="0.0.0.0", help="address to listen on (%(default)s)"
    )
    parser.add_argument("--http_port", type=port, default=8080, help="port; 0 takes a free one (%(default)s)")
    add_store(parser, usual="sqlite:///pipelines.db")
    add_queue(parser, is_required=False)
    parser.add_argument(
        "--concurrency", type=count, default=32, help="most runs at a time without a queue (%(default)s)"
    )
    parser.add_argument(
        "--most_unfinished",
        type=count,
        default=10_000,
        help="with so many unfinished runs a further one is answered 429 (%(default)s)",
    )
    parser.add_argument(
        "--wait_seconds",
        type=positive,
        default=60.0,
        help="how long a call waits for its run where it does not say (%(default)s)",
    )
    parser.add_argument(
        "--max_body_bytes", type=count, default=64 * 2**20, help="largest body of a request (%(default)s)"
    )
    parser.add_argument("--log_format", choices=("text", "json"), default="text", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    import asyncio

    from modelserve.errors import ModelServeError
    from modelserve.logs import configure_logging
    from modelserve.pipelines.serving.definitions import read_all
    from modelserve.pipelines.serving.process import ServeSettings, serve
    from modelserve.settings import current_revision

    try:
        pipelines = read_all(options.pipelines)
    except ModelServeError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging(log_format=options.log_format, log_level="info", revision=current_revision())
    settings = ServeSettings(
        host=options.http_host,
        port=options.http_port,
        store_url=options.store_url,
        queue_url=options.queue_url,
        concurrency=options.concurrency,
        keep_seconds=keep_seconds(options),
        most_unfinished=options.most_unfinished,
        wait_seconds=options.wait_seconds,
        max_body_bytes=options.max_body_bytes,
    )

    def announce(http_port: int) -> None:
        print(f"Ready: {', '.join(sorted(pipelines))} on port {http_port}", flush=True)

    try:
        asyncio.run(serve(pipelines, settings, on_ready=announce))
    except ModelServeError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    return 0
