"""Logged requests sent again, as they were, to another server.

Nothing is retried: a retry would hide what a caller of that server would have met.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from modelserve.events import LoggedMessage, Side
from modelserve.events.calls import Call
from modelserve.events.payloads import json_length
from modelserve.protocol.rest import HEADER_LENGTH

SHADOW_HEADER = "X-Modelserve-Shadow"
"""Tells the server, and whoever reads its logs, that no caller waits for the answer."""

_MOST_BYTES = 64 * 1024 * 1024
"""Of an answer: a server that does not end its answers must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer.

    ``reason`` is the HTTP status, or ``timeout``, ``unreachable`` (nothing was sent), ``lost`` (the
    connection broke, or what came is no HTTP or cannot be unpacked) or ``oversized``.
    """

    reason: str


class Replayer:
    """Sends requests to one server, and takes its answers as if they had been logged.

    Args:
        url: of the server.
        model: its name there; None where it is the one that answered the logged request.
        host_header: instead of the URL's host, as an ingress wants it.
        timeout_seconds: of a call as a whole.
        at_once: the most calls in progress.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        host_header: str | None = None,
        timeout_seconds: float = 30.0,
        at_once: int = 8,
    ) -> None:
        self._model = model
        self._timeout_seconds = timeout_seconds
        headers = {SHADOW_HEADER: "true", "Accept-Encoding": "identity"}
        if host_header is not None:
            headers["Host"] = host_header
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            timeout=None,  # each call has one as a whole
            trust_env=False,  # callers' payloads go to that server and by no proxy
            verify=ssl.create_default_context(),
        )

    def model_of(self, logged: Call) -> str | None:
        """The name of the model to ask; None where nobody has told it, as answers of V1 do not."""
        return self._model or logged.model

    async def replay(self, request: LoggedMessage, logged: Call, model: str) -> LoggedMessage | Failure:
        """Send a request again.

        Args:
            request: as it was logged.
            logged: what its call says; an answer that names no model is V1's.
            model: to ask.

        Returns:
            The answer as if it had been logged: its time is the request's and the seconds that it took.
        """
        name, headers = quote(model, safe=""), {"Content-Type": "application/json"}
        path = f"/v1/models/{name}:predict" if logged.model is None else f"/v2/models/{name}/infer"
        length = None if logged.model is None else json_length(request.body)
        if length is not None:
            headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(length)}
        began = time.perf_counter()
        try:
            body = await asyncio.wait_for(self._post(path, request.body, headers), self._timeout_seconds)
        except asyncio.TimeoutError:
            return Failure("timeout")
        except httpx.ConnectError:
            return Failure("unreachable")
        except httpx.RequestError:
            return Failure("lost")
        if isinstance(body, Failure):
            return body
        seconds = time.perf_counter() - began
        return LoggedMessage(request.component, request.id, Side.RESPONSE, request.time + seconds, body)

    async def _post(self, path: str, content: bytes, headers: dict[str, str]) -> bytes | Failure:
        async with self._client.stream("POST", path, content=content, headers=headers) as response:
            if response.status_code != 200:
                return Failure(str(response.status_code))
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    return Failure("oversized")
            return bytes(body)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
