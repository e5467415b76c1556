"""``modelserve drift``: references, the check of a file of logged events, and reports."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserve.drift.checking import Checked
    from modelserve.drift.report.collecting import Chapter
    from modelserve.drift.verdicts import Verdict

_ALARM = {True: "yes", False: "no", None: "too few windows to tell"}


def add_parser(subparsers: Any) -> None:
    """Add the subcommand and its own."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "drift", help="find drift in logged calls", description="Find drift in logged calls."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_reference(verbs)
    check = verbs.add_parser("check", help="judge a file of logged events", add_help=False)
    check.set_defaults(run=run_check, takes_rest=True)
    _add_report(verbs)


def _add_reference(verbs: Any) -> None:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "reference",
        help="make the baseline of a model",
        description="Make a reference: what a model's inputs and answers are like when all is well. Its "
        "samples are texts or images that the server at --url is asked about, or the calls of a --log. Exit "
        "status: 0 when it is written, 1 when it cannot be made, 2 for bad usage.",
    )
    parser.add_argument("--model", required=True, help="the model's name")
    parser.add_argument(
        "--model_dir", type=Path, help="its folder, for the tokenizer or the normalisation of pixels"
    )
    parser.add_argument("--output", type=Path, help="write the reference to this file")
    parser.add_argument("--store", help="and into this store, as the detector's --store")
    parser.add_argument("--log", help="CloudEvents of KServe's request log, a JSON event a line; - for stdin")
    parser.add_argument("--revision", help="with --log: of this revision only")
    parser.add_argument("--since", type=_time, help="with --log: made then or later, as 2026-11-25T17:00Z")
    parser.add_argument("--until", type=_time, help="with --log: made before then")
    parser.add_argument(
        "--url", type=address, default="http://localhost:8080", help="the server to ask (%(default)s)"
    )
    parser.add_argument("--host_header", help="instead of the URL's host, as an ingress wants it")
    parser.add_argument("--timeout_seconds", type=float, default=60.0, help="of a call (%(default)s)")
    parser.add_argument(
        "--text_file", nargs="+", type=Path, default=[], help="files with a text on each line"
    )
    parser.add_argument("--image", nargs="+", type=Path, default=[], help="image files, or folders of them")
    parser.set_defaults(run=run_reference)


def _add_report(verbs: Any) -> None:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "report",
        help="say what a detector found",
        description="Say what a detector found, of its store. Exit status: 0 while no alarm is up, 1 while "
        "one is, 2 for bad usage, 3 where no window has a verdict.",
    )
    parser.add_argument("--store", required=True, help="of the detector, as sqlite:///drift.db")
    parser.add_argument("--service", help="of this InferenceService only")
    parser.add_argument("--since", type=_time, help="windows that closed then or later, as 2026-11-25T17:00Z")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report for people there")
    parser.add_argument("--alpha", type=float, default=0.01, help="to draw in the plots (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print every verdict as JSON")
    parser.set_defaults(run=run_report)


