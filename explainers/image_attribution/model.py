"""The KServe model of this explainer."""

from __future__ import annotations

from image_attribution.explanation import ImageExplainer
from image_attribution.settings import ImageAttributionSettings
from modelserve.explaining.model import ExplainingModel


class ImageAttribution(ExplainingModel):
    """What each region of an image contributes to the class that the predictor gives it."""

    def __init__(self, name: str, settings: ImageAttributionSettings, *, version: str = "1") -> None:
        explainer = ImageExplainer(
            regions=settings.regions,
            sent_pixels=settings.sent_pixels,
            limits=settings.limits,
            max_evaluations=settings.max_evaluations,
        )
        super().__init__(name, explainer, settings, version=version)
