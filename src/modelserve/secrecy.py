"""URLs without the secrets that they hold: what is logged, and what people are told of an address."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

# Up to the last @ of a word, also where a slash in a password ends what a parser takes for the host.
_BEFORE_HOST = re.compile(r"(?<=://)\S+(?=@)")
_IN_QUERY = re.compile(r"(?<=[?&])((?:\w*password|token|secret)=)[^\s&]+", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """A text whose URLs name no user and no password: ``http://…@host/path``.

    Whatever stands between ``://`` and an ``@`` is taken for one, as in a URL that is not well-formed nobody
    knows what it was meant to be.

    Args:
        text: of any length and with any number of URLs, or none.
    """
    if "://" not in text:
        return text
    return _IN_QUERY.sub(r"\1…", _BEFORE_HOST.sub("…", text))


def split_url(url: str) -> SplitResult | None:
    """A URL's parts, its port a number or none; None where it is malformed.

    Why it is, as ``urlsplit`` says it, can repeat a part of a password.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  a property, which reads it
    except ValueError:
        return None
    return parts
