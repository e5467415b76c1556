"""What the detector's process takes, by flag or by environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from drift_detector.alibi.library import require
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

    shared_url: str | None = Field(
        None,
        validate_default=True,
        description="Redis where several detectors join calls and collect windows together: "
        "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS.",
    )

    @field_validator("shared_url")
    @classmethod
    def _check_shared(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and str(info.data.get("store")).startswith("sqlite"):
            raise ValueError(
                "detectors that share Redis share a store too; postgresql+psycopg://… is accepted"
            )
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
    online_run_time: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Has texts or images looked at as they come: how many there are from one alarm to the "
        "next, on average, where nothing has changed, at least 100. 0 waits for full windows. It needs "
        "alibi-detect.",
    )

    @field_validator("online_run_time")
    @classmethod
    def _check_online(cls, samples: int, info: ValidationInfo) -> int:
        if 0 < samples < 100:
            raise ValueError(f"{samples} is an alarm in every window; 0, and 100 to 10000, are accepted")
        if samples and info.data.get("shared_url") is not None:
            raise ValueError("of several detectors each sees a part of what comes; 0 is accepted")
        if samples:
            try:
                require()
            except ModuleNotFoundError as error:
                raise ValueError("alibi-detect is not installed, which it needs; 0 is accepted") from error
        return samples

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
