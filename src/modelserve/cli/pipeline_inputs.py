"""What the commands that begin runs have in common: a run's inputs, and where models are."""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserve.cli.arguments import address
from modelserve.errors import ModelServeError

if TYPE_CHECKING:
    from modelserve.pipelines.definition.models import Pipeline


class InputMistake(ModelServeError):
    """An input on the command line that is none."""


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the ways to give inputs; one given in a later way stands."""
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="FILE",
        help="all inputs, as a JSON object in a file; - is standard input",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one input: JSON, or a text where it is no JSON; may be given several times",
    )
    parser.add_argument(
        "--input_file",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="one input from a file, base64-encoded, as inputs of type bytes are; may be given several times",
    )


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the way to say where a model is."""
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="ask the server at this URL for a model of the pipeline; may be given several times",
    )


def read_inputs(options: argparse.Namespace, pipeline: Pipeline) -> dict[str, Any]:
    """The inputs that were given.

    Args:
        options: with those of ``add_inputs``.
        pipeline: for which they are; a text that it takes as one need not be quoted as JSON.

    Raises:
        InputMistake: one of them cannot be read.
    """
    inputs = _object(options.inputs) if options.inputs is not None else {}
    for text in options.input:
        name, value = _pair(text, "--input", "NAME=VALUE")
        declared = pipeline.spec.inputs.get(name)
        is_text = declared is not None and declared.type in ("string", "bytes")
        inputs[name] = value if is_text else _value(value)
    for text in options.input_file:
        name, path = _pair(text, "--input_file", "NAME=FILE")
        inputs[name] = base64.b64encode(_bytes(Path(path))).decode()
    return inputs


def urls_of(options: argparse.Namespace, pipeline: Pipeline) -> Mapping[str, str]:
    """Servers of models, by the models' names in the pipeline.

    Raises:
        InputMistake: a model that the pipeline has not, or no URL.
    """
    found = dict(_pair(text, "--model", "NAME=URL") for text in options.model)
    for name, url in found.items():
        if name not in pipeline.spec.models:
            known = ", ".join(pipeline.spec.models) or "none, as it has no models"
            raise InputMistake(f"--model {name}: the pipeline has no such model; accepted are {known}")
        try:
            address(url)
        except argparse.ArgumentTypeError as error:
            raise InputMistake(f"--model {name}: {error}") from error
    return found


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise InputMistake(f"{flag} {text!r} is not of the form {form}")
    return name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(path))
    except ValueError as error:
        raise InputMistake(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputMistake(f"{path} holds no JSON object of inputs by their names")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return Path("/dev/stdin").read_bytes() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputMistake(f"{path} cannot be read: {error.strerror}") from error
