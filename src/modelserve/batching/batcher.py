"""The dynamic batcher: one thread that computes, fed by calls that wait on an event loop.

The thread owns the engine and takes its next batch itself, so that a busy event loop never leaves the
engine idle. Each call is a ticket with the places for its own answers: what is computed together is put
back by place, and cannot be mixed up. Where a batch fails, its calls are computed again one by one, so
that the one at fault fails alone.

A call that finds nobody else may run on the thread as a whole, from its decoding to its encoding: with no
other call to work beside it, handing it from thread to thread is all cost.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from modelserve.batching.planner import LOOKED_AT, BatchPolicy, Unit, choose_batch
from modelserve.batching.window import Window
from modelserve.errors import DeadlineExceeded

DataT = TypeVar("DataT")
OutputT = TypeVar("OutputT")
ResultT = TypeVar("ResultT")

Observer = Callable[[float, int], None]
"""Told of each batch: the seconds in the engine and the number of units."""


@dataclass(frozen=True, slots=True)
class Computed(Generic[OutputT]):
    """The outputs of a call's units, in their order, and when, in ``time.time_ns``, they were made."""

    outputs: list[OutputT]
    queued_ns: int
    began_ns: int
    ended_ns: int
    largest_batch: int


class _Ticket(Generic[OutputT]):
    """One call's units on their way; guarded by the batcher's lock until it is delivered."""

    __slots__ = (
        "began_ns", "error", "future", "largest_batch", "left", "loop", "outputs", "queued_ns", "withdrawn",
    )  # fmt: skip

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[Computed[OutputT]] = loop.create_future()
        self.outputs: list[Any] = [None] * count
        self.left = count
        self.queued_ns = time.time_ns()
        self.began_ns = 0
        self.largest_batch = 0
        self.error: Exception | None = None
        self.withdrawn = False

    def deliver(self, ended_ns: int) -> None:
        """Tell the call; on its event loop."""
        if self.future.done():  # the caller has gone
            return
        if self.error is not None:
            self.future.set_exception(self.error)
            return
        self.future.set_result(
            Computed(self.outputs, self.queued_ns, self.began_ns, ended_ns, self.largest_batch)
        )


class _Job:
    """Work that has the thread for itself."""

    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()

    def run(self) -> None:
        """Do it, on the batcher's thread, and tell who waits for it."""
        try:
            result, error = self.work(), None
        except Exception as raised:
            result, error = None, raised
        with suppress(RuntimeError):  # the loop is closed, and whoever waited on it has gone
            self.loop.call_soon_threadsafe(self._deliver, result, error)

    def _deliver(self, result: Any, error: Exception | None) -> None:
        if self.future.done():  # the caller has gone
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


@dataclass(frozen=True, slots=True)
class _Place(Generic[DataT, OutputT]):
    unit: Unit[DataT]
    ticket: _Ticket[OutputT]
    index: int
    arrived_seconds: float


