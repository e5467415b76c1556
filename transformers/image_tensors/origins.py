"""Which URLs are fetched: those of an origin, RFC 6454's scheme, host and port, that the operator allows.

A URL is read once. What is connected to and what is sent are parts of the very same reading that was
checked, as two parsers seldom agree on a URL that somebody has taken pains with.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from modelserve.errors import InvalidInput

_DEFAULT_PORTS = {"https": 443, "http": 80}

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

_ACCEPTED = "an absolute https URL of a host that this server allows is accepted"


class Origin(NamedTuple):
    """A scheme, ``https`` or ``http``, a host's name in lower-case ASCII, and a port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """As a URL has it: without the port where it is the scheme's own."""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """An allowed URL: where to connect to, and the path and query to ask for."""

    origin: Origin
    target: bytes


def read_allowed_hosts(text: str) -> frozenset[Origin]:
    """Read the operator's list: hosts, separated by commas, with a scheme and a port where need be.

    Raises:
        ValueError: an entry is no host's name, or has more than a scheme, a host and a port.
    """
    entries = [entry.strip() for entry in text.split(",")]
    return frozenset(_read_entry(entry) for entry in entries if entry)


def _read_entry(entry: str) -> Origin:
    mistake = f"{entry!r} is neither HOST, HOST:PORT nor one of these behind http:// or https://"
    try:
        url = httpx.URL(entry if "://" in entry else f"https://{entry}")
        origin = _origin(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(mistake) from error
    if origin is None or url.userinfo or url.raw_path != b"/" or url.fragment:
        raise ValueError(mistake)
    if _is_address(origin.host):
        raise ValueError(f"{entry!r} is an address; the name of a host is accepted")
    if not _HOST.fullmatch(origin.host) or not 0 < origin.port < 2**16:
        raise ValueError(mistake)
    return origin


def _is_address(host: str) -> bool:
    """Whether a host is an address, in any spelling that the resolver takes for one."""
    try:
        socket.getaddrinfo(host.encode(), None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return False
    return True


def read_url(text: str, allowed: Collection[Origin]) -> ImageUrl:
    """Read a caller's URL; a fragment is for readers, and is left out.

    Args:
        text: the URL.
        allowed: the origins from which something may be fetched.

    Raises:
        InvalidInput: it is no URL, holds credentials, or is of another origin.
    """
    if not allowed:
        raise InvalidInput("this server fetches no URLs; the encoded image itself is accepted")
    try:
        url = httpx.URL(text)
        origin = _origin(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidInput(f"its URL cannot be read; {_ACCEPTED}") from error
    if origin is None:
        raise InvalidInput(f"its URL has no host, or neither https nor http before it; {_ACCEPTED}")
    if url.userinfo:
        raise InvalidInput("its URL holds a user's name or password; a URL without them is accepted")
    if origin not in allowed:
        raise InvalidInput(
            f"its URL is of {str(origin)[:200]}, which this server does not allow; {_ACCEPTED}"
        )
    return ImageUrl(origin, url.raw_path)


def _origin(url: httpx.URL) -> Origin | None:
    """The origin of an absolute URL over HTTPS or HTTP; None of any other."""
    default = _DEFAULT_PORTS.get(url.scheme)
    host = url.raw_host.decode("ascii")
    if default is None or not host:
        return None
    return Origin(url.scheme, host, default if url.port is None else url.port)
