"""``modelserve pipeline run``: one run from beginning to end in this process."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from modelserve.cli.pipeline_inputs import InputMistake, add_inputs, add_models, read_inputs, urls_of


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help="run a pipeline here, once",
        description="Run a pipeline in this process and print its output as JSON. Models are loaded here "
        "where the definition says how, and asked at their servers otherwise. Status 0 when it succeeded, 1 "
        "when it failed.",
    )
    parser.add_argument("pipeline", type=Path, help="the definition, or a folder with a pipeline.yaml")
    add_inputs(parser)
    add_models(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the steps too, and why a run failed, as one JSON object"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run it; what goes wrong with the run is told on standard error."""
    import asyncio

    from modelserve.errors import ModelServeError
    from modelserve.pipelines.course import Outcome, Unit, unit_form
    from modelserve.pipelines.definition.inputs import check_inputs
    from modelserve.pipelines.definition.reading import find_definition, read_pipeline
    from modelserve.pipelines.running.here import run_here

    try:
        path = find_definition(options.pipeline)
        pipeline = read_pipeline(path)
        inputs = check_inputs(pipeline, read_inputs(options, pipeline))
        urls = urls_of(options, pipeline)
    except (ModelServeError, InputMistake) as error:
        print(f"modelserve pipeline run: {error}", file=sys.stderr)
        return 2
    record: dict[Unit, Outcome] = {}
    end = asyncio.run(run_here(pipeline, inputs, folder=path.parent, urls=urls, record=record))
    if options.json:
        steps = [unit_form(unit, outcome) for unit, outcome in record.items()]
        told = {"output": end.output, "error": end.error or None, "steps": steps}
        print(json.dumps(told, ensure_ascii=False))
    elif end.has_failed:
        print(f"modelserve pipeline run: {end.error}", file=sys.stderr)
    else:
        print(json.dumps(end.output, ensure_ascii=False, indent=2))
    return int(end.has_failed)
