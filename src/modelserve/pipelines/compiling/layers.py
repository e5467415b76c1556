"""Which steps a graph can have done at the same time."""

from __future__ import annotations

from modelserve.pipelines.course import Course, Outcome, Record, Status, Unit
from modelserve.pipelines.definition.models import Pipeline, Step

_DONE = Outcome(Status.SUCCEEDED)


def layers(pipeline: Pipeline) -> list[list[Step]]:
    """The steps that ask models: those of a layer look at earlier ones only.

    Functions are in none, as the pipeline server calls them as soon as they can be.
    """
    course, found = Course(pipeline, {}), []
    record: Record = {}
    while ready := course.ready(record):
        functions = [step for step in ready if step.function is not None]
        if not functions:
            found.append(ready)
        record = {**record, **{Unit(step.name): _DONE for step in functions or ready}}
    return found
