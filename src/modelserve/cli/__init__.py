"""The command ``modelserve``: one module for each subcommand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import modelserve
from modelserve.cli import bench, canary, cost, doctor, drift, export, pipeline, predict, serve, shadow

COMMANDS = (serve, predict, drift, shadow, canary, pipeline, export, bench, cost, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status: 0 yes, 1 no, 2 bad usage, 3 no verdict."""
    parser = argparse.ArgumentParser(
        prog="modelserve", description="Serve models on KServe, or on this machine alone."
    )
    parser.add_argument("--version", action="version", version=f"modelserve {modelserve.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    options, rest = parser.parse_known_args(argv)
    if rest and not getattr(options, "takes_rest", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    status: int = options.run(options)
    return status
