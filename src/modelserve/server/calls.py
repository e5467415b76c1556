"""One inference call, accounted for: whatever becomes of it is counted, timed and traced."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from modelserve.errors import RequestError
from modelserve.exchange import Exchange
from modelserve.execution import Timeline
from modelserve.server.dataplane import DataPlane
from modelserve.serving import ServedModel
from modelserve.telemetry import NO_CALL, Call
from modelserve.telemetry.conventions import BATCH_SIZE

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")


class AccountedCall:
    """A call from its arrival to its answer; made by ``account`` and ``count_refusal``."""

    def __init__(self, plane: DataPlane, name: str, protocol: str) -> None:
        self._plane = plane
        self._name = name
        self._protocol = protocol
        self._timeline = Timeline()
        self.size: int | None = None

    async def answer(
        self, model: ServedModel, exchange: Exchange[AnswerT], *, timeout_seconds: float | None
    ) -> AnswerT:
        """Let the model answer.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        return await model.answer(exchange, timeline=self._timeline, timeout_seconds=timeout_seconds)

    def ended(self, *, outcome: str, seconds: float, trace: Call, error: BaseException | None) -> None:
        """Tell the metrics, the statistics and the trace."""
        plane, timeline, metrics = self._plane, self._timeline, self._plane.metrics
        # A name that a caller made up must not make a series.
        known = self._name if plane.has(self._name) else ""
        metrics.answered(
            model=known,
            protocol=self._protocol,
            outcome=outcome,
            seconds=seconds,
            size=self.size,
            trace_id=trace.trace_id if trace.recording else "",
        )
        queue_seconds = None
        for phase, start_ns, end_ns in timeline.phases:
            if phase == "queue":
                queue_seconds = (end_ns - start_ns) / 1e9
                metrics.queued(model=known, seconds=queue_seconds)
            if trace.recording:
                size = {BATCH_SIZE: timeline.batch_size} if phase == "engine" else None
                trace.phase(phase, start_ns, end_ns, attributes=size)
        for count, is_hit in ((timeline.cache_hits, True), (timeline.cache_misses, False)):
            for _ in range(count):
                metrics.looked_up(model=known, is_hit=is_hit)
        if timeline.labels:
            metrics.predicted(model=known, labels=timeline.labels, scores=timeline.scores)
        metrics.queue_changed()
        if known:
            plane.answered(known, succeeded=outcome == "ok", seconds=seconds, queue_seconds=queue_seconds)
        trace.end(outcome=outcome, error=error)


@contextmanager
def account(
    plane: DataPlane, *, name: str, protocol: str, span: tuple[str, dict[str, Any]], carrier: Any
) -> Iterator[AccountedCall]:
    """Account for the call that is answered within.

    Args:
        plane: whose metrics, statistics and tracing count it.
        name: of the model, as the caller wrote it.
        protocol: the metrics' label: ``v1``, ``v2`` or ``grpc``.
        span: name and attributes, from ``modelserve.telemetry.conventions``.
        carrier: headers or metadata that may hold a trace's context.
    """
    call = AccountedCall(plane, name, protocol)
    trace = plane.tracing.start(span[0], carrier=carrier, attributes=span[1])
    began = time.perf_counter()
    outcome = "internal"
    failure: BaseException | None = None
    try:
        with trace.active():
            yield call
        outcome = "ok"
    except RequestError as error:
        outcome, failure = _snake_case(type(error).__name__), error
        raise
    except BaseException as error:
        # A caller that went away is not the server's fault.
        outcome = "internal" if isinstance(error, Exception) else "cancelled"
        failure = error
        raise
    finally:
        call.ended(outcome=outcome, seconds=time.perf_counter() - began, trace=trace, error=failure)


def count_refusal(plane: DataPlane, error: RequestError, *, name: str, protocol: str) -> None:
    """Account for a call that was refused unread and untraced, as ``account`` does for others.

    Args:
        plane: whose metrics and statistics count it.
        error: that its caller is told.
        name: of the model, as the caller wrote it.
        protocol: the metrics' label.
    """
    outcome = _snake_case(type(error).__name__)
    AccountedCall(plane, name, protocol).ended(outcome=outcome, seconds=0.0, trace=NO_CALL, error=error)


@cache
def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
