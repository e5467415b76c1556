"""What was taken and is not worked off yet, bounded in number and in bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from modelserve.events.logged import LoggedMessage

_AT_ONCE = 256
"""Messages that the consumer gets together: a look at the queue wakes and locks threads."""

_OVERHEAD_BYTES = 600
"""Of a message's objects, about."""


class Backlog:
    """Messages from the thread that reads them to the one that works on them.

    Bodies that are still being read count for its bytes: many slow senders of large bodies are a load
    as well.

    Args:
        most_messages: that wait; those in work do too.
        most_bytes: of them, and of what is reserved.
    """

    def __init__(self, *, most_messages: int, most_bytes: int) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._waiting: deque[LoggedMessage] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._messages = self._bytes = 0
        self._is_closed = False

    def __len__(self) -> int:
        return self._messages

    @property
    def size(self) -> int:
        """In bytes."""
        return self._bytes

    def reserve(self, size: int) -> bool:
        """Make room for so many bytes of a body; False where there is none."""
        with self._changed:
            if self._bytes + size > self._most_bytes:
                return False
            self._bytes += size
            return True

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        with self._changed:
            self._bytes -= size

    def put(self, messages: Sequence[LoggedMessage]) -> int:
        """Let messages wait; how many of them had room, of which the first ones are."""
        with self._changed:
            for number, message in enumerate(messages):
                size = _size(message)
                if self._messages >= self._most_messages or self._bytes + size > self._most_bytes:
                    return number
                self._waiting.append(message)
                self._messages += 1
                self._bytes += size
                self._changed.notify()
            return len(messages)

    def get(self, *, timeout_seconds: float) -> list[LoggedMessage]:
        """The oldest messages, some at once; none after the time. Each is ``done`` with when it is."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed, timeout_seconds)
            return [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]

    def done(self, message: LoggedMessage) -> None:
        """A message that ``get`` gave does not need its room any more."""
        with self._changed:
            self._messages -= 1
            self._bytes -= _size(message)

    def close(self) -> None:
        """Let ``get`` wait no more: nothing else will come."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _size(message: LoggedMessage) -> int:
    # A name may take four bytes for a character.
    names = len(message.id) + sum(map(len, message.component))
    return len(message.body) + 4 * names + _OVERHEAD_BYTES
