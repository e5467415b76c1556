"""What ``modelserve drift check`` takes."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import CliPositionalArg

from modelserve.drift.settings import DriftSettings


class CheckSettings(DriftSettings):
    """Judge a file of logged events.

    Exit status: 0 when no alarm went up, 1 when one did, 2 for bad usage and for a file that cannot be
    read, 3 where the windows do not tell.
    """

    file: CliPositionalArg[str] = Field(
        description="CloudEvents of KServe's request log, a JSON event a line; - for standard input."
    )
    reference: list[Path] = Field(
        default_factory=list,
        description="A file of `modelserve drift reference`; may be given several times.",
    )
    html: Path | None = Field(None, description="Write the report for people to this file.")
    json_output: bool = Field(
        False, validation_alias=AliasChoices("json"), description="Print every verdict as JSON."
    )
