"""``modelserve bench``: how many calls a server answers, and how long callers wait."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import count, positive

if TYPE_CHECKING:
    from modelserve.bench.recording import Report

_BUSY = 0.9
"""A generator that uses more of a core than this measures itself."""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "bench",
        help="measure a server's throughput and latency",
        description="Send calls to a V1 or V2 server and report throughput, latency and every outcome. "
        "Exit status: 0 when every call was answered with 2xx, 1 when one was not, 2 for bad usage, "
        "3 when the figures say nothing of the server.",
    )
    parser.add_argument("--url", default="http://localhost:8080", help="the server (%(default)s)")
    parser.add_argument("--model", required=True, help="the model's name")
    parser.add_argument("--protocol", choices=("v1", "v2", "v2-binary"), default="v2", help="(%(default)s)")
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--callers",
        type=count,
        default=32,
        help="each calls again when it is answered (%(default)s)",
    )
    load.add_argument("--rate", type=positive, help="calls per second, whatever the answers")
    parser.add_argument(
        "--spacing", choices=("poisson", "even"), default="poisson", help="with --rate (%(default)s)"
    )
    parser.add_argument(
        "--connections",
        type=count,
        default=512,
        help="most calls in progress, with --rate (%(default)s)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=positive, default=10.0, help="to measure (%(default)s)")
    length.add_argument("--requests", type=count, help="to measure, with --callers")
    parser.add_argument("--warm_up_seconds", type=float, default=1.0, help="not measured (%(default)s)")
    parser.add_argument("--timeout_seconds", type=positive, default=30.0, help="of a call (%(default)s)")
    parser.add_argument("--text", nargs="+", default=[], help="texts to send in turn")
    parser.add_argument(
        "--text_file", nargs="+", type=Path, default=[], help="files with a text on each line"
    )
    parser.add_argument("--image", nargs="+", type=Path, default=[], help="image files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure; 0 when every call was answered well, 1 when one was not, 3 without a verdict."""
    import asyncio

    from modelserve.bench.calls import encode_call, parse_url
    from modelserve.bench.inputs import read_items

    if options.requests is not None and options.rate is not None:
        print("modelserve bench: --requests needs --callers; --rate takes --seconds", file=sys.stderr)
        return 2
    try:
        target = parse_url(options.url)
        items = read_items(texts=options.text, text_files=options.text_file, images=options.image)
    except (OSError, ValueError) as error:
        print(f"modelserve bench: {error}", file=sys.stderr)
        return 2
    calls = [encode_call(target, options.model, item, protocol=options.protocol) for item in items]
    report = asyncio.run(_measure(options, target, calls))
    if report is None:
        return 1
    print(json.dumps(asdict(report)) if options.json else _table(report))
    doubt = _doubt(report)
    if doubt:
        print(f"modelserve bench: {doubt}", file=sys.stderr)
        return 3
    return 0 if report.is_clean else 1


async def _measure(options: argparse.Namespace, target: Any, calls: list[bytes]) -> Report | None:
    """The report; None where the first call, which nothing hurries, is not answered as it should."""
    from modelserve.bench.loops import ClosedLoop, OpenLoop
    from modelserve.bench.once import ask
    from modelserve.bench.outcomes import is_good

    outcome, body = await ask(target, calls[0], timeout_seconds=options.timeout_seconds)
    if not is_good(outcome):
        shown = body[:200].decode("utf-8", "replace")
        print(f"modelserve bench: the first call's outcome is {outcome}: {shown}", file=sys.stderr)
        return None
    if options.rate is None:
        closed = ClosedLoop(target, calls, callers=options.callers, timeout_seconds=options.timeout_seconds)
        seconds = options.seconds if options.requests is None else None
        return await closed.run(
            warm_up_seconds=options.warm_up_seconds, seconds=seconds, requests=options.requests
        )
    opened = OpenLoop(
        target,
        calls,
        rate=options.rate,
        spacing=options.spacing,
        connections=options.connections,
        timeout_seconds=options.timeout_seconds,
    )
    return await opened.run(warm_up_seconds=options.warm_up_seconds, seconds=options.seconds)


def _doubt(report: Report) -> str | None:
    """Why the figures say nothing of the server, or None where they do."""
    if not report.calls:
        return "no call was due in the time measured; give it more --seconds"
    if report.generator_cpu > _BUSY:
        return (
            f"the generator used {report.generator_cpu:.0%} of a core, so that these are its own limits "
            "and not the server's"
        )
    return None


def _table(report: Report) -> str:
    lines = [
        f"measured     {report.seconds:.1f} s, {report.calls} calls",
        f"throughput   {report.throughput:.1f} answers/s, of them good {report.goodput:.1f}/s",
    ]
    if report.latency is not None:
        wait = report.latency
        lines.append(
            f"latency ms   p50 {wait.p50_ms:.1f}  p90 {wait.p90_ms:.1f}  "
            f"p99 {wait.p99_ms:.1f}  max {wait.max_ms:.1f}"
        )
    lines.append("outcomes     " + ", ".join(f"{name}: {count}" for name, count in report.outcomes.items()))
    lines.append(
        f"generator    {report.generator_cpu:.0%} of a core, {report.pacing_p99_ms:.1f} ms late (p99)"
    )
    return "\n".join(lines)
