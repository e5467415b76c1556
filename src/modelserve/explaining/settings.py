"""The settings of an explainer, beside those of every server in front of a predictor."""

from __future__ import annotations

from pydantic import Field

from modelserve.settings import RemoteSettings


class ExplainerSettings(RemoteSettings):
    """What a server takes that explains.

    The limits are lower than a predictor's: each text or image is sent hundreds of times.
    """

    max_batch: int = Field(16, ge=1, description="Most texts or images in one call.")
    max_queue: int = Field(
        32, ge=1, description="Most calls that are explained at a time; a further one is answered 429."
    )
    max_evaluations: int = Field(
        512,
        ge=4,
        description="Most variations of its texts or images that the predictor is asked for in one call.",
    )
    request_items: int = Field(
        64, ge=1, description="Most variations in one request to the predictor; at most its --max_batch."
    )
    requests_at_once: int = Field(
        4, ge=1, description="Most requests to the predictor at a time, those of all calls together."
    )
