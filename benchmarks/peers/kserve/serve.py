"""KServe's custom predictor, as its documentation writes one; it has no batching in the process."""

from __future__ import annotations

import argparse
import base64
from typing import Any

from kserve import Model, ModelServer, model_server
from peer_models import load_model


class Predictor(Model):  # type: ignore[misc]
    """Texts or images over V1."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        """Load the model when the server starts."""
        self.model = load_model()
        self.ready = True
        return True

    def predict(
        self,
        payload: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Answer the instances of one call."""
        items = [
            base64.b64decode(instance["b64"]) if isinstance(instance, dict) else instance
            for instance in payload["instances"]
        ]
        return {"predictions": self.model.predict(items)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    arguments, _ = parser.parse_known_args()
    ModelServer().start([Predictor(arguments.model_name)])
