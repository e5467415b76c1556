"""A BentoML service, as its documentation writes one, with its adaptive batching switched on."""

from __future__ import annotations

import base64
import os
from typing import Any

import bentoml
from peer_models import load_model


@bentoml.service(workers=1, traffic={"timeout": 120})
class Peer:
    """A text or an image, in base64, in each item of a request."""

    def __init__(self) -> None:
        self.model = load_model()
        self.takes_images = os.environ["MODEL_KIND"] == "image"

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, items: list[str]) -> list[Any]:
        """Compute the items of several calls together."""
        return self.model.predict([base64.b64decode(item) for item in items] if self.takes_images else items)
