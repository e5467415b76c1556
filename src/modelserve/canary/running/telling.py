"""A canary's progress for people, as lines, and for programs, as JSON lines."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, TextIO

from modelserve.canary.judge.verdicts import Judgement
from modelserve.canary.running.driver import Progress


class Lines:
    """Writes a line when something new is to be said, and nothing while it is as before.

    Args:
        stream: gets them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: tuple[object, ...] = ()

    def __call__(self, progress: Progress) -> None:
        """Tell of what happened."""
        key = topic(progress)
        if key == self._last:
            return
        self._last = key
        course = progress.course
        share = "" if progress.percent is None else f" {progress.percent}%"
        at = datetime.fromtimestamp(progress.at, timezone.utc).strftime("%H:%M:%S")
        said = progress.trouble or course.reason
        print(f"{at} {course.phase.value}{share}: {said}", file=self._stream, flush=True)


def topic(progress: Progress) -> tuple[object, ...]:
    """What is the same as long as there is nothing new to say: one verdict with other numbers is no news."""
    course, judgement = progress.course, progress.judgement
    said = course.reason if judgement is None else judgement.verdict
    return course.phase, progress.percent, said, progress.trouble


class JsonLines:
    """Writes every progress as a JSON object on a line.

    Args:
        stream: gets them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, progress: Progress) -> None:
        """Tell of what happened."""
        print(json.dumps(progress_json(progress)), file=self._stream, flush=True)


def progress_json(progress: Progress) -> dict[str, Any]:
    """A progress as programs read it; what a check found has its name, verdict and reason."""
    course, judgement = progress.course, progress.judgement
    return {
        "time": datetime.fromtimestamp(progress.at, timezone.utc).isoformat(),
        "phase": course.phase.value,
        "stable": course.expected.stable,
        "canary": course.expected.canary,
        "percent": progress.percent,
        "step": course.step,
        "reason": course.reason,
        "trouble": progress.trouble,
        **findings_json(judgement),
    }


def findings_json(judgement: Judgement | None) -> dict[str, Any]:
    """A judgement as programs read it."""
    if judgement is None:
        return {"verdict": None, "findings": []}
    findings = [
        {"check": one.check, "verdict": one.verdict.value, "reason": one.reason} for one in judgement.findings
    ]
    return {"verdict": judgement.verdict.value, "findings": findings}
