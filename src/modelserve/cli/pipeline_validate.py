"""``modelserve pipeline validate``: all that is wrong with definitions, by line and column."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "validate",
        help="tell what is wrong with definitions",
        description="Check definitions of pipelines and print each mistake as FILE:LINE:COLUMN: what is "
        "wrong. Status 0 when there is none, 1 when there are, 2 when a file cannot be read.",
    )
    parser.add_argument(
        "pipelines", nargs="+", type=Path, help="definitions, or folders with a pipeline.yaml each"
    )
    parser.add_argument("--json", action="store_true", help="print the mistakes as one JSON list")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check them all."""
    from modelserve.cli.files import Unreadable, expect_readable
    from modelserve.pipelines.definition.places import DefinitionError
    from modelserve.pipelines.definition.reading import find_definition, read_pipeline

    found: list[dict[str, Any]] = []
    is_unreadable = False
    for given in options.pipelines:
        path = find_definition(given)
        try:
            expect_readable(path)
            read_pipeline(path)
        except Unreadable as error:
            print(f"modelserve pipeline validate: {error}", file=sys.stderr)
            is_unreadable = True
        except DefinitionError as error:
            found += [
                {"file": error.where, "line": one.line, "column": one.column, "message": one.message}
                for one in error.mistakes
            ]
            if not options.json:
                print(error)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    return 2 if is_unreadable else int(bool(found))
