"""``modelserve shadow``: whether another revision or service answers logged calls as the first one did."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import count, fraction, number, positive
from modelserve.secrecy import without_secrets

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from modelserve.shadow.comparison import Shadow
    from modelserve.shadow.results import Results
    from modelserve.shadow.summary import Summary

_STATUS = {"agrees": 0, "disagrees": 1, "no_verdict": 3}


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "shadow",
        help="compare another revision's answers with the logged ones",
        description="Replay logged calls to another server, and compare its answers with the logged ones: "
        "those of a file, or with --listen those that KServe mirrors now, until SIGTERM or Ctrl-C. Exit "
        "status: 0 when they agree, 1 when they disagree, 2 for bad usage and for a log that cannot be "
        "read, 3 when the calls do not tell.",
    )
    parser.add_argument(
        "log",
        nargs="?",
        metavar="FILE",
        help="CloudEvents of KServe's request log, a JSON event a line; - for stdin",
    )
    parser.add_argument(
        "--listen",
        type=_address,
        metavar="[HOST:]PORT",
        help="instead of a file: take the events by HTTP there, and show /report, /results and /metrics",
    )
    parser.add_argument("--to", type=_url, required=True, metavar="URL", help="the server to compare with")
    parser.add_argument("--model", help="its name there (default: as the logged answers say; V1's do not)")
    parser.add_argument("--host_header", help="instead of the URL's host, as an ingress wants it")
    parser.add_argument("--namespace", help="of the InferenceService whose calls are compared")
    parser.add_argument("--service", help="the InferenceService whose calls are compared")
    parser.add_argument("--component", help="predictor or transformer, where the log has calls of both")
    parser.add_argument(
        "--revision", help="compare with this revision's answers only, as in a canary rollout"
    )
    parser.add_argument(
        "--rate",
        type=positive,
        default=10.0,
        help="most calls per second (%(default)s); with --listen, "
        "calls above it and calls for which there is no room are skipped and counted",
    )
    parser.add_argument("--at_once", type=count, default=8, help="most calls in progress (%(default)s)")
    parser.add_argument("--timeout_seconds", type=positive, default=30.0, help="of a call (%(default)s)")
    parser.add_argument(
        "--tolerance",
        type=fraction,
        default=0.01,
        help="share of answers that may differ (%(default)s)",
    )
    parser.add_argument(
        "--limit", type=fraction, default=0.03, help="share below which answers agree (%(default)s)"
    )
    parser.add_argument(
        "--confidence", type=fraction, default=0.95, help="of the verdict and all bounds (%(default)s)"
    )
    parser.add_argument(
        "--examples",
        type=number,
        default=20,
        help="most disagreements to show of the worst, and of the first; they hold callers' texts and images "
        "(%(default)s)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report for people there")
    parser.add_argument("--metrics", type=Path, metavar="FILE", help="write Prometheus metrics there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare; 0 when the answers agree, 1 when they do not, 2 for bad usage, 3 without a verdict."""
    problem = _problem(options)
    if problem is not None:
        print(f"modelserve shadow: {problem}", file=sys.stderr)
        return 2
    import orjson
    from prometheus_client import CollectorRegistry, write_to_textfile

    from modelserve.shadow.results import Results
    from modelserve.shadow.table import table
    from modelserve.shadow.verdicts import Criteria

    registry = CollectorRegistry()
    results = Results(
        Criteria(options.tolerance, options.limit, options.confidence), examples=options.examples
    )
    compare = _compare_log if options.listen is None else _compare_live
    summary, error = compare(options, results, registry)
    if error is not None:
        print(f"modelserve shadow: {error}", file=sys.stderr)
    try:
        if options.html is not None:
            from modelserve.shadow.curves import Curves
            from modelserve.shadow.report import render  # matplotlib takes a while

            options.html.write_text(render(summary, Curves.of(results)), "utf-8")
        if options.metrics is not None:
            write_to_textfile(str(options.metrics), registry)
    except OSError as caught:
        error = caught
        print(f"modelserve shadow: {caught}", file=sys.stderr)
    print(orjson.dumps(summary.as_json()).decode() if options.json else table(summary))
    return 2 if error is not None else _STATUS[summary.verdict.value]


def _problem(options: argparse.Namespace) -> str | None:
    if options.limit < options.tolerance:
        return "--limit is below --tolerance; at least that is accepted"
    if (options.log is None) == (options.listen is None):
        return "a FILE or --listen is accepted, one of the two"
    if options.listen is not None and not (options.namespace and options.service and options.component):
        return (
            "--listen is accepted with --namespace, --service and --component: whose calls are compared must "
            "not depend on which of them come first"
        )
    return None


def _compare_log(
    options: argparse.Namespace, results: Results, registry: CollectorRegistry
) -> tuple[Summary, Exception | None]:
    """Compare the calls in a file; what was found, and why it ended before the file did."""
    from modelserve.errors import ModelServeError
    from modelserve.events.logfile import read_log
    from modelserve.shadow.feeding import Choice, LoggedCalls, feed
    from modelserve.shadow.summary import summarise

    calls = LoggedCalls(read_log(options.log), Choice(options.namespace, options.service, options.component))

    async def compare() -> None:
        shadow = _make_shadow(options, results, registry, waits=True)
        try:
            await feed(shadow, calls, at_once=options.at_once)
        finally:
            await shadow.close()

    error: Exception | None = None
    try:
        asyncio.run(compare())
    except (ModelServeError, OSError) as caught:
        # What was compared until then is reported: it may have taken hours.
        error = caught
    summary = summarise(
        results,
        component=calls.component,
        events=calls.outcomes,
        target=options.to,
        written=datetime.now(timezone.utc),
    )
    return summary, error


def _compare_live(
    options: argparse.Namespace, results: Results, registry: CollectorRegistry
) -> tuple[Summary, Exception | None]:
    """Compare the calls that are mirrored until a signal; what was found, and why it could not begin."""
    from modelserve.errors import ModelServeError
    from modelserve.events import Component
    from modelserve.logs import configure_logging
    from modelserve.settings import current_revision
    from modelserve.shadow.listening import Listener

    configure_logging(log_format="text", log_level="info", revision=current_revision())
    listener = Listener(
        _make_shadow(options, results, registry, waits=False),
        results,
        Component(options.namespace, options.service, options.component),
        target=options.to,
        at_once=options.at_once,
        registry=registry,
    )
    error: Exception | None = None
    try:
        listener.run(*options.listen)
    except ModelServeError as caught:
        error = caught
    return listener.summary(), error


def _make_shadow(
    options: argparse.Namespace, results: Results, registry: CollectorRegistry, *, waits: bool
) -> Shadow:
    from modelserve.shadow.comparison import Shadow
    from modelserve.shadow.metrics import ShadowMetrics
    from modelserve.shadow.rate import TokenBucket
    from modelserve.shadow.replaying import Replayer

    replayer = Replayer(
        options.to,
        model=options.model,
        host_header=options.host_header,
        timeout_seconds=options.timeout_seconds,
        at_once=options.at_once,
    )
    return Shadow(
        replayer,
        results,
        ShadowMetrics(registry),
        rate=TokenBucket(options.rate),
        revision=options.revision,
        waits=waits,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, as 8080, and no address, as 127.0.0.1:8080")
    return host.strip("[]") or "0.0.0.0", int(port)


def _url(text: str) -> str:
    import httpx

    sentence = f"{without_secrets(text)!r} is no URL as http://host:port, without a user's name"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise argparse.ArgumentTypeError(sentence) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise argparse.ArgumentTypeError(sentence)
    return text
