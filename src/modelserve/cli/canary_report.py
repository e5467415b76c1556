"""``modelserve canary report``, and the page that a run writes at its end."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from modelserve.cli.canary_target import add_policy, guarded, specification_of
from modelserve.cli.files import Unwritable, expect_apart, expect_writable, write_text
from modelserve.errors import ModelServeError

if TYPE_CHECKING:
    from modelserve.canary.judge.policy import Policy
    from modelserve.canary.running.driver import Progress
    from modelserve.canary.running.plan import Plan

_STATUS = {"pass": 0, "fail": 1}


class CannotDraw(ModelServeError):
    """What draws the page is not installed."""


class Page:
    """Gathers the progress of a run, and writes the page when it is left, however it is left.

    Args:
        path: of the page; None for no page.
        service: what people call it.
        plan: of the run.
        policy: of the run.

    Raises:
        CannotDraw: what draws it is not installed.
    """

    def __init__(self, path: Path | None, service: str, plan: Plan, policy: Policy) -> None:
        self._path, self._service, self._plan, self._policy = path, service, plan, policy
        self._progress: list[Progress] = []
        self.ended_by = ""
        if path is not None:
            expect_drawing()

    def add(self, progress: Progress) -> None:
        """Take note of what happened."""
        if self._path is not None:
            self._progress.append(progress)

    def __enter__(self) -> Page:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the page; that it cannot be written changes nothing of how the canary ended."""
        if self._path is None:
            return
        from modelserve.canary.report.page import render

        text = render(
            self._progress,
            service=self._service,
            plan=self._plan,
            policy=self._policy,
            at=time.time(),
            ended_by=self.ended_by or (f"It ended early: {error}." if error is not None else ""),
        )
        try:
            write_text(self._path, text)
        except Unwritable as unwritable:
            print(f"modelserve canary: {unwritable}", file=sys.stderr)


def expect_drawing() -> None:
    """Make sure that a page can be drawn, before anything is done that it is to tell of.

    Raises:
        CannotDraw: what draws it is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib as mpl  # noqa: F401
    except ModuleNotFoundError as error:
        raise CannotDraw(f"a page needs {error.name}, which modelserve[monitor] brings") from error


def add_parser(actions: Any) -> None:
    """Add the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "report",
        help="judge recorded measurements again, and write a page about them",
        description="Judge what a run wrote by --record, as the policy has it, and write a page about it. "
        "What was done with the traffic is not in the record. Exit status: 0 when the canary passes, 1 when "
        "it fails, 2 for bad usage, 3 without a verdict.",
    )
    parser.add_argument("record", type=Path, metavar="RECORD", help="a file that --record wrote")
    add_policy(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", required=True, help="write the page there")
    parser.add_argument("--json", action="store_true", help="print the findings as a JSON object")
    parser.set_defaults(run=_report)


@guarded
def _report(options: argparse.Namespace) -> int:
    expect_apart(options.policy, options.record, options.output)
    policy = specification_of(options).policy()
    expect_drawing()
    expect_writable(options.output)
    from modelserve.canary.report.page import render
    from modelserve.canary.report.recorded import judge_again
    from modelserve.canary.running.telling import findings_json
    from modelserve.canary.sources.recorded import read_looks

    progress = judge_again(list(read_looks(options.record)), policy)
    page = render(progress, service=options.record.name, plan=None, policy=policy, at=time.time())
    write_text(options.output, page)
    judgement = progress[-1].judgement
    if options.json:
        print(json.dumps(findings_json(judgement)))
    else:
        for found in judgement.findings if judgement else ():
            print(f"{found.verdict.value:<12} {found.reason}")
    return 3 if judgement is None else _STATUS.get(judgement.verdict.value, 3)
