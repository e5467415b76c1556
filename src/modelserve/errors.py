"""The tree of errors, each with the HTTP and the gRPC status a caller sees.

    ModelServeError
    ├── RequestError            what a caller sent, or when: has a status
    │   ├── InvalidInput        400  INVALID_ARGUMENT
    │   ├── NotFound            404  NOT_FOUND
    │   ├── TooLarge            413  INVALID_ARGUMENT
    │   ├── Overloaded          429  RESOURCE_EXHAUSTED
    │   ├── PredictorFailed     502  INTERNAL
    │   ├── Unavailable         503  UNAVAILABLE
    │   └── DeadlineExceeded    504  DEADLINE_EXCEEDED
    ├── ModelLoadError          a model folder that cannot be served
    └── ExportError             a conversion that would change the answers

The message of a ``RequestError`` goes to the caller as it is: one sentence that says what was
wrong and what is accepted.
"""

from __future__ import annotations

from typing import ClassVar


class ModelServeError(Exception):
    """Base of every error that this package raises on purpose."""


class RequestError(ModelServeError):
    """A request that is refused; the message is sent to the caller.

    ``grpc_status`` is the name of a ``grpc.StatusCode``, kept as a string so that this module
    needs no gRPC.
    """

    http_status: ClassVar[int]
    grpc_status: ClassVar[str]


class InvalidInput(RequestError):
    """The request is malformed or does not fit the model's inputs."""

    http_status = 400
    grpc_status = "INVALID_ARGUMENT"


class NotFound(RequestError):
    """There is no such model, version or path."""

    http_status = 404
    grpc_status = "NOT_FOUND"


class TooLarge(RequestError):
    """A body, batch, text or image is over its limit."""

    http_status = 413
    grpc_status = "INVALID_ARGUMENT"


class Overloaded(RequestError):
    """The queue is full; the caller may try again after ``retry_after_seconds``."""

    http_status = 429
    grpc_status = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PredictorFailed(RequestError):
    """The predictor behind a transformer or an explainer failed, or answered what it should not."""

    http_status = 502
    grpc_status = "INTERNAL"


class Unavailable(RequestError):
    """The model is not loaded, or the server is draining."""

    http_status = 503
    grpc_status = "UNAVAILABLE"


class DeadlineExceeded(RequestError):
    """The caller's deadline passed before the work began."""

    http_status = 504
    grpc_status = "DEADLINE_EXCEEDED"


class ModelLoadError(ModelServeError):
    """A model folder lacks a file, or its files contradict each other."""


class ExportError(ModelServeError):
    """An exported model does not answer as its source does."""
