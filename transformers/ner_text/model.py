"""The KServe model of this transformer."""

from __future__ import annotations

from modelserve.forwarding import ForwardingModel
from ner_text.settings import NerTextSettings
from ner_text.transformation import DocumentTransformation


class NerText(ForwardingModel):
    """Names in documents, by a predictor that is given sentences.

    Args:
        name: of the model, here and at the predictor.
        settings: where the predictor is, how documents become calls to it, and the limits.
        version: in the URL and in metadata.
    """

    def __init__(self, name: str, settings: NerTextSettings, *, version: str = "1") -> None:
        transformation = DocumentTransformation(
            limits=settings.limits, language=settings.language, batch=settings.predictor_batch
        )
        super().__init__(name, transformation, settings, version=version)
