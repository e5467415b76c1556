"""The settings of this explainer, beside those of every explainer."""

from __future__ import annotations

from pydantic import Field

from modelserve.explaining.settings import ExplainerSettings


class ImageAttributionSettings(ExplainerSettings):
    """What a server takes that explains classes of images."""

    request_items: int = Field(
        32, ge=1, description="Most variations in one request to the predictor; at most its --max_batch."
    )
    regions: int = Field(
        36,
        ge=4,
        le=1024,
        description="About how many regions an image is divided into; telling n of them apart takes about "
        "2/3 n^2 variations.",
    )
    sent_pixels: int = Field(
        150_000,
        ge=1024,
        description="Pixels to which a larger image is reduced before its variations are sent; enough is "
        "what the model resizes images to.",
    )
