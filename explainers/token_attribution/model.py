"""The KServe model of this explainer."""

from __future__ import annotations

from modelserve.explaining.model import ExplainingModel
from token_attribution.explanation import TokenExplainer
from token_attribution.settings import TokenAttributionSettings


class TokenAttribution(ExplainingModel):
    """What each word of a text contributes to the names that the predictor finds in it."""

    def __init__(self, name: str, settings: TokenAttributionSettings, *, version: str = "1") -> None:
        explainer = TokenExplainer(
            hidden_word=settings.hidden_word,
            limits=settings.limits,
            max_evaluations=settings.max_evaluations,
        )
        super().__init__(name, explainer, settings, version=version)
