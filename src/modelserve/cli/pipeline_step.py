"""``modelserve pipeline step``: one step in a process of its own, for workflow engines."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import number

if TYPE_CHECKING:
    from modelserve.pipelines.course import Course, Outcome, Unit
    from modelserve.pipelines.definition.models import Pipeline

TRY_AGAIN = 75
"""EX_TEMPFAIL: what failed may pass."""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "step",
        help="do one step, for a workflow engine",
        description="Do a part of a run: read the outcomes of the steps that it needs from files, and write "
        "what comes of it to one. Status 0 when it is done, 1 when it failed and the run with it, 2 for bad "
        f"usage, {TRY_AGAIN} when another try may succeed.",
    )
    parser.add_argument(
        "action",
        choices=_ACTIONS,
        help="do: a step or one of its items; items: the numbers of its items; join: put their outcomes "
        "together; end: the run's output",
    )
    parser.add_argument("step", nargs="?", help="its name; none with end")
    parser.add_argument("--definition", type=Path, required=True, metavar="FILE", help="of the pipeline")
    parser.add_argument(
        "--inputs", type=Path, required=True, metavar="FILE", help="the run's, as a JSON object"
    )
    parser.add_argument(
        "--input_files", type=Path, metavar="FOLDER", help="inputs of type bytes, each a file by its name"
    )
    parser.add_argument(
        "--outcomes", type=Path, metavar="FOLDER", help="of the steps that it needs, STEP.json each"
    )
    parser.add_argument("--items", type=Path, metavar="FOLDER", help="of a step's items, INDEX.json each")
    parser.add_argument("--index", type=number, help="of the item that is done")
    parser.add_argument("--tries_before", type=number, default=0, help="tries that failed (%(default)s)")
    parser.add_argument("--run_id", default="run", help="the same for all tries of all steps of a run")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="for what comes of it")
    parser.add_argument("--digest", type=Path, metavar="FILE", help="for the outcome's digest")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what is asked for."""
    from modelserve.errors import ModelServeError
    from modelserve.pipelines.course import Course
    from modelserve.pipelines.definition.inputs import check_inputs
    from modelserve.pipelines.definition.reading import read_pipeline
    from modelserve.pipelines.stepping import TryAgain, read_record

    try:
        pipeline = read_pipeline(options.definition)
        course = Course(pipeline, check_inputs(pipeline, _inputs(options)))
        if (options.step is None) != (options.action == "end"):
            raise ModelServeError(f"{options.action} is of {'no step' if options.step else 'a step'}")
        if options.step is not None and options.step not in course.steps:
            raise ModelServeError(f"step {options.step} is unknown; there are {', '.join(course.steps)}")
        items = {} if options.step is None else {options.step: options.items}
        record = read_record(options.outcomes, items)
        return _ACTIONS[options.action](options, pipeline, course, record)
    except TryAgain as error:
        print(f"modelserve pipeline step: another try may succeed: {error}", file=sys.stderr)
        return TRY_AGAIN
    except (ModelServeError, OSError, ValueError) as error:
        print(f"modelserve pipeline step: {error}", file=sys.stderr)
        return 2


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(options.inputs.read_text("utf-8"))
    if options.input_files is not None and options.input_files.is_dir():
        for path in options.input_files.iterdir():
            found[path.name] = base64.b64encode(path.read_bytes()).decode()
    return found


def _do(options: argparse.Namespace, pipeline: Pipeline, course: Course, record: dict[Unit, Outcome]) -> int:
    import asyncio

    from modelserve.pipelines.course import Unit
    from modelserve.pipelines.running.calling import Caller
    from modelserve.pipelines.running.reaching import ON_A_CLUSTER, Models
    from modelserve.pipelines.stepping import do_unit

    async def done() -> Outcome:
        models = Models(ways=ON_A_CLUSTER, folder=options.definition.parent)
        try:
            caller = Caller(pipeline.spec.models, models, options.run_id)
            unit = Unit(options.step, -1 if options.index is None else options.index)
            return await do_unit(course, unit, record, caller, options.tries_before + 1)
        finally:
            await models.close()

    return _tell(options, course, asyncio.run(done()))


def _items(options: argparse.Namespace, _: Pipeline, course: Course, record: dict[Unit, Outcome]) -> int:
    from modelserve.pipelines.stepping import items_of

    options.output.write_text(json.dumps(items_of(course, options.step, record)), "utf-8")
    return 0


def _join(options: argparse.Namespace, _: Pipeline, course: Course, record: dict[Unit, Outcome]) -> int:
    from modelserve.pipelines.stepping import join

    return _tell(options, course, join(course, options.step, record))


def _end(options: argparse.Namespace, _: Pipeline, course: Course, record: dict[Unit, Outcome]) -> int:
    end = course.end(record)
    if end is None or end.has_failed:
        print(f"modelserve pipeline step: {end.error if end else 'steps are missing'}", file=sys.stderr)
        return 1
    options.output.write_text(json.dumps(end.output, ensure_ascii=False), "utf-8")
    return 0


def _tell(options: argparse.Namespace, course: Course, outcome: Outcome) -> int:
    from modelserve.pipelines.course import Status
    from modelserve.pipelines.stepping import digest_of, to_text

    options.output.write_text(to_text(outcome), "utf-8")
    if options.digest is not None:
        options.digest.write_text(digest_of(outcome), "utf-8")
    if outcome.error:
        print(f"modelserve pipeline step: {outcome.error}", file=sys.stderr)
    return int(outcome.status is Status.FAILED and course.steps[options.step].on_failure == "fail")


_ACTIONS = {"do": _do, "items": _items, "join": _join, "end": _end}
