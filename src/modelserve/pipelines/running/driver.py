"""Drives one run to its end: what is ready is done at once, and each outcome is recorded before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from modelserve.concurrency import together
from modelserve.pipelines.course import Course, End, Outcome, Record, Unit, Work
from modelserve.pipelines.definition.models import Step

Recorder = Callable[[Unit, Outcome], Awaitable[None]]
"""Keeps an outcome; what it raises ends the run here, to be gone on with by whoever has the record."""


class Worker(Protocol):
    """Does a unit of work."""

    async def do(self, step: Step, work: Work, *, failed: Callable[[str, int], Outcome]) -> Outcome:
        """Its outcome, after all tries.

        Args:
            step: the unit's.
            work: the unit, with its values.
            failed: the outcome when all tries failed, by the reason and their number.
        """


async def drive(course: Course, record: Record, worker: Worker, recorder: Recorder) -> End:
    """Do all that a run has left.

    When it fails, what else is in progress is given up: its units stay without an outcome.

    Args:
        course: of the run.
        record: what is known of it.
        worker: does the units.
        recorder: is told each outcome.
    """
    known = dict(record)
    running: dict[str, asyncio.Task[None]] = {}

    async def keep(unit: Unit, outcome: Outcome) -> None:
        await recorder(unit, outcome)
        known[unit] = outcome

    async def finish(step: Step) -> None:
        begun = course.begin(step, known)
        if isinstance(begun, Outcome):
            outcome = begun
        elif step.for_each is None:
            outcome = await _done(course, begun[0], known, worker)
        else:
            places = asyncio.Semaphore(step.parallel)

            async def item(work: Work) -> None:
                async with places:
                    await keep(work.unit, await _done(course, work, known, worker))

            await together(item(work) for work in begun)
            outcome = course.join(step, known)
        await keep(Unit(step.name), outcome)

    try:
        while (end := course.end(known)) is None:
            for step in course.ready(known):
                if step.name not in running:
                    running[step.name] = asyncio.ensure_future(finish(step))
            done, _ = await asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            running = {name: task for name, task in running.items() if task not in done}
        return end
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def _done(course: Course, work: Work, record: Record, worker: Worker) -> Outcome:
    step = course.steps[work.unit.step]
    return await worker.do(step, work, failed=lambda error, tries: course.failed(work, error, tries, record))
