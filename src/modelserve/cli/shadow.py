"""``modelserve shadow``: whether another revision or service answers logged calls as the first one did."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import count, fraction, number, positive

if TYPE_CHECKING:
    from modelserve.shadow.bounds import Bounds
    from modelserve.shadow.feeding import LoggedCalls
    from modelserve.shadow.metrics import ShadowMetrics
    from modelserve.shadow.results import Results
    from modelserve.shadow.summary import Summary

_STATUS = {"agrees": 0, "disagrees": 1, "no_verdict": 3}


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "shadow",
        help="compare another revision's answers with the logged ones",
        description="Replay logged calls to another server, and compare its answers with the logged ones. "
        "Exit status: 0 when they agree, 1 when they disagree, 2 for bad usage and for a log that cannot be "
        "read, 3 when the calls do not tell.",
    )
    parser.add_argument(
        "log", metavar="FILE", help="CloudEvents of KServe's request log, a JSON event a line; - for stdin"
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
    parser.add_argument("--rate", type=positive, default=10.0, help="most calls per second (%(default)s)")
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
    if options.limit < options.tolerance:
        print("modelserve shadow: --limit is below --tolerance; at least that is accepted", file=sys.stderr)
        return 2
    import orjson
    from prometheus_client import CollectorRegistry, write_to_textfile

    from modelserve.errors import ModelServeError
    from modelserve.events.logfile import read_log
    from modelserve.shadow.feeding import Choice, LoggedCalls
    from modelserve.shadow.metrics import ShadowMetrics
    from modelserve.shadow.results import Results
    from modelserve.shadow.summary import summarise
    from modelserve.shadow.verdicts import Criteria

    registry = CollectorRegistry()
    results = Results(
        Criteria(options.tolerance, options.limit, options.confidence), examples=options.examples
    )
    choice = Choice(options.namespace, options.service, options.component)
    calls = LoggedCalls(read_log(options.log), choice)
    error: Exception | None = None
    try:
        asyncio.run(_compare(options, calls, results, ShadowMetrics(registry)))
    except (ModelServeError, OSError) as caught:
        # What was compared until then is reported: it may have taken hours.
        error = caught
        print(f"modelserve shadow: {caught}", file=sys.stderr)
    summary = summarise(results, calls, target=options.to, written=datetime.now(timezone.utc))
    try:
        if options.html is not None:
            from modelserve.shadow.report import render  # matplotlib takes a while

            options.html.write_text(render(summary, results), "utf-8")
        if options.metrics is not None:
            write_to_textfile(str(options.metrics), registry)
    except OSError as caught:
        error = caught
        print(f"modelserve shadow: {caught}", file=sys.stderr)
    print(orjson.dumps(summary.as_json()).decode() if options.json else _table(summary))
    return 2 if error is not None else _STATUS[summary.verdict.value]


async def _compare(
    options: argparse.Namespace, calls: LoggedCalls, results: Results, metrics: ShadowMetrics
) -> None:
    from modelserve.shadow.comparison import Shadow
    from modelserve.shadow.feeding import feed
    from modelserve.shadow.rate import TokenBucket
    from modelserve.shadow.replaying import Replayer

    replayer = Replayer(
        options.to,
        model=options.model,
        host_header=options.host_header,
        timeout_seconds=options.timeout_seconds,
        at_once=options.at_once,
    )
    shadow = Shadow(
        replayer,
        results,
        metrics,
        rate=TokenBucket(options.rate),
        revision=options.revision,
        waits=True,
    )
    try:
        await feed(shadow, calls, at_once=options.at_once)
    finally:
        await replayer.close()


def _table(summary: Summary) -> str:
    lines = [f"verdict      {summary.verdict.value}: {summary.reason}"]
    share = summary.disagreement
    if share.count:
        lines.append(
            f"differ       {share.estimate:.2%} of the answers ({share.lower:.2%} to {share.upper:.2%}, "
            f"at any time), {summary.disagreeing_items} of {summary.items} texts or images"
        )
    if summary.f1 is not None:
        lines.append(f"entities F1  {_bounds(summary.f1, '.4f')}")
    if summary.score_distance is not None:
        lines.append(f"scores       {_bounds(summary.score_distance, '.4f')} apart")
    for name, latency in (("logged ms", summary.logged_latency), ("replayed ms", summary.replayed_latency)):
        if latency is not None:
            lines.append(
                f"{name:<12} p50 {1e3 * latency.p50_seconds:.1f}  p90 {1e3 * latency.p90_seconds:.1f}  "
                f"p99 {1e3 * latency.p99_seconds:.1f}"
            )
    for name, counts in (("calls", summary.calls), ("events", summary.events)):
        lines.append(f"{name:<12} " + ", ".join(f"{key}: {count}" for key, count in counts.items()))
    return "\n".join([*lines, *(f"note         {note}" for note in summary.notes)])


def _bounds(bounds: Bounds, form: str) -> str:
    return f"{bounds.estimate:{form}} ({bounds.lower:{form}} to {bounds.upper:{form}})"


def _url(text: str) -> str:
    import httpx

    sentence = f"{text!r} is no URL as http://host:port, without a user's name"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise argparse.ArgumentTypeError(sentence) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise argparse.ArgumentTypeError(sentence)
    return text
