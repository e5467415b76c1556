"""A predictor asked over REST, with the binary tensor extension."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx

from modelserve.errors import DeadlineExceeded, Unavailable
from modelserve.protocol.client import decode_rest_response, encode_rest_request
from modelserve.protocol.messages import InferenceRequest, InferenceResponse
from modelserve.protocol.rest import HEADER_LENGTH
from modelserve.remote.refusals import from_http
from modelserve.telemetry.call import current_call

_PAUSES_SECONDS = (0.1, 0.3, 0.9)
"""Before each further try."""

_GATEWAY_ERRORS = frozenset({502, 503})


class RestPredictor:
    """``modelserve.remote.Predictor`` over REST.

    Args:
        host: of the predictor, with a port where it is not HTTP's.
        use_ssl: whether it is asked over HTTPS.
        timeout_seconds: of a call whose caller gives no deadline.
        connections: the most at a time.
    """

    def __init__(self, host: str, *, use_ssl: bool, timeout_seconds: float, connections: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            base_url=f"{'https' if use_ssl else 'http'}://{host}",
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=None,
            trust_env=False,
        )

    async def infer(self, request: InferenceRequest, *, timeout_seconds: float | None) -> InferenceResponse:
        """See ``Predictor.infer``."""
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        body, header_length = encode_rest_request(request)
        headers = {
            "Content-Type": "application/octet-stream",
            HEADER_LENGTH: str(header_length),
            "X-Request-Timeout-Ms": f"{1000 * seconds:.0f}",
        }
        current_call().inject(headers)
        path = f"/v2/models/{quote(request.model_name, safe='')}/infer"
        try:
            response = await asyncio.wait_for(self._post(path, body, headers), seconds)
        except asyncio.TimeoutError as error:
            raise DeadlineExceeded(f"the predictor did not answer within {seconds:.3g} s") from error
        if response.status_code != 200:
            raise from_http(response.status_code, _sentence(response), response.headers.get("retry-after"))
        length = response.headers.get(HEADER_LENGTH, "")
        return decode_rest_response(response.content, int(length) if length.isdecimal() else None)

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Ask until there is an answer; an inference may be computed twice."""
        for pause in (*_PAUSES_SECONDS, None):
            try:
                response = await self._client.post(path, content=body, headers=headers)
            except httpx.TransportError as error:
                if pause is None:
                    raise Unavailable(f"the predictor cannot be reached: {error!r}") from error
            else:
                if pause is None or response.status_code not in _GATEWAY_ERRORS:
                    return response
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """See ``Predictor.close``."""
        await self._client.aclose()


def _sentence(response: httpx.Response) -> str:
    try:
        said = response.json()
    except ValueError:
        return response.text[:200]
    return str(said.get("error", said) if isinstance(said, dict) else said)[:1000]