class Batcher(Generic[DataT, OutputT]):
    """Computes units of many calls together.

    A call enters, submits its units once, and leaves; all on an event loop, of which there may be
    several. ``waiting`` counts the calls that have entered and of which nothing is computed yet.

    Args:
        compute: one engine call, from the data of a batch's units to an output for each.
        policy: what a batch may hold.
        window_seconds: the longest wait for company; see ``modelserve.batching.window``.
        name: of the thread.
        observe: told of each batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[DataT]], Sequence[OutputT]],
        policy: BatchPolicy,
        *,
        window_seconds: float = 0.0,
        name: str = "engine",
        observe: Observer | None = None,
    ) -> None:
        self._compute = compute
        self._policy = policy
        self._window = Window(window_seconds)
        self._observe = observe
        self._changed = threading.Condition()
        self._queue: list[_Place[DataT, OutputT]] = []
        self._inside = 0
        self._preparing = 0
        self._closed = False
        self._job: _Job | None = None
        self._is_idle = False
        self._seconds_per_unit = 0.0
        self.waiting = 0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def enter(self) -> bool:
        """Announce a call that is being decoded; False where the batcher is closed."""
        with self._changed:
            if self._closed:
                return False
            self._inside += 1
            self._preparing += 1
            self.waiting += 1
            return True

    def leave(self, *, submitted: bool) -> None:
        """End a call that has entered, whether or not its units were submitted."""
        with self._changed:
            self._inside -= 1
            if not submitted:
                self._preparing -= 1
                self.waiting -= 1
            if self._closed or not submitted:
                self._changed.notify()

    def run_alone(self, work: Callable[[], ResultT]) -> asyncio.Future[ResultT] | None:
        """Run a call that has entered on the thread, if there is no other and the engine is idle.

        The work computes with ``compute_now``. The call counts as one whose units were submitted; where
        the work leaves them to be submitted, ``rejoin`` comes before.

        Returns:
            The work's result to come, or None where the call has to go the usual way.
        """
        with self._changed:
            if self._inside != 1 or self._queue or not self._is_idle:
                return None
            self._is_idle = False
            self._preparing -= 1
            self.waiting -= 1
            self._job = job = _Job(work, asyncio.get_running_loop())
            self._changed.notify()
        return job.future

    def rejoin(self) -> None:
        """Count a call that ran alone as one that has entered and not yet submitted."""
        with self._changed:
            self._preparing += 1
            self.waiting += 1

    def compute_now(self, batch: Sequence[DataT]) -> Sequence[OutputT]:
        """Compute one batch; on the batcher's thread."""
        began = time.perf_counter()
        outputs = self._compute(batch)
        seconds = time.perf_counter() - began
        self._seconds_per_unit = 0.8 * self._seconds_per_unit + 0.2 * seconds / len(batch)
        if self._observe is not None:
            self._observe(seconds, len(batch))
        return outputs

    @property
    def expected_wait_seconds(self) -> float:
        """About how long the queue takes, by the engine's recent speed."""
        return len(self._queue) * self._seconds_per_unit

    async def submit(
        self, units: Sequence[Unit[DataT]], *, timeout_seconds: float | None = None
    ) -> Computed[OutputT]:
        """Compute a call's units, at least one; once for a call that has entered.

        Args:
            units: what to compute.
            timeout_seconds: how long they may wait; what has begun is computed to its end.

        Raises:
            DeadlineExceeded: they waited longer.
            Exception: what the engine raised.
        """
        ticket: _Ticket[OutputT] = _Ticket(len(units), asyncio.get_running_loop())
        now = time.monotonic()
        with self._changed:
            self._preparing -= 1
            self._queue += [_Place(unit, ticket, index, now) for index, unit in enumerate(units)]
            self._window.arrived(now)
            self._changed.notify()
        try:
            done, _ = await asyncio.wait({ticket.future}, timeout=timeout_seconds)
            if not done and self._withdraw(ticket, begun_too=False):
                raise DeadlineExceeded("the caller's deadline passed in the queue")
            return await ticket.future
        except asyncio.CancelledError:
            self._withdraw(ticket, begun_too=True)
            raise

    def close(self) -> None:
        """Take no more calls; the thread ends when those inside have left."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _withdraw(self, ticket: _Ticket[OutputT], *, begun_too: bool) -> bool:
        with self._changed:
            if ticket.began_ns and not begun_too:
                return False
            ticket.withdrawn = True
            if not ticket.began_ns:
                self.waiting -= 1
            self._queue = [place for place in self._queue if place.ticket is not ticket]
            return True

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            if isinstance(taken, _Job):
                taken.run()
            else:
                self._run(taken)

    def _take(self) -> list[_Place[DataT, OutputT]] | _Job | None:
        """The next batch or job, once there is one; None when no more can come."""
        with self._changed:
            while True:
                if self._job is not None:
                    job, self._job = self._job, None
                    return job
                if not self._queue:
                    if self._closed and self._inside == 0:
                        return None
                    self._is_idle = True
                    self._changed.wait()
                    continue
                self._is_idle = False
                chosen = choose_batch([place.unit for place in self._queue[:LOOKED_AT]], self._policy)
                wait = self._window.remaining(
                    time.monotonic(),
                    oldest_seconds=self._queue[0].arrived_seconds,
                    preparing=self._preparing,
                )
                is_full = len(chosen) == self._policy.most_units or len(chosen) < len(self._queue)
                if wait > 0 and not is_full:
                    self._changed.wait(wait)
                    continue
                batch = [self._queue[position] for position in chosen]
                for position in sorted(chosen, reverse=True):
                    del self._queue[position]
                self._begin(batch)
                return batch

    def _begin(self, batch: list[_Place[DataT, OutputT]]) -> None:
        now = time.time_ns()
        for place in batch:
            if not place.ticket.began_ns:
                place.ticket.began_ns = now
                self.waiting -= 1

    def _run(self, batch: list[_Place[DataT, OutputT]]) -> None:
        try:
            outputs = self.compute_now([place.unit.data for place in batch])
        except Exception as error:
            tickets = {id(place.ticket) for place in batch}
            if len(tickets) == 1:
                self._finish(batch, None, error)
                return
            for ticket in tickets:
                self._run([place for place in batch if id(place.ticket) == ticket])
            return
        self._finish(batch, outputs, None)

    def _finish(
        self,
        batch: list[_Place[DataT, OutputT]],
        outputs: Sequence[OutputT] | None,
        error: Exception | None,
    ) -> None:
        ended: dict[int, _Ticket[OutputT]] = {}
        with self._changed:
            for row, place in enumerate(batch):
                ticket = place.ticket
                ticket.left -= 1
                ticket.largest_batch = max(ticket.largest_batch, len(batch))
                if outputs is not None:
                    ticket.outputs[place.index] = outputs[row]
                elif ticket.error is None:
                    ticket.error = error
                    # What is left of a call that has failed need not be computed.
                    self._queue = [other for other in self._queue if other.ticket is not ticket]
                    ticket.left = 0
                if ticket.left <= 0 and not ticket.withdrawn:
                    ended[id(ticket)] = ticket
        self._deliver(list(ended.values()))

    @staticmethod
    def _deliver(tickets: list[_Ticket[OutputT]]) -> None:
        now = time.time_ns()
        by_loop: dict[asyncio.AbstractEventLoop, list[_Ticket[OutputT]]] = {}
        for ticket in tickets:
            by_loop.setdefault(ticket.loop, []).append(ticket)

        def deliver_all(ended: list[_Ticket[OutputT]]) -> None:
            for ticket in ended:
                ticket.deliver(now)

        for loop, ended in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed, and whoever waited on it has gone
                loop.call_soon_threadsafe(deliver_all, ended)
