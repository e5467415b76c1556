"""Closed and open loop: two answers to the question of when the next call is sent.

A closed loop has a number of callers, each of whom calls again when it is answered: it finds the
most that a server can do. An open loop sends at times that are settled beforehand: it finds what
callers see at a rate that the server does not choose.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from time import perf_counter, process_time

from modelserve.bench.calls import Target
from modelserve.bench.channel import Channel
from modelserve.bench.outcomes import REFUSED, UNSENT
from modelserve.bench.pacing import due_times
from modelserve.bench.recording import Recording, Report

_SWEEP_SECONDS = 0.1
"""How often calls are looked for that take too long: a look at all costs less than a timer for each."""

_LOOK_SECONDS = 0.001
"""Calls that are due within this time are sent together: a look for answers costs more than a call."""

_RETRY_SECONDS = 0.05
"""Pause of a caller after a refused connection, which comes at once and would be tried at once."""


class _Loop(ABC):
    """What both loops share: channels, a recording, and an end that every call reaches."""

    def __init__(
        self, target: Target, calls: Sequence[bytes], *, channels: int, timeout_seconds: float
    ) -> None:
        self._channels = [Channel(target, self._ended) for _ in range(channels)]
        self._next_call = cycle(calls).__next__
        self._timeout_seconds = timeout_seconds
        self._next_sweep = 0.0
        self.recording = Recording()

    @abstractmethod
    def _ended(self, channel: Channel, outcome: str, body: bytes) -> None:
        """Record a call that ended, and send what comes next."""

    def _record(self, channel: Channel, outcome: str) -> None:
        self.recording.add(channel.intended, perf_counter(), outcome)

    async def _sleep_until(self, moment: float) -> None:
        """Sleep, and give up calls that take too long meanwhile."""
        while (left := moment - perf_counter()) > 0:
            await asyncio.sleep(min(left, _SWEEP_SECONDS))
            self._sweep_in_time()

    async def _drain(self) -> None:
        """Wait until no call is in progress."""
        while any(channel.is_busy for channel in self._channels):
            await asyncio.sleep(_SWEEP_SECONDS / 10)
            self._sweep_in_time()

    def _sweep_in_time(self) -> None:
        """Look for calls that take too long, if the last look was long enough ago."""
        now = perf_counter()
        if now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP_SECONDS
        oldest = now - self._timeout_seconds
        for channel in self._channels:
            if channel.is_busy and channel.sent < oldest:
                channel.give_up()

    def close(self) -> None:
        """Close every connection."""
        for channel in self._channels:
            channel.close()


class ClosedLoop(_Loop):
    """A number of callers, each of whom calls again when it is answered.

    Args:
        target: the server.
        calls: sent in turn.
        callers: connections, each with one call in progress.
        timeout_seconds: after which a call is given up.
    """

    def __init__(
        self, target: Target, calls: Sequence[bytes], *, callers: int, timeout_seconds: float = 30.0
    ) -> None:
        super().__init__(target, calls, channels=callers, timeout_seconds=timeout_seconds)
        self._is_sending = False

    async def run(
        self, *, warm_up_seconds: float = 0.0, seconds: float | None = None, requests: int | None = None
    ) -> Report:
        """Send for a time, or until so many calls have ended after the warm-up."""
        self._is_sending = True
        start, cpu = perf_counter() + warm_up_seconds, process_time()
        for channel in self._channels:
            channel.send(self._next_call())
        if warm_up_seconds > 0:
            await self._sleep_until(start)
            cpu = process_time()
        if requests is None:
            assert seconds is not None, "one of both says when it ends"
            await self._sleep_until(start + seconds)
        else:
            most = len(self.recording) + requests
            while len(self.recording) < most:
                await asyncio.sleep(_SWEEP_SECONDS / 10)
                self._sweep_in_time()
        stop, cpu = perf_counter(), process_time() - cpu
        await self.stop()
        return self.recording.report(start, stop, cpu_seconds=cpu)

    async def stop(self) -> None:
        """Send no more, and wait for the calls in progress."""
        self._is_sending = False
        await self._drain()
        self.close()

    def _ended(self, channel: Channel, outcome: str, body: bytes) -> None:
        self._record(channel, outcome)
        if not self._is_sending:
            return
        if outcome == REFUSED:
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._resume, channel)
        else:
            channel.send(self._next_call())

    def _resume(self, channel: Channel) -> None:
        if self._is_sending:
            channel.send(self._next_call())


class OpenLoop(_Loop):
    """Calls at a rate that does not depend on the answers.

    A call that is due while every connection is busy waits for one, and its waiting counts.

    Args:
        target: the server.
        calls: sent in turn.
        rate: calls per second.
        spacing: ``poisson`` or ``even``.
        connections: most calls in progress.
        timeout_seconds: after which a call is given up, from when it was sent.
    """

    def __init__(
        self,
        target: Target,
        calls: Sequence[bytes],
        *,
        rate: float,
        spacing: str = "poisson",
        connections: int = 512,
        timeout_seconds: float = 30.0,
    ) -> None:
        super().__init__(target, calls, channels=connections, timeout_seconds=timeout_seconds)
        self._rate, self._spacing = rate, spacing
        self._free = deque(self._channels)
        self._waiting: deque[float] = deque()

    async def run(self, *, warm_up_seconds: float = 0.0, seconds: float) -> Report:
        """Send for a time; what could not be sent until its end is ``unsent``."""
        began = perf_counter()
        start, stop = began + warm_up_seconds, began + warm_up_seconds + seconds
        cpu, is_warm, looked = process_time(), warm_up_seconds > 0, began
        for offset in due_times(self._rate, warm_up_seconds + seconds, spacing=self._spacing):
            due = began + offset
            if is_warm and due >= start:
                cpu, is_warm = process_time(), False
            if due > (now := perf_counter()):
                await self._sleep_until(due)
                looked = perf_counter()
            elif now - looked > _LOOK_SECONDS:
                await asyncio.sleep(0)  # answers are read even by a generator that cannot keep up
                looked = now
            self.recording.add_lag(perf_counter() - due)
            self._offer(due)
        await self._sleep_until(stop)
        cpu = process_time() - cpu
        while self._waiting:
            self.recording.add(self._waiting.popleft(), perf_counter(), UNSENT)
        await self._drain()
        self.close()
        return self.recording.report(start, stop, cpu_seconds=cpu)

    def _offer(self, due: float) -> None:
        if self._free:
            self._free.popleft().send(self._next_call(), due)
        else:
            self._waiting.append(due)

    def _ended(self, channel: Channel, outcome: str, body: bytes) -> None:
        self._record(channel, outcome)
        if self._waiting:
            channel.send(self._next_call(), self._waiting.popleft())
        else:
            self._free.append(channel)
