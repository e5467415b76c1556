"""A run in this process, kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from uuid import uuid4

from modelserve.pipelines.course import Course, End, Outcome, Unit
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.running.calling import Caller
from modelserve.pipelines.running.driver import drive
from modelserve.pipelines.running.reaching import ON_ONE_MACHINE, Models


async def run_here(
    pipeline: Pipeline,
    inputs: Mapping[str, Json],
    *,
    folder: Path,
    urls: Mapping[str, str],
    record: MutableMapping[Unit, Outcome],
) -> End:
    """Run a pipeline to its end.

    Args:
        pipeline: without mistakes.
        inputs: of the run, with defaults filled in.
        folder: of the definition, from which predictors' folders are named.
        urls: servers of models, before all that the definition says.
        record: takes what came of each unit.
    """
    models = Models(ways=ON_ONE_MACHINE, folder=folder, urls=urls)

    async def keep(unit: Unit, outcome: Outcome) -> None:
        record[unit] = outcome

    try:
        course = Course(pipeline, inputs)
        caller = Caller(pipeline.spec.models, models, uuid4().hex)
        return await asyncio.wait_for(drive(course, {}, caller, keep), pipeline.spec.timeout_seconds)
    except asyncio.TimeoutError:
        return End(error=f"it did not end within {pipeline.spec.timeout_seconds:g} s")
    finally:
        await models.close()
