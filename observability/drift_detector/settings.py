"""What the detector's process takes, by flag or by environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from modelserve.drift.settings import DriftSettings
from modelserve.settings import MEBIBYTE


class DetectorSettings(DriftSettings):
    """Take CloudEvents of KServe's request log, and say when inputs or answers drift, until Ctrl-C."""

    host: str = Field("0.0.0.0", description="Address to listen on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port for events; 0 takes a free one.")
    store: str = Field(
        "sqlite:///drift.db",
        description="Where references, windows and verdicts are kept: sqlite:///FILE, or "
        "postgresql+psycopg://USER@HOST/NAME. A URL with a password belongs in the variable.",
    )

    @field_validator("store")
    @classmethod
    def _check_store(cls, url: str) -> str:
        if url.rstrip("/") in ("sqlite:", "sqlite:///:memory:"):
            raise ValueError("a database in memory is one for each thread; sqlite:///FILE is accepted")
        return url

    references: list[Path] = Field(
        default_factory=list,
        description="Files of `modelserve drift reference`, or folders of them, for the store; may be "
        "given several times. PUT /references takes one as well.",
    )
    join_seconds: float = Field(
        60.0, gt=0, description="Longest wait of a request for its answer, and the other way round."
    )
    flush_seconds: float = Field(
        1.0, gt=0, description="How long what came is in memory alone: what a crash may lose."
    )
    keep_days: float = Field(90.0, gt=0, description="How long windows and verdicts are kept.")
    keep_inputs: int = Field(
        10,
        ge=0,
        description="Inputs of a drifted window to keep for reports, texts cut and images reduced; 0 keeps "
        "none, as where they are personal.",
    )
    notify_url: str | None = Field(
        default_factory=lambda: os.environ.get("K_SINK"),
        description="Where alarms are sent as CloudEvents; Knative's K_SINK where it is set.",
    )
    max_event_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Largest event, or batch of them.")
    queue_messages: int = Field(20_000, ge=1, description="Most events that wait; a further one is dropped.")
    queue_bytes: int = Field(256 * MEBIBYTE, ge=1, description="Most bytes of events that wait.")
    grace_seconds: float = Field(
        20.0, ge=0, description="Time after SIGTERM in which what was taken is worked off."
    )

    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for programs.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line.")
