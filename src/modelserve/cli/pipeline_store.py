"""The store and the queue of runs, as the commands that share them are told of them."""

from __future__ import annotations

import argparse
import os

from modelserve.cli.arguments import positive
from modelserve.secrecy import without_secrets

_DAY_SECONDS = 86400.0


def add_store(parser: argparse.ArgumentParser, *, usual: str | None = None) -> None:
    """Add where runs are kept, and for how long.

    Args:
        parser: of the command.
        usual: URL where nobody says one; None where somebody has to.
    """
    said = os.environ.get("MODELSERVE_STORE_URL", usual)
    parser.add_argument(
        "--store_url",
        default=said,
        required=said is None,
        metavar="URL",
        help="of the runs, as postgresql+psycopg://USER@HOST/NAME, or sqlite:///runs.db on one machine "
        f"({usual or 'required'}; the variable MODELSERVE_STORE_URL says one)",
    )
    parser.add_argument(
        "--keep_days",
        type=positive,
        default=7.0,
        help="of runs that have ended, for who does the runs (%(default)s)",
    )


def add_queue(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """Add where those who do the runs are woken."""
    said = os.environ.get("MODELSERVE_QUEUE_URL")
    parser.add_argument(
        "--queue_url",
        type=_redis,
        default=said,
        required=is_required and said is None,
        metavar="URL",
        help="of Redis, as redis://HOST:6379 "
        f"({'required' if is_required else 'none'}; the variable MODELSERVE_QUEUE_URL says one)",
    )


def keep_seconds(options: argparse.Namespace) -> float:
    """How long runs that have ended are kept, as ``--keep_days`` says."""
    return float(options.keep_days * _DAY_SECONDS)


def _redis(text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise argparse.ArgumentTypeError(
            f"{without_secrets(text)!r} is no URL of Redis as redis://localhost:6379"
        )
    return text
