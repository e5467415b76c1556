"""Settings of a server, by flag or by environment variable.

Each field is a flag (``--http_port 8080``, the spelling that KServe's runtimes use) and a variable
with the prefix ``MODELSERVE_`` (``MODELSERVE_HTTP_PORT=8080``); a flag wins over a variable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict, SettingsError

from modelserve.task import Limits

MEBIBYTE = 1024 * 1024

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def current_revision() -> str:
    """Knative's name for the running revision, or ``local`` outside of Knative."""
    return os.environ.get("K_REVISION") or "local"


CONFIGURATION = SettingsConfigDict(
    env_prefix="MODELSERVE_",
    protected_namespaces=(),
    cli_implicit_flags=True,
    cli_hide_none_type=True,
    cli_avoid_json=True,
    extra="forbid",
)
"""How flags and variables are read, whatever they are of."""


class ServerSettings(BaseSettings):
    """What every server takes, whichever models it serves."""

    model_config = CONFIGURATION

    host: str = Field("0.0.0.0", description="Address to listen on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port for REST; 0 takes a free one.")
    grpc_port: int = Field(8081, ge=0, le=65535, description="Port for gRPC; 0 takes a free one.")

    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Server processes, each with its own copy of the models and its share of the cores.",
    )
    max_batch: int = Field(256, ge=1, description="Most texts or images in one call.")
    max_body_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Largest request body, unpacked.")
    max_text_bytes: int = Field(MEBIBYTE, ge=1, description="Longest text, in bytes of UTF-8.")
    max_image_bytes: int = Field(20 * MEBIBYTE, ge=1, description="Largest encoded image.")
    max_image_pixels: int = Field(
        50_000_000, ge=1, description="Most pixels of an image, read from its header before it is decoded."
    )
    max_queue: int = Field(
        256, ge=1, description="Most calls that wait for a model's engine; a further one is answered 429."
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        description="Time after SIGTERM in which calls are still taken while readiness has fallen, for "
        "proxies that have not noticed yet.",
    )
    grace_seconds: int = Field(
        30, ge=0, description="Time for calls in progress to end after SIGTERM or Ctrl-C."
    )

    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for programs.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line.")

    @property
    def limits(self) -> Limits:
        """The limits of one request, as a task takes them."""
        return Limits(
            batch=self.max_batch,
            text_bytes=self.max_text_bytes,
            image_bytes=self.max_image_bytes,
            image_pixels=self.max_image_pixels,
        )

    @property
    def revision(self) -> str:
        """Knative's name for the running revision, or ``local`` outside of Knative."""
        return current_revision()


class EngineSettings(ServerSettings):
    """What a server takes that computes."""

    engine: Literal["auto", "onnx", "torch"] = Field(
        "auto", description="What computes: auto takes torch where there is a CUDA device, else ONNX Runtime."
    )
    device: str = Field("auto", description="Device of the torch engine: auto, cpu, cuda or cuda:N.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Precision of the torch engine: auto is bf16 or fp16 on CUDA, else fp32."
    )
    threads: int = Field(
        0, ge=0, description="Threads that compute one batch; 0 takes the cores of this container."
    )

    batch_window_ms: float = Field(
        2.0,
        ge=0,
        le=1000,
        description="Longest wait of a batch for calls that are being decoded; a lone call never waits.",
    )
    cache_url: str | None = Field(
        None,
        description="Keep results: memory:// in the process, or redis://HOST:PORT/DB. A URL with a password "
        "belongs in the variable, as flags are seen by everyone.",
    )
    cache_max_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Most bytes of the cache in the process.")
    cache_ttl_seconds: int = Field(3600, ge=1, description="How long a result is kept.")

    @property
    def engine_options(self) -> dict[str, Any]:
        """What ``modelserve.engines.loading.load_engine`` takes."""
        return {
            "engine": self.engine,
            "threads": self.threads,
            "device": self.device,
            "precision": self.precision,
        }


class PredictorSettings(EngineSettings):
    """What a server of one model takes: a predictor's container, started by KServe."""

    model_name: str = Field("", description="Name in the URL; empty takes the unit's own.")
    model_version: str = Field("1", description="Version in the URL and in metadata.")
    model_dir: Path | None = Field(
        None, description="Folder of the model; KServe's storage initializer fills /mnt/models."
    )
    model_id: str | None = Field(
        None, description="Model to fetch where there is a network: a hub's org/name, or torchvision's name."
    )
    model_digest: str = Field(
        "",
        pattern=r"^(sha256:[0-9a-f]{64})?$",
        description="Digest that the weights must have, sha256:HEX as answers carry it; others are refused.",
    )


class RemoteSettings(ServerSettings):
    """What a server in front of a predictor takes: a transformer's or an explainer's container.

    The names are those of KServe, whose controller gives ``--model_name``, ``--predictor_host`` and
    ``--http_port``.
    """

    model_name: str = Field(
        "", description="Name in the URL, here and at the predictor; empty takes the unit's own."
    )
    model_version: str = Field("1", description="Version in the URL and in metadata.")
    predictor_host: str = Field(
        "", description="Host of the predictor, with a port where it is not HTTP's: HOST or HOST:PORT."
    )
    predictor_protocol: Literal["v2", "grpc-v2"] = Field(
        "v2", description="How the predictor is asked: REST with binary tensors, or gRPC."
    )
    predictor_use_ssl: bool = Field(
        False,
        description="Ask the predictor over TLS, with the authorities of SSL_CERT_FILE or the public ones.",
    )
    enable_predictor_health_check: bool = Field(
        False,
        description="Be ready once the predictor is: for one in the same pod, which nobody else waits for.",
    )
    predictor_request_timeout_seconds: float = Field(
        60.0, gt=0, description="Longest wait for the predictor where the caller gives no deadline."
    )


def parse_settings(settings: type[SettingsT], argv: Sequence[str], *, program: str) -> SettingsT:
    """Read settings from flags and the environment.

    Args:
        settings: the class to fill.
        argv: the flags, without the program's name.
        program: the name in the help text.

    Raises:
        SystemExit: with status 0 after ``--help``, with status 2 and one line per mistake when a
            flag or a variable is wrong.
    """
    try:
        source: CliSettingsSource[object] = CliSettingsSource(
            settings, cli_parse_args=list(argv), cli_prog_name=program
        )
        return settings(_cli_settings_source=source)
    except ValidationError as error:
        lines = [f"--{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SystemExit(_usage(program, lines)) from error
    except SettingsError as error:
        raise SystemExit(_usage(program, [str(error)])) from error


def _usage(program: str, lines: Sequence[str]) -> int:
    print("\n".join(f"{program}: {line}" for line in lines), file=sys.stderr)
    return 2
