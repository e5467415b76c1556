"""Asks models over V2's JSON, wherever they are: another server, or a predictor in this process."""

from __future__ import annotations

from typing import Protocol

import httpx
import orjson

from modelserve.errors import (
    DeadlineExceeded,
    Overloaded,
    PredictorFailed,
    RequestError,
    Unavailable,
)
from modelserve.pipelines.definition.expressions import Json
from modelserve.remote.refusals import from_http, sentence_of
from modelserve.secrecy import without_secrets
from modelserve.telemetry import current_call

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header by which a server with effects tells that a call is one that it has seen."""


class BadGateway(PredictorFailed):
    """Something before the model had no connection to it, as while a pod goes."""


PASSING: tuple[type[RequestError], ...] = (Overloaded, Unavailable, DeadlineExceeded, BadGateway)
"""What may be otherwise with the next try."""


class Asker(Protocol):
    """A model that can be asked, within one event loop."""

    async def ask(self, body: dict[str, Json], *, key: str, timeout_seconds: float) -> Json:
        """The answer's JSON.

        Args:
            body: of a V2 call.
            key: the same for every try of one unit of work, and for no other.
            timeout_seconds: that the caller waits.

        Raises:
            RequestError: the model refuses, as it says, or fails; those of ``PASSING`` may pass.
        """

    async def close(self) -> None:
        """Let go of what it holds; no call may be in progress."""


def infer_url(server: str, model: str) -> str:
    """Where a model takes V2's inference requests.

    Args:
        server: its URL, without ``/v2``.
        model: its name there.
    """
    return f"{server.rstrip('/')}/v2/models/{model}/infer"


class HttpAsker:
    """A model at another server. One try, one call: who asks decides about the next.

    Args:
        client: for the connections; it is not closed.
        url: of ``infer_url``.
    """

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client, self._url = client, url
        self._where = without_secrets(url)

    async def ask(self, body: dict[str, Json], *, key: str, timeout_seconds: float) -> Json:
        """See ``Asker.ask``."""
        headers = {
            "Content-Type": "application/json",
            IDEMPOTENCY_KEY: key,
            "X-Request-Timeout-Ms": str(max(1, round(timeout_seconds * 1000))),
        }
        current_call().inject(headers)
        try:
            response = await self._client.post(
                self._url, content=orjson.dumps(body), headers=headers, timeout=timeout_seconds
            )
        except httpx.TimeoutException as error:
            raise DeadlineExceeded(f"{self._where} did not answer within {timeout_seconds:g} s") from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"{self._where} cannot be reached: {reason}") from error
        except httpx.DecodingError as error:
            raise PredictorFailed(f"the answer of {self._where} cannot be unpacked ({error})") from error
        if response.status_code == 502:
            raise BadGateway(f"{self._where} answered 502: {sentence_of(response)}")
        if response.status_code != 200:
            raise from_http(response.status_code, sentence_of(response), response.headers.get("retry-after"))
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise PredictorFailed(f"the answer of {self._where} is no JSON ({error})") from error

    async def close(self) -> None:
        """Nothing: the client is another's."""
