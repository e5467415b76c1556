"""What a sink answers beside taking events: pages of the unit that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


Page: TypeAlias = Callable[[bytes], Answer]
"""From the body of a request to the answer. It is called on a thread of its own."""

Pages: TypeAlias = Mapping[tuple[str, str], Page]
"""By method and path."""
