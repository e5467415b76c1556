"""What a predictor's refusals mean to the caller of the server in front of it.

A caller's mistake stays one, and so does an overload. What only the server in front can have got wrong,
as a model that the predictor does not have, is a failure of the predictor.
"""

from __future__ import annotations

import httpx
import orjson

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
}


def from_http(status: int, sentence: str, retry_after: str | None) -> RequestError:
    """The error of an HTTP status other than 200.

    Args:
        status: of the answer.
        sentence: what the predictor, or a proxy before it, said.
        retry_after: the header, where there is one.
    """
    if status == 429:
        return _overloaded(sentence, retry_after)
    return _refused(_BY_HTTP.get(status), str(status), sentence)


def sentence_of(response: httpx.Response) -> str:
    """What was said with an HTTP status: JSON's ``error``, or a proxy's plain words."""
    try:
        said = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return response.text[:200]
    return str(said.get("error", said) if isinstance(said, dict) else said)[:1000]


def from_grpc(status: str, sentence: str) -> RequestError:
    """The error of a gRPC status other than OK and DEADLINE_EXCEEDED.

    Args:
        status: its name.
        sentence: what the predictor, a proxy before it or gRPC itself said.
    """
    if status == "RESOURCE_EXHAUSTED":
        # gRPC has the same status for a message over the predictor's limit and for a full queue.
        if "message larger than max" in sentence:
            return TooLarge(_said(sentence))
        return _overloaded(sentence, None)
    return _refused(_BY_GRPC.get(status), status, sentence)


def too_late(seconds: float) -> DeadlineExceeded:
    """The error of a predictor that takes longer than it may."""
    return DeadlineExceeded(f"the predictor did not answer within {seconds:.3g} s")


def _overloaded(sentence: str, retry_after: str | None) -> Overloaded:
    seconds = int(retry_after) if retry_after and retry_after.isdecimal() else 1
    return Overloaded(_said(sentence), retry_after_seconds=min(60, max(1, seconds)))


def _refused(error: type[RequestError] | None, status: str, sentence: str) -> RequestError:
    if error is None:
        return PredictorFailed(f"the predictor answered {status}: {sentence or 'no reason was given'}")
    return error(_said(sentence))


def _said(sentence: str) -> str:
    return f"predictor: {sentence or 'no reason was given'}"
