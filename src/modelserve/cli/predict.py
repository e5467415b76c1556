"""``modelserve predict``: ask a server over V2, for a first try and for scripts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from modelserve.cli.arguments import address
from modelserve.secrecy import without_secrets


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "predict",
        help="ask a server for a prediction",
        description="Send texts or images to a server over V2, and print a line for each.",
    )
    parser.add_argument(
        "--url", type=address, default="http://localhost:8080", help="the server (%(default)s)"
    )
    parser.add_argument("--model", required=True, help="the model's name")
    parser.add_argument("--timeout_seconds", type=float, default=60.0, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the server's answer as it is")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--text", nargs="+", help="texts to read")
    kind.add_argument("--image", nargs="+", type=Path, help="image files to classify")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send one call; 0 when it is answered, 1 when it is refused or the server is not reached."""
    import httpx

    try:
        request = _request(options)
    except OSError as error:
        print(f"modelserve predict: {error}", file=sys.stderr)
        return 2
    try:
        answer = httpx.post(
            f"{options.url.rstrip('/')}/v2/models/{options.model}/infer",
            json=request,
            timeout=options.timeout_seconds,
        )
        content = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        said = without_secrets(f"{options.url} does not answer as a V2 server: {error}")
        print(f"modelserve predict: {said}", file=sys.stderr)
        return 1
    if answer.is_error:
        print(f"modelserve predict: {answer.status_code}: {content.get('error', content)}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(content, ensure_ascii=False))
    else:
        for line in _lines(options, content["outputs"]):
            print(line)
    return 0


def _request(options: argparse.Namespace) -> dict[str, Any]:
    from modelserve.protocol.samples import json_request

    return json_request(options.text or [path.read_bytes() for path in options.image])


def _lines(options: argparse.Namespace, outputs: list[dict[str, Any]]) -> list[str]:
    """A line for each text or image: its name, and what the model found."""
    found = {output["name"]: output for output in outputs}
    if options.text is not None:
        return [
            f"{text}\t"
            + ", ".join(f"{e['type']} {e['text']} ({e['score']:.2f})" for e in json.loads(entities))
            for text, entities in zip(options.text, found["entities"]["data"], strict=True)
        ]
    count = found["label"]["shape"][1]
    pairs = list(zip(found["label"]["data"], found["score"]["data"], strict=True))
    return [
        f"{path}\t"
        + ", ".join(f"{label} ({score:.2f})" for label, score in pairs[i * count : (i + 1) * count])
        for i, path in enumerate(options.image)
    ]
