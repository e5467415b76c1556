"""One call as telemetry sees it: a protocol, the call that records nothing, and the current one.

The server handles every call through this protocol, whether it is traced or not, so that its code
has one path. What is not traced has to cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, "str | bool | int | float"]


class Call(Protocol):
    """A call from its arrival to its answer. Every method may be called on any thread."""

    @property
    def recording(self) -> bool:
        """Whether this call's spans are kept."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty where tracing is off."""

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits; empty where tracing is off."""

    def phase(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        *,
        attributes: Attributes | None = None,
    ) -> None:
        """Record a part of the call that is over, as a child span.

        Args:
            name: of the part, the same for every call.
            start_ns: when it began, as ``time.time_ns`` tells it.
            end_ns: when it ended.
            attributes: of the child span.
        """

    def end(self, *, outcome: str, error: BaseException | None = None) -> None:
        """Record that the call was answered; what comes after this about it is not kept.

        Args:
            outcome: the metrics' label: ``ok``, the name of the request error, or ``internal``.
            error: why it failed. Only a fault of the server makes the span an error, as the
                conventions have it; a caller's mistake does not.
        """

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        """Add the headers by which whoever gets ``carrier`` continues this call's trace."""

    def active(self) -> AbstractContextManager[object]:
        """Make this the call that log lines are about, inside a ``with`` block.

        The server enters it in the coroutine that handles the call. Tasks that are started inside
        inherit it. Threads do not: ``asyncio.to_thread`` hands it over, ``run_in_executor`` needs
        ``contextvars.copy_context().run`` around what it runs.
        """


class _NoCall:
    """The call where tracing is off: one object for all of them."""

    __slots__ = ()

    recording = False
    trace_id = ""
    span_id = ""
    _inactive: AbstractContextManager[object] = nullcontext()

    def phase(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        *,
        attributes: Attributes | None = None,
    ) -> None:
        pass

    def end(self, *, outcome: str, error: BaseException | None = None) -> None:
        pass

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        pass

    def active(self) -> AbstractContextManager[object]:
        return self._inactive


NO_CALL: Call = _NoCall()

_current: ContextVar[Call] = ContextVar("modelserve_call", default=NO_CALL)


def current_call() -> Call:
    """The call that this task or thread works for; ``NO_CALL`` where there is none."""
    return _current.get()


class ActiveCall:
    """The ``with`` block of a traced call; see ``Call.active``."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._token = _current.set(self._call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
