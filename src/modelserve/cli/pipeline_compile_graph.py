"""``modelserve pipeline compile --to inferencegraph``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import address
from modelserve.pipelines.compiling.graph_reasons import LEFT_OUT

if TYPE_CHECKING:
    from modelserve.pipelines.definition.models import Pipeline


def add_arguments(group: Any) -> None:
    """Add the options that only this runner has."""
    group.add_argument(
        "--server_url",
        type=address,
        default="http://pipeline-server",
        metavar="URL",
        help="of the pipeline server, as the graph's router reaches it (%(default)s)",
    )
    group.add_argument(
        "--leave_out",
        type=_left_out,
        default=(),
        metavar="WHAT,…",
        help=f"compile without what a graph cannot do: any of {', '.join(LEFT_OUT)}",
    )


def compiled(pipeline: Pipeline, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The graph.

    Raises:
        CompileError: a graph cannot do what the pipeline does.
    """
    from modelserve.pipelines.compiling.inference_graph import inference_graph

    return [
        inference_graph(
            pipeline,
            server_url=options.server_url,
            namespace=options.namespace,
            leave_out=options.leave_out,
        )
    ]


def _left_out(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in LEFT_OUT:
            known = ", ".join(LEFT_OUT)
            raise argparse.ArgumentTypeError(f"{name!r} cannot be left out; any of {known} can")
    return names
