"""``modelserve pipeline compile --to argo``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from modelserve import __version__
from modelserve.cli.arguments import count

if TYPE_CHECKING:
    from modelserve.pipelines.definition.models import Pipeline


def add_arguments(group: Any) -> None:
    """Add the options that only this runner has."""
    group.add_argument(
        "--image",
        default=f"modelserve/pipelines:{__version__}",
        help="of the pods, with modelserve in it (%(default)s)",
    )
    group.add_argument("--service_account", metavar="NAME", help="of the pods (default: the namespace's)")
    group.add_argument(
        "--memoize_seconds",
        type=count,
        metavar="SECONDS",
        help="how long a step's outcome stands for other runs like it (default: not at all)",
    )


def compiled(pipeline: Pipeline, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The WorkflowTemplate.

    Raises:
        CompileError: Argo cannot do what the pipeline does.
    """
    from modelserve.pipelines.compiling.argo import ArgoSettings, workflow_template

    settings = ArgoSettings(
        image=options.image,
        namespace=options.namespace,
        service_account=options.service_account,
        memoize_seconds=options.memoize_seconds,
    )
    return [workflow_template(pipeline, settings)]
