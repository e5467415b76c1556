"""Another server's model, asked over V2: what transformers and explainers work through."""

from __future__ import annotations

from typing import Protocol

from modelserve.protocol.messages import InferenceRequest, InferenceResponse


class Predictor(Protocol):
    """A model behind V2, whichever way it is asked. Used within one event loop."""

    async def infer(self, request: InferenceRequest, *, timeout_seconds: float | None) -> InferenceResponse:
        """Ask for one inference; its ``model_name`` is the predictor's own.

        Args:
            request: what is asked.
            timeout_seconds: what is left until the caller's deadline; None where there is none.

        Raises:
            RequestError: the predictor refuses, as it says, or fails.
        """
        ...

    async def close(self) -> None:
        """Close the connections; no call may be in progress."""
        ...
