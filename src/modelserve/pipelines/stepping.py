"""A step in a process of its own, as a workflow engine runs it: outcomes come and go as files.

The engine knows the order and makes the tries; what a step takes, and what comes of it, the course says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from modelserve.errors import InvalidInput, ModelServeError
from modelserve.pipelines.course import Course, Outcome, Status, Unit, Work
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.running.asking import PASSING
from modelserve.pipelines.running.calling import Caller

DIGEST_LENGTH = 16
"""Hexadecimal digits: enough to tell outcomes of one pipeline apart, and few in a cache's key."""


class TryAgain(ModelServeError):
    """A try failed that may pass, and it was not the last."""


def to_text(outcome: Outcome) -> str:
    """An outcome as a file has it."""
    return json.dumps(
        {
            "status": outcome.status.value,
            "output": outcome.output,
            "error": outcome.error,
            "tries": outcome.tries,
        },
        ensure_ascii=False,
    )


def digest_of(outcome: Outcome) -> str:
    """By which outcomes are told apart, by all that other steps see of them."""
    text = json.dumps([outcome.status.value, outcome.output, outcome.error], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LENGTH]


def read_record(folder: Path | None, items: Mapping[str, Path | None] | None = None) -> dict[Unit, Outcome]:
    """Outcomes in files: ``STEP.json`` in a folder, and ``INDEX.json`` in the folders of items.

    Args:
        folder: of the steps; None, or one that is not there, has none.
        items: folders by the steps whose items they have.

    Raises:
        InvalidInput: a file holds no outcome.
    """
    record = {Unit(path.stem): _read(path) for path in _files(folder)}
    for step, inside in (items or {}).items():
        record |= {Unit(step, int(path.stem)): _read(path) for path in _files(inside)}
    return record


async def do_unit(
    course: Course, unit: Unit, record: Mapping[Unit, Outcome], caller: Caller, tries: int
) -> Outcome:
    """The outcome of a step, or of one of its items, with one try.

    Args:
        course: of the run.
        unit: what is done.
        record: of the steps that it needs.
        caller: asks models and calls functions.
        tries: this one included.

    Raises:
        TryAgain: it failed, and may pass with another.
    """
    step = course.steps[unit.step]
    begun = course.begin(step, record)
    if isinstance(begun, Outcome):
        return begun
    work = next((one for one in begun if one.unit == unit), None)
    if work is None:
        raise InvalidInput(f"step {unit.step} has no item {unit.index}")

    def failed(error: str, made: int, work: Work = work) -> Outcome:
        return course.failed(work, error, made, record)

    try:
        return Outcome(Status.SUCCEEDED, await caller.once(step, work), tries=tries)
    except PASSING as error:
        if tries <= step.retry.limit:
            raise TryAgain(str(error)) from error
        reason = str(error)
    except ModelServeError as error:
        reason = str(error)
    return await caller.give_up(step, work, reason, tries, failed)


def items_of(course: Course, step: str, record: Mapping[Unit, Outcome]) -> list[int]:
    """The items of a step with ``forEach``; none where it is skipped or fails before them."""
    begun = course.begin(course.steps[step], record)
    return [] if isinstance(begun, Outcome) else [work.unit.index for work in begun]


def join(course: Course, step: str, record: Mapping[Unit, Outcome]) -> Outcome:
    """The outcome of a step with ``forEach`` all of whose items are in the record.

    Raises:
        InvalidInput: one is not.
    """
    begun = course.begin(course.steps[step], record)
    if not isinstance(begun, Outcome):
        missing = ", ".join(str(work.unit.index) for work in begun)
        raise InvalidInput(f"step {step} lacks the outcomes of its items {missing}")
    return begun


def _files(folder: Path | None) -> list[Path]:
    return [] if folder is None or not folder.is_dir() else sorted(folder.glob("*.json"))


def _read(path: Path) -> Outcome:
    try:
        found: dict[str, Json] = json.loads(path.read_text("utf-8"))
        return Outcome(Status(found["status"]), found["output"], str(found["error"]), int(found["tries"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} holds no outcome of a step: {error}") from error
