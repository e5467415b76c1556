"""A predictor asked over REST, with the binary tensor extension."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import MutableMapping
from contextlib import suppress
from urllib.parse import quote

import httpx

from modelserve.errors import PredictorFailed, Unavailable
from modelserve.execution import on_decoders
from modelserve.protocol.client import decode_rest_response, encode_rest_request
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.protocol.rest import HEADER_LENGTH
from modelserve.remote.refusals import from_http, sentence_of, too_late
from modelserve.telemetry import current_call

_PAUSES_SECONDS = (0.1, 0.3, 0.9)
"""Before each further try."""

_GATEWAY_ERRORS = frozenset({502, 503})
"""No pod yet, or one that goes: the next try may reach another."""

_MOST_MILLISECONDS = 999_999_999
"""The most that a server of this package takes as a deadline."""


class RestPredictor:
    """``modelserve.remote.Predictor`` over REST.

    Args:
        host: of the predictor, with a port where it is not HTTP's.
        use_ssl: whether it is asked over HTTPS, with the authorities that ``SSL_CERT_FILE`` names, or
            else the public ones.
        timeout_seconds: of a call whose caller gives no deadline.
        connections: the most at a time.
    """

    def __init__(self, host: str, *, use_ssl: bool, timeout_seconds: float, connections: int) -> None:
        self._timeout_seconds = timeout_seconds
        base_url, verify = address_of(host, use_ssl=use_ssl)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            # Raw tensors hardly shrink, and unpacking them costs more than the network does.
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=None,  # each call has its own
            trust_env=False,  # no proxy is between the pods of a cluster
            verify=verify,
        )

    async def infer(self, request: InferenceRequest, *, timeout_seconds: float | None) -> InferenceResponse:
        """See ``Predictor.infer``."""
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            response = await asyncio.wait_for(self._ask(request, time.monotonic() + seconds), seconds)
        except asyncio.TimeoutError as error:
            raise too_late(seconds) from error
        if response.status_code != 200:
            raise from_http(response.status_code, sentence_of(response), response.headers.get("retry-after"))
        length = response.headers.get(HEADER_LENGTH, "")
        return decode_rest_response(response.content, int(length) if length.isdecimal() else None)

    async def _ask(self, request: InferenceRequest, deadline: float) -> httpx.Response:
        """Ask until there is an answer, the last one in any case; an inference may be computed twice."""
        body, header_length = await on_decoders(lambda: encode_rest_request(request))
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
        current_call().inject(headers)
        path = _path(request)
        for pause in _PAUSES_SECONDS:
            with suppress(httpx.TransportError):
                response = await self._post(path, body, headers, deadline)
                if response.status_code not in _GATEWAY_ERRORS:
                    return response
            await asyncio.sleep(pause)
        try:
            return await self._post(path, body, headers, deadline)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"the predictor cannot be reached: {reason}") from error

    async def _post(
        self, path: str, body: bytes, headers: MutableMapping[str, str], deadline: float
    ) -> httpx.Response:
        left = math.ceil(1000 * (deadline - time.monotonic()))
        headers["X-Request-Timeout-Ms"] = str(min(max(1, left), _MOST_MILLISECONDS))
        try:
            return await self._client.post(path, content=body, headers=headers)
        except httpx.DecodingError as error:
            raise PredictorFailed(f"the predictor's answer cannot be unpacked ({error})") from error

    async def close(self) -> None:
        """See ``Predictor.close``."""
        await self._client.aclose()


def address_of(host: str, *, use_ssl: bool) -> tuple[str, ssl.SSLContext | bool]:
    """A host's URL, and how it is verified: ``base_url`` and ``verify`` of an httpx client."""
    if use_ssl:
        return f"https://{host}", httpx.create_ssl_context()
    # There is nothing to verify, and authorities take a while to load.
    return f"http://{host}", False


def _path(request: InferenceRequest) -> str:
    path = f"/v2/models/{quote(request.model_name, safe='')}"
    if request.model_version is not None:
        path += f"/versions/{quote(request.model_version, safe='')}"
    return f"{path}/infer"
