"""Logged requests sent again, as they were, to another server.

One that was compressed goes out unpacked, as the log tells none of its headers. Nothing is retried: a retry
would hide what a caller of that server would have met.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from modelserve.events import LoggedMessage, Side
from modelserve.events.bodies import json_length, plain
from modelserve.events.calls import Call
from modelserve.protocol.rest import HEADER_LENGTH

SHADOW_HEADER = "X-Modelserve-Shadow"
"""Tells the server, and whoever reads its logs, that no caller waits for the answer."""

ID_PREFIX = "modelserve-shadow-"
"""Of the ids of calls that nobody waits for."""

_ID_CHARACTERS = 200

_MOST_BYTES = 64 * 1024 * 1024
"""Of an answer: a server that does not end its answers must not fill the memory."""


def is_replay(message: LoggedMessage) -> bool:
    """Whether a half is of a call that a replayer made, this one or another.

    A server that replays are sent to may have a request log as well, and where it is a revision of the
    service whose calls are replayed its events look like those of callers. But KServe's agent and our own
    mirror take a call's id from its header ``ce-id``, and a replayer gives it one.
    """
    return message.id.startswith(ID_PREFIX)


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
        name = quote(model, safe="")
        headers = {"Content-Type": "application/json", "ce-id": _replay_id(request)}
        path = f"/v1/models/{name}:predict" if logged.model is None else f"/v2/models/{name}/infer"
        content = plain(request.body)
        length = None if logged.model is None else json_length(content)
        if length is not None:
            headers |= {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(length)}
        began = time.perf_counter()
        try:
            body = await asyncio.wait_for(self._post(path, content, headers), self._timeout_seconds)
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


def _replay_id(request: LoggedMessage) -> str:
    """Any text may be an id, and not any text may be a header."""
    return (ID_PREFIX + quote(request.id, safe=""))[:_ID_CHARACTERS]
