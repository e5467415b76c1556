"""Images from URLs: bounded in time and bytes, without redirects, proxies, cookies or credentials.

``httpcore`` alone does it. A client with more would need all of that switched off, and would follow what
the next version adds.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Mapping

import httpcore
import httpx

import modelserve
from image_tensors.origins import ImageUrl
from modelserve.concurrency import together
from modelserve.errors import InvalidInput, RequestError, TooLarge

_AT_ONCE = 8
"""The most images that are fetched for one call at a time."""

_CONNECTIONS = 64
"""The most of the whole process."""

_HEADERS: dict[bytes | str, bytes | str] = {
    "Accept": "image/jpeg, image/png, image/webp",
    "Accept-Encoding": "identity",  # a few bytes that unpack to gigabytes are not asked for
    "User-Agent": f"modelserve/{modelserve.__version__}",
}


class Fetcher:
    """Fetches images. Used within one event loop.

    Args:
        network: makes the connections.
        timeout_seconds: longest time for one image, from the look-up of its host to its last byte.
        image_bytes: the largest image.
        call_bytes: the most bytes of all images of one call.
        ssl_context: of connections over HTTPS; by default with the authorities of ``certifi``, or those
            that ``SSL_CERT_FILE`` names.
    """

    def __init__(
        self,
        network: httpcore.AsyncNetworkBackend,
        *,
        timeout_seconds: float,
        image_bytes: int,
        call_bytes: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._image_bytes, self._call_bytes = image_bytes, call_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or httpx.create_ssl_context(),
            max_connections=_CONNECTIONS,
            keepalive_expiry=5,
            network_backend=network,
        )

    async def close(self) -> None:
        """Close the connections; nothing may be being fetched."""
        await self._pool.aclose()

    async def fetch(self, urls: Mapping[int, ImageUrl]) -> dict[int, bytes]:
        """Fetch what the images of a call only refer to, by their positions in it.

        Raises:
            InvalidInput: one cannot be had.
            TooLarge: one of them, or all of them, have too many bytes.
        """
        places, allowance = asyncio.Semaphore(_AT_ONCE), _Allowance(self._call_bytes)

        async def fetch(position: int, url: ImageUrl) -> bytes:
            async with places:
                try:
                    return await self._bounded(url, allowance)
                except RequestError as error:
                    raise type(error)(f"image {position}: {error}") from error

        fetched = await together(fetch(position, url) for position, url in urls.items())
        return dict(zip(urls, fetched, strict=True))

    async def _bounded(self, url: ImageUrl, allowance: _Allowance) -> bytes:
        """Fetch one image, and make whatever goes wrong a sentence."""
        try:
            return await asyncio.wait_for(self._get(url, allowance), self._timeout_seconds)
        except (asyncio.TimeoutError, httpcore.TimeoutException) as error:
            raise InvalidInput(
                f"{url.origin} takes too long to send it; "
                f"an image that arrives within {self._timeout_seconds:g} s is accepted"
            ) from error
        # An OSError is what TLS makes of records that are broken once the connection stands.
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise InvalidInput(
                f"{url.origin} cannot be reached, or breaks off; an image that it sends in full is accepted"
            ) from error

    async def _get(self, url: ImageUrl, allowance: _Allowance) -> bytes:
        where = httpcore.URL(
            scheme=url.origin.scheme, host=url.origin.host, port=url.origin.port, target=url.target
        )
        within = {"timeout": {"connect": self._timeout_seconds}}
        held = io.BytesIO()  # gives its bytes away without a copy
        async with self._pool.stream("GET", where, headers=_HEADERS, extensions=within) as response:
            if response.status != 200:
                raise InvalidInput(
                    f"{url.origin} answers {response.status}; "
                    "a URL that is answered 200 is accepted, and redirects are not followed"
                )
            async for chunk in response.aiter_stream():
                held.write(chunk)
                if held.tell() > self._image_bytes:
                    raise TooLarge(
                        f"the file at its URL is too large; at most {self._image_bytes} bytes are accepted"
                    )
                allowance.take(len(chunk))
        return held.getvalue()


class _Allowance:
    """The bytes that all images of one call may have."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self, count: int) -> None:
        """Count bytes that have arrived.

        Raises:
            TooLarge: they are more than what was left.
        """
        self._left -= count
        if self._left < 0:
            raise TooLarge(
                "the files at the URLs of this call are too large together; "
                f"at most {self._most} bytes are accepted"
            )
