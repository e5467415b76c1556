"""``modelserve pipeline compile``: a pipeline as an object of another runner."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli import pipeline_compile_argo, pipeline_compile_graph

if TYPE_CHECKING:
    from modelserve.pipelines.definition.models import Pipeline

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A runner that pipelines are compiled for.

    Attributes:
        title: what is made.
        add_arguments: adds options that are this runner's alone.
        compile: makes the objects, by the options.
    """

    title: str
    add_arguments: Callable[[Any], None]
    compile: Callable[[Pipeline, argparse.Namespace], list[Object]]


COMPILERS = {
    "inferencegraph": Target(
        "an InferenceGraph of KServe", pipeline_compile_graph.add_arguments, pipeline_compile_graph.compiled
    ),
    "argo": Target(
        "a WorkflowTemplate of Argo Workflows",
        pipeline_compile_argo.add_arguments,
        pipeline_compile_argo.compiled,
    ),
}
"""By what ``--to`` names."""


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "compile",
        help="make an object for another runner of a definition",
        description="Print a pipeline as Kubernetes objects in YAML. Status 0 when it is done, 1 when the "
        "definition has mistakes or the runner cannot do what it says (all reasons are told), 2 when a file "
        "cannot be read or written.",
    )
    parser.add_argument("pipeline", type=Path, help="the definition, or a folder with a pipeline.yaml")
    targets = ", ".join(f"{name} ({target.title})" for name, target in COMPILERS.items())
    parser.add_argument("--to", required=True, choices=COMPILERS, help=f"the runner: {targets}")
    parser.add_argument("--namespace", help="of the objects (default: none is written)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to a file (default: print)")
    for name, target in COMPILERS.items():
        target.add_arguments(parser.add_argument_group(f"with --to {name}"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile it."""
    import yaml

    from modelserve.cli.files import Unreadable, Unwritable, expect_readable, write_text
    from modelserve.pipelines.compiling.errors import CompileError
    from modelserve.pipelines.definition.places import DefinitionError
    from modelserve.pipelines.definition.reading import find_definition, read_pipeline

    path = find_definition(options.pipeline)
    try:
        expect_readable(path)
        objects = COMPILERS[options.to].compile(read_pipeline(path), options)
        text = yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, width=10_000)
        if options.output is None:
            print(text, end="")
        else:
            write_text(options.output, text)
    except CompileError as error:
        for reason in error.reasons:
            print(f"{path}: {reason}", file=sys.stderr)
        return 1
    except DefinitionError as error:
        print(error, file=sys.stderr)
        return 1
    except (Unreadable, Unwritable) as error:
        print(f"modelserve pipeline compile: {error}", file=sys.stderr)
        return 2
    return 0
