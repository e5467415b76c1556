"""What a predictor's refusals mean to the caller of the server in front of it.

A caller's mistake stays one, and so does an overload. What only the server in front can have got wrong,
as a model that the predictor does not have, is a failure of the predictor.
"""

from __future__ import annotations

from modelserve.errors import (
    DeadlineExceeded,
    InvalidInput,
    Overloaded,
    PredictorFailed,
    RequestError,
    TooLarge,
    Unavailable,
)

_BY_HTTP: dict[int, type[RequestError]] = {
    400: InvalidInput,
    413: TooLarge,
    503: Unavailable,
    504: DeadlineExceeded,
}
_BY_GRPC: dict[str, type[RequestError]] = {
    "INVALID_ARGUMENT": InvalidInput,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
}


def from_http(status: int, sentence: str, retry_after: str | None) -> RequestError:
    """The error of an HTTP status other than 200.

    Args:
        status: of the answer.
        sentence: that the predictor, or a proxy before it, said.
        retry_after: the header, where there is one.
    """
    if status == 429:
        return _overloaded(sentence, retry_after)
    error = _BY_HTTP.get(status)
    return (
        error(_said(sentence)) if error else PredictorFailed(f"the predictor answered {status}: {sentence}")
    )


def from_grpc(status: str, sentence: str) -> RequestError:
    """The error of a gRPC status other than OK, by its name."""
    if status == "RESOURCE_EXHAUSTED":
        return _overloaded(sentence, None)
    error = _BY_GRPC.get(status)
    return (
        error(_said(sentence)) if error else PredictorFailed(f"the predictor answered {status}: {sentence}")
    )


def _overloaded(sentence: str, retry_after: str | None) -> Overloaded:
    seconds = int(retry_after) if retry_after and retry_after.isdecimal() else 1
    return Overloaded(_said(sentence), retry_after_seconds=min(60, max(1, seconds)))


def _said(sentence: str) -> str:
    return f"predictor: {sentence}"
