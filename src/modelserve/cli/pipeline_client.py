"""The pipeline server, as the commands that ask it see it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from modelserve.cli.arguments import address
from modelserve.errors import ModelServeError
from modelserve.secrecy import without_secrets

_USUAL_URL = "http://localhost:8080"

SUCCEEDED, UNFINISHED = "succeeded", ("queued", "running")
"""Statuses of a run."""


class NotAnswered(ModelServeError):
    """The server cannot be reached, refuses, or is none of pipelines."""


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add where the server is, and how its answer is printed."""
    parser.add_argument(
        "--url",
        type=address,
        default=os.environ.get("MODELSERVE_PIPELINE_URL", _USUAL_URL),
        help="the pipeline server (%(default)s; the variable MODELSERVE_PIPELINE_URL says another)",
    )
    parser.add_argument("--json", action="store_true", help="print the server's answer as it is")


def ask(
    options: argparse.Namespace,
    method: str,
    path: str,
    *,
    content: Any = None,
    headers: Mapping[str, str] | None = None,
    wait_seconds: float = 0.0,
) -> Any:
    """The answer's JSON, that of a run which failed included.

    Args:
        options: with those of ``add_server``.
        method: of HTTP.
        path: below ``/v1alpha1``.
        content: of the body, where there is one.
        headers: further ones.
        wait_seconds: for which the server is asked to wait.

    Raises:
        NotAnswered: there is none.
    """
    import httpx

    try:
        answer = httpx.request(
            method,
            f"{options.url.rstrip('/')}/v1alpha1{path}",
            json=content,
            headers={**(headers or {}), **({"Prefer": f"wait={wait_seconds:.0f}"} if wait_seconds else {})},
            timeout=wait_seconds + 30,
        )
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotAnswered(
            without_secrets(f"{options.url} does not answer as a pipeline server: {error}")
        ) from error
    is_run = isinstance(found, dict) and "status" in found and "pipeline" in found
    if answer.is_error and not is_run:
        raise NotAnswered(
            f"{answer.status_code}: {found.get('error', found) if isinstance(found, dict) else found}"
        )
    return found


def tell(options: argparse.Namespace, run: Mapping[str, Any]) -> int:
    """Print a run and return the exit status: 0 succeeded, 1 did not, 3 goes on."""
    if options.json:
        print(json.dumps(run, ensure_ascii=False))
    elif run["status"] == SUCCEEDED:
        print(json.dumps(run["output"], ensure_ascii=False, indent=2))
    else:
        print(f"{run['id']}\t{run['pipeline']}\t{run['status']}")
        if run.get("error"):
            print(run["error"], file=sys.stderr)
    if run["status"] in UNFINISHED:
        return 3
    return 0 if run["status"] == SUCCEEDED else 1