def run_reference(options: argparse.Namespace) -> int:
    """Make a reference; 0 when it is written, 1 when it cannot be made, 2 for bad usage."""
    if options.output is None and options.store is None:
        return _misused("reference", "give --output FILE, --store URL, or both")
    if (options.log is None) == (not options.text_file and not options.image):
        return _misused("reference", "give --log FILE, or samples as --text_file or --image")
    from modelserve.bench.inputs import read_items
    from modelserve.drift.building import asked_calls, build_reference, logged_calls
    from modelserve.drift.features import assets_of
    from modelserve.drift.store import Store
    from modelserve.errors import ModelServeError
    from modelserve.events.logfile import read_log

    try:
        if options.log is not None:
            calls = logged_calls(
                read_log(options.log), revision=options.revision, since=options.since, until=options.until
            )
            origin = options.log
        else:
            items = read_items(text_files=options.text_file, images=options.image)
            calls = asked_calls(
                items,
                url=options.url,
                model=options.model,
                timeout_seconds=options.timeout_seconds,
                host_header=options.host_header,
            )
            origin = ", ".join(path.name for path in (*options.text_file, *options.image))
        assets = {} if options.model_dir is None else assets_of(options.model_dir)
        reference = build_reference(calls, model=options.model, origin=origin, assets=assets)
        if options.output is not None:
            options.output.write_bytes(reference.to_bytes())
        if options.store is not None:
            store = Store(options.store)
            store.add_reference(reference)
            store.close()
    except (ModelServeError, OSError, ValueError) as error:
        print(f"modelserve drift reference: {error}", file=sys.stderr)
        return 1
    print(
        f"reference {reference.version} of {reference.model}, weights {reference.model_digest}: "
        f"{reference.table.size} samples, features {', '.join(reference.table.kinds)}"
    )
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Judge a file; 0 when no alarm went up, 1 when one did, 2 for bad usage, 3 without a verdict."""
    from modelserve.drift.check_settings import CheckSettings
    from modelserve.settings import parse_settings

    settings = parse_settings(CheckSettings, options.rest, program="modelserve drift check")
    from modelserve.drift.checking import check
    from modelserve.drift.references import Reference
    from modelserve.drift.report.collecting import report_json
    from modelserve.errors import ModelServeError
    from modelserve.events.logfile import read_log

    try:
        references = [Reference.load(path) for path in settings.reference]
        found = check(read_log(settings.file), references, settings)
        if settings.html is not None:
            from modelserve.drift.report.page import write_page

            settings.html.write_text(
                write_page(found.chapters, alpha=settings.alpha, at=time.time()), "utf-8"
            )
    except (ModelServeError, OSError) as error:
        print(f"modelserve drift check: {error}", file=sys.stderr)
        return 2
    if settings.json_output:
        print(
            json.dumps(
                {"alarm": found.is_alarm, "events": found.outcomes, "windows": report_json(found.chapters)}
            )
        )
    else:
        _print_checked(found)
    return 3 if found.is_alarm is None else int(found.is_alarm)


def run_report(options: argparse.Namespace) -> int:
    """Report; 0 while no alarm is up, 1 while one is, 2 for bad usage, 3 where nothing has a verdict."""
    from modelserve.drift.report.collecting import collect, report_json
    from modelserve.drift.store import Store
    from modelserve.drift.verdicts import Outcome
    from modelserve.errors import ModelServeError

    try:
        store = Store(options.store)
        stored = store.verdicts(service=options.service, since=options.since or 0.0)
        chapters = collect(store, stored, store.latest_references())
        store.close()
        _write_page(chapters, options.html, alpha=options.alpha)
    except (ModelServeError, OSError) as error:
        print(f"modelserve drift report: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(report_json(chapters)))
    else:
        for chapter in chapters:
            print(_line(chapter.last))
    if all(chapter.last.outcome is Outcome.NO_VERDICT for chapter in chapters):
        return 3
    return int(any(chapter.last.alarm for chapter in chapters))


def _write_page(chapters: Sequence[Chapter], path: Path | None, *, alpha: float) -> None:
    if path is not None:
        from modelserve.drift.report.page import write_page

        path.write_text(write_page(chapters, alpha=alpha, at=time.time()), "utf-8")


def _print_checked(found: Checked) -> None:
    for chapter in found.chapters:
        for verdict in chapter.verdicts:
            print(_line(verdict))
    counted = [f"{name}: {count}" for name, count in found.outcomes.items() if count]
    print(f"events     {', '.join(counted) or 'none'}")
    print(f"alarm      {_ALARM[found.is_alarm]}")


def _line(verdict: Verdict) -> str:
    """One window: whose, against what, what is said, and what moved most."""
    moved = ", ".join(
        f"{one.feature} ({one.detector}, effect {one.effect:.2f})" for one in verdict.features if one.drifted
    )
    said = "ALARM" if verdict.alarm else verdict.outcome.value.replace("_", " ")
    return (
        f"{datetime.fromtimestamp(verdict.closed, timezone.utc):%Y-%m-%dT%H:%M:%SZ}  "
        f"{verdict.source.component.service}  {verdict.source.revision}  against {verdict.baseline}  "
        f"{verdict.samples} samples  {said}  {moved or verdict.reason}"
    ).rstrip()


def _misused(verb: str, sentence: str) -> int:
    print(f"modelserve drift {verb}: {sentence}", file=sys.stderr)
    return 2


def _time(text: str) -> float:
    """Seconds since 1970 of a time in ISO 8601, UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time as 2026-11-25T17:00Z") from error
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
