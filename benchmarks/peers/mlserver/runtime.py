"""MLServer's custom runtimes, as its documentation writes them; ``model-settings.json`` sets batching."""

from __future__ import annotations

import json

from mlserver import MLModel
from mlserver.codecs import Base64Codec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from peer_models import load_model


class NerRuntime(MLModel):  # type: ignore[misc]
    """Texts over V2."""

    async def load(self) -> bool:
        """Load the model in the worker."""
        self._model = load_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch, which MLServer has put together from several calls."""
        texts = StringCodec.decode_input(payload.inputs[0])
        answers = [json.dumps(entities) for entities in self._model.predict(texts)]
        return InferenceResponse(
            model_name=self.name, outputs=[StringCodec.encode_output("entities", answers)]
        )


class ImageRuntime(MLModel):  # type: ignore[misc]
    """Images, in base64, over V2."""

    async def load(self) -> bool:
        """Load the model in the worker."""
        self._model = load_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch, which MLServer has put together from several calls."""
        images = Base64Codec.decode_input(payload.inputs[0])
        answers = [json.dumps(answer) for answer in self._model.predict(images)]
        return InferenceResponse(
            model_name=self.name, outputs=[StringCodec.encode_output("classes", answers)]
        )
