"""``modelserve canary run``: a rollout from its first share to its end, from CI or by a person."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import positive
from modelserve.cli.canary_report import Page
from modelserve.cli.canary_sources import add_sources, source_of
from modelserve.cli.canary_target import (
    add_policy,
    add_service,
    guarded,
    rollout_of,
    specification_of,
)
from modelserve.cli.files import expect_apart, expect_writable, writing

if TYPE_CHECKING:
    from modelserve.canary.running.course import Course
    from modelserve.canary.running.driver import Driver, Progress
    from modelserve.canary.sources import Source

_STATUS = {"promoted": 0, "rolled_back": 1, "superseded": 3}


def add_parser(actions: Any) -> None:
    """Add the action."""
    run: argparse.ArgumentParser = actions.add_parser(
        "run",
        help="move a new revision's traffic step by step, and back when it is worse",
        description="Give the newest revision its share of the calls step by step, judge it at each, and "
        "promote it or roll back. Exit status: 0 when it was promoted, 1 when it was rolled back, 2 for bad "
        "usage and for a service without a canary or without measurements, 3 when another change came in "
        "between. Ctrl-C and SIGTERM leave the traffic as it is; run it again to go on.",
    )
    add_service(run)
    add_sources(run)
    add_policy(run)
    run.add_argument(
        "--wait_seconds",
        type=positive,
        default=60.0,
        help="for a newer revision, and for measurements of the other one (%(default)s)",
    )
    run.add_argument("--record", type=Path, metavar="FILE", help="write all measurements there")
    run.add_argument("--report", type=Path, metavar="FILE", help="write a page in HTML there at the end")
    run.add_argument("--json", action="store_true", help="print what happens as JSON, an object a line")
    run.set_defaults(run=_run)


@guarded
def _run(options: argparse.Namespace) -> int:
    from modelserve.canary.running.driver import Driver
    from modelserve.canary.running.telling import JsonLines, Lines
    from modelserve.canary.sources.recorded import write_look

    expect_apart(options.policy, options.measurements, options.probe, options.record, options.report)
    wanted = specification_of(options)
    rollout, namespace = rollout_of(options)
    service = f"{namespace}/{options.service}"
    page = Page(options.report, service, wanted.plan(), wanted.policy())
    expect_writable(options.record, options.report)
    with ExitStack() as stack:
        source = source_of(options, rollout, namespace, wanted.policy(), stack)
        record = None if options.record is None else stack.enter_context(options.record.open("ab"))
        lines = (JsonLines if options.json else Lines)(sys.stdout)
        stack.enter_context(page)
        stack.enter_context(_terminable())

        def tell(progress: Progress) -> None:
            lines(progress)
            page.add(progress)
            if record is not None and progress.look is not None:
                with writing(options.record):
                    record.write(write_look(progress.look))
                    record.flush()

        driver = Driver(rollout, source, wanted.plan(), wanted.policy(), tell=tell)
        try:
            ended = driver.run(_begin(driver, source, options.wait_seconds))
        except KeyboardInterrupt:
            sentence = (
                f"the traffic of {options.service} is left as it is; `modelserve canary abort` takes it back"
            )
            print(sentence, file=sys.stderr)
            page.ended_by = f"It was interrupted: {sentence}."
            return 130
    return _STATUS[ended.phase.value]


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: CI and Kubernetes send it, and process 1 would not notice."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begin(driver: Driver, source: Source, wait_seconds: float) -> Course:
    """A course of a canary that can be judged; what is in a file cannot be asked for more."""
    from modelserve.canary.running.beginning import expect_measured
    from modelserve.canary.sources.prometheus import PrometheusSource

    course = driver.begin(wait_seconds=wait_seconds)
    if isinstance(source, PrometheusSource):
        expect_measured(source, course.expected, wait_seconds=wait_seconds)
    return course
