"""``modelserve pipeline``: several models as one, in the process, on a queue, or compiled for others."""

from __future__ import annotations

import argparse
from typing import Any

from modelserve.cli import (
    pipeline_compile,
    pipeline_run,
    pipeline_serve,
    pipeline_status,
    pipeline_step,
    pipeline_submit,
    pipeline_tell,
    pipeline_validate,
    pipeline_work,
)

_COMMANDS = (
    pipeline_validate,
    pipeline_run,
    pipeline_serve,
    pipeline_work,
    pipeline_submit,
    pipeline_status,
    pipeline_compile,
    pipeline_step,
    pipeline_tell,
)


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "pipeline",
        help="run several models as one pipeline",
        description="Check, run and submit pipelines, and compile them for other runners.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
