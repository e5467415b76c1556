"""``modelserve serve``: several models in one process, for a laptop or a test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationInfo, field_validator

from modelserve.errors import ModelLoadError
from modelserve.secrecy import split_url, without_secrets
from modelserve.settings import EngineSettings, parse_settings

if TYPE_CHECKING:
    from modelserve.server.mirror import Mirror
    from modelserve.task_model import FolderModel


class ServeSettings(EngineSettings):
    """Serve models over V1 and V2 (REST) and V2 (gRPC) until Ctrl-C."""

    model: list[str] = Field(
        default_factory=list,
        description="A model as NAME=FOLDER; may be given several times. The folder tells its kind.",
    )
    log_url: str | None = Field(
        None,
        description="Send each answered REST call to a sink of CloudEvents, http://HOST:PORT/PATH, as "
        "KServe's request log does in a cluster.",
    )
    log_file: Path | None = Field(None, description="Append the same to a file instead, as lines of JSON.")

    @field_validator("log_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        parts = split_url(url or "http://sink")
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(f"{without_secrets(url or '')} is no sink; http://HOST:PORT/PATH is accepted")
        return url

    @field_validator("log_file")
    @classmethod
    def _is_alone(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("log_url"):
            raise ValueError("--log_url is given too; one of both is accepted")
        return path


def add_parser(subparsers: Any) -> None:
    """Add the subcommand; its flags are the fields of ``ServeSettings``."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "serve", help="serve models on this machine", add_help=False
    )
    parser.set_defaults(run=run, takes_rest=True)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    settings = parse_settings(ServeSettings, options.rest, program="modelserve serve")
    if not settings.model:
        print("modelserve serve: give at least one --model NAME=FOLDER", file=sys.stderr)
        return 2
    from modelserve.server.main import run_server

    names: list[tuple[str, str]] = []

    def build() -> Sequence[FolderModel]:
        models = []
        for argument in settings.model:
            name, separator, folder = argument.partition("=")
            if not (name and separator and folder):
                raise ModelLoadError(f"--model {argument} is not of the form NAME=FOLDER")
            unit, unit_class = _unit_for(Path(folder))
            names.append((name, unit))
            models.append(unit_class(name, Path(folder), settings))
        return models

    def announce(http_port: int, _: int) -> None:
        print("\nTry:\n" + "\n".join(_example(n, unit, http_port) for n, unit in names), flush=True)

    return run_server(build, settings, announce, lambda: _open_mirror(settings))


def _open_mirror(settings: ServeSettings) -> Mirror | None:
    from modelserve.server.mirror import Mirror
    from modelserve.server.mirror_outputs import FileOutput, HttpOutput

    if settings.log_url:
        return Mirror(HttpOutput(settings.log_url))
    if settings.log_file is not None:
        return Mirror(FileOutput(settings.log_file))
    return None


def _unit_for(folder: Path) -> tuple[str, type[FolderModel]]:
    from modelserve.engines.fetch import check_folder
    from modelserve.installed import predictors

    check_folder(folder)
    units = predictors()
    for name, unit in units.items():
        unit_class = unit.load()
        if unit_class.accepts(folder):
            return name, unit_class
    raise ModelLoadError(
        f"{folder} holds no model that can be served; accepted are the folders of: " + ", ".join(units)
    )


def _example(name: str, unit: str, port: int) -> str:
    if unit == "bert_ner":
        body = """'{"instances": ["Angela Merkel met Barack Obama in Berlin."]}'"""
    else:
        body = r'''"{\"instances\": [{\"b64\": \"$(base64 -w0 PHOTO.jpg)\"}]}"'''
    return f"  curl -s http://localhost:{port}/v1/models/{name}:predict -d {body}"
