"""What a call meets first: uvicorn's protocol, which refuses those that there is no room for.

When ten times as many calls come as can be computed, nine of ten are refused, and what refusing them costs
is lost to the tenth. Beside a busy engine each line of Python that a call passes is read from memory again.
So the refusal is bytes that are ready, written when the head of the request is there; its body is
dropped as it comes. ``Front`` refuses in the same words whatever else has to be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import cast
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from modelserve.errors import Overloaded, RequestError
from modelserve.server.calls import count_refusal
from modelserve.server.connection import HttpConnection
from modelserve.server.dataplane import DataPlane
from modelserve.server.front import Called, called_model
from modelserve.server.replies import refusal

Gate = Callable[[bytes], "bytes | None"]
"""From the target of a POST to the refusal, behind the server's own headers; None to let it in."""

_LONGEST_TARGET = 512
"""Bytes: longer ones pass, as what is known of a target is kept."""


class _Answered:
    """In the place of uvicorn's cycle: a request that is answered while its body is still to come."""

    response_complete = True
    message_event = asyncio.Event()


_ANSWERED = cast("RequestResponseCycle", _Answered())


def gate_of(plane: DataPlane) -> Gate:
    """Refuses calls to models whose queue is full.

    Where calls are traced all of them pass, so that refusals are in their traces; so do they once the
    server is about to end, as their callers have to be told so.
    """

    def gate(target: bytes) -> bytes | None:
        if plane.leaving or plane.tracing.enabled or len(target) > _LONGEST_TARGET:
            return None
        called = _called(target)
        if called is None:
            return None
        try:
            plane.admit(called.model, called.version)
        except Overloaded as error:
            count_refusal(plane, error, name=called.model, protocol=called.protocol)
            return _encode(str(error), error.retry_after_seconds)
        except RequestError:  # it is told behind the gate
            return None
        return None

    return gate


def gated(gate: Gate) -> type[HttpConnection]:
    """The protocol, for ``uvicorn.Config(http=…)``."""

    class GatedProtocol(HttpConnection):
        """Asks the gate when the head of a request is complete, and nothing before it is in progress."""

        def on_headers_complete(self) -> None:
            """Refuse, or go on as uvicorn does."""
            parser = self.parser
            is_asked = (
                parser.get_method() == b"POST"
                and (self.cycle is None or self.cycle.response_complete)
                # What else the answer would depend on is rare.
                and parser.get_http_version() == "1.1"
                and parser.should_keep_alive()
                and not parser.should_upgrade()
            )
            refused = gate(self.url) if is_asked else None
            if refused is None:
                super().on_headers_complete()
                return
            self.end_head()
            self.cycle = _ANSWERED
            own = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
            self.transport.write(b"".join((b"HTTP/1.1 429 Too Many Requests\r\n", *own, refused)))
            self.on_response_complete()

    return GatedProtocol


@lru_cache(256)
def _called(target: bytes) -> Called | None:
    return called_model(unquote(target.partition(b"?")[0].decode("ascii", "replace")))


@lru_cache(64)
def _encode(sentence: str, seconds: int) -> bytes:
    response = refusal(Overloaded(sentence, retry_after_seconds=seconds))
    head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return head + b"\r\n" + bytes(response.body)
