"""The command ``modelserve``: one module for each subcommand."""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Sequence

import modelserve
from modelserve.cli import bench, canary, cost, doctor, drift, export, pipeline, predict, serve, shadow

COMMANDS = (serve, predict, drift, shadow, canary, pipeline, export, bench, cost, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status: 0 yes, 1 no, 2 bad usage, 3 no verdict.

    It is 141, as of other programs by their signal, where whoever read the output went away (``| head``).
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _is_output_unread():
            raise
        # What is left of it would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _is_output_unread() -> bool:
    """Whether it was the standard output, and no other pipe or connection, that has lost its reader."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _run(argv: Sequence[str] | None) -> int:
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
