"""``modelserve pipeline work``: does the runs that were submitted to a store."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from modelserve.cli.arguments import count, port, positive
from modelserve.cli.pipeline_store import add_queue, add_store, keep_seconds


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "work",
        help="do the runs of a store, as one of several workers",
        description="Do runs of pipelines until SIGTERM, and give back then what is not done. Several "
        "workers share a store and a queue with the service that runs are submitted to. Exit status: 0 after "
        "a signal, 1 when it cannot begin or go on.",
    )
    add_store(parser)
    add_queue(parser, is_required=True)
    parser.add_argument("--concurrency", type=count, default=64, help="most runs at a time (%(default)s)")
    parser.add_argument(
        "--lease_seconds",
        type=positive,
        default=30.0,
        help="without a sign of this worker, after which another takes its runs over (%(default)s)",
    )
    parser.add_argument("--metrics_port", type=port, help="of Prometheus metrics (default: none are served)")
    parser.add_argument("--log_format", choices=("text", "json"), default="text", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Work until a signal; 1 when that is not possible."""
    import asyncio
    import logging

    from modelserve.errors import ModelServeError
    from modelserve.logs import configure_logging
    from modelserve.pipelines.working.process import WorkSettings, work
    from modelserve.settings import current_revision

    configure_logging(log_format=options.log_format, log_level="info", revision=current_revision())
    settings = WorkSettings(
        store_url=options.store_url,
        queue_url=options.queue_url,
        concurrency=options.concurrency,
        lease_seconds=options.lease_seconds,
        keep_seconds=keep_seconds(options),
        metrics_port=options.metrics_port,
    )

    def announce(port: int | None) -> None:
        told = "" if port is None else f", metrics on port {port}"
        logging.getLogger("modelserve").info("ready for runs%s", told)

    try:
        asyncio.run(work(settings, on_ready=announce))
    except ModelServeError as error:
        print(f"modelserve pipeline work: {error}", file=sys.stderr)
        return 1
    return 0
