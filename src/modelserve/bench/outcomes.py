"""What becomes of a call; each one has exactly one outcome, and none is dropped.

An answer's outcome is its status, such as ``200``. The others say who is to blame, which decides
whether a server that stops has lost anything: a call was accepted when the server had read all of it.
"""

from __future__ import annotations

REFUSED = "refused"
"""No connection could be made: nothing was sent."""

UNREAD = "unread"
"""The connection closed before the server had read all of the call, and it may be sent again.

Told by TCP: a kernel that is left with unread bytes when its program closes a connection answers with
a reset, else it says goodbye in order. Through a proxy this tells of the proxy.
"""

LOST = "lost"
"""The server had read the call, and closed the connection without a whole answer."""

TIMEOUT = "timeout"
"""No answer came in the time that a call has; the connection was given up."""

MALFORMED = "malformed"
"""What came was no HTTP/1.1 answer."""

UNSENT = "unsent"
"""Open loop: the time of the call had come, and no connection was free until the end."""


def is_good(outcome: str) -> bool:
    """Whether the call was answered with what it asked for."""
    return outcome.startswith("2")


def is_answer(outcome: str) -> bool:
    """Whether the server answered, be it with a refusal."""
    return outcome.isdigit()
