"""What a failed run keeps when it is sent again: all that was done well on what was done well."""

from __future__ import annotations

from modelserve.pipelines.course import Record, Status, Unit
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.definition.order import needs_of


def to_redo(pipeline: Pipeline, record: Record) -> frozenset[Unit]:
    """Units to forget: those that failed, their steps, and all of the steps that look at these.

    Items that did not fail stay, unless their step is another's to look at and that one failed.

    Args:
        pipeline: the run's.
        record: of the run.
    """
    failed = {unit for unit, outcome in record.items() if outcome.status is Status.FAILED}
    redone = {unit.step for unit in failed}
    needs = {step.name: needs_of(step) for step in pipeline.spec.steps}
    dependent: set[str] = set()
    while more := {name for name, of in needs.items() if of & (redone | dependent)} - dependent:
        dependent |= more
    return frozenset(
        unit
        for unit in record
        if unit in failed or unit.step in dependent or (unit.step in redone and unit.index < 0)
    )
