"""The settings of this transformer, beside those of every transformer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from image_tensors.origins import Origin, read_allowed_hosts
from modelserve.settings import RemoteSettings


class ImageTensorsSettings(RemoteSettings):
    """What a server takes that makes tensors of images."""

    predictor_protocol: Literal["v2", "grpc-v2"] = Field(
        "grpc-v2", description="How the predictor is asked: REST with binary tensors, or gRPC."
    )
    preprocess_file: Path | None = Field(
        None,
        description="The preprocess.json of the predictor's model; without it torchvision's values for "
        "ImageNet hold.",
    )
    allowed_url_hosts: str = Field(
        "",
        description="Hosts from which images are fetched, separated by commas: HOST or HOST:PORT for HTTPS, "
        "http://HOST or http://HOST:PORT for HTTP. Empty refuses every URL.",
    )
    url_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest time for an image to arrive from its URL."
    )

    @field_validator("allowed_url_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        read_allowed_hosts(value)
        return value

    @property
    def allowed_origins(self) -> frozenset[Origin]:
        """The hosts from which images are fetched, each with its scheme and port."""
        return read_allowed_hosts(self.allowed_url_hosts)
