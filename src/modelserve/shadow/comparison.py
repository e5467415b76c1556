"""The shadow itself: a logged call in, a replayed and compared one counted, and nothing to any caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from modelserve.events import EventError, Pair
from modelserve.events.calls import Call
from modelserve.events.payloads import read_call
from modelserve.shadow.comparing import ComparisonError, ItemComparison, compare
from modelserve.shadow.gallery import example_of
from modelserve.shadow.metrics import ShadowMetrics
from modelserve.shadow.rate import TokenBucket
from modelserve.shadow.replaying import Failure, Replayer
from modelserve.shadow.results import UNKNOWN, Results, Source

SKIPPED_RATE = "skipped_rate"
SKIPPED_REVISION = "skipped_revision"
UNREADABLE = "unreadable"
UNNAMED_MODEL = "unnamed_model"


class Shadow:
    """Replays and compares calls; as many at a time as callers of ``take`` there are.

    Args:
        replayer: asks the other server.
        results: where all of it is counted.
        metrics: likewise, for Prometheus.
        rate: how many calls are replayed.
        revision: the one whose answers are compared; None for all of them.
        waits: whether a call above the rate waits for its turn, as one from a file can. One that is mirrored
            live is skipped: others are behind it.
    """

    def __init__(
        self,
        replayer: Replayer,
        results: Results,
        metrics: ShadowMetrics,
        *,
        rate: TokenBucket,
        revision: str | None = None,
        waits: bool = False,
    ) -> None:
        self._replayer, self._results, self._metrics = replayer, results, metrics
        self._rate, self._revision, self._waits = rate, revision, waits

    async def take(self, pair: Pair) -> None:
        """Replay and compare a call; it is counted when this ends, whatever became of it."""
        try:
            logged = read_call(pair)
        except EventError:
            self.skip(UNREADABLE)
            return
        source = Source.of(logged, self._replayer.model_of(logged))
        if self._revision is not None and logged.revision != self._revision:
            self._skip(SKIPPED_REVISION, source)
            return
        model = self._replayer.model_of(logged)
        if model is None:
            self._skip(UNNAMED_MODEL, source)
            return
        if not await self._may_replay():
            self._skip(SKIPPED_RATE, source)
            return
        answer = await self._replayer.replay(pair.request, logged, model)
        if isinstance(answer, Failure):
            self._fail(answer.reason, model)
            return
        try:
            replayed = read_call(Pair(pair.request, answer))
            items = compare(logged, replayed)
        except (EventError, ComparisonError):
            self._fail("unreadable", model)
            return
        if items:
            self._count(pair, logged, replayed, items, model)
        else:
            self._skip("empty", source)

    async def close(self) -> None:
        """Close the connections."""
        await self._replayer.close()

    async def _may_replay(self) -> bool:
        now = time.monotonic()
        if not self._waits:
            return self._rate.take(now=now)
        await asyncio.sleep(self._rate.reserve(now=now))
        return True

    def skip(self, outcome: str) -> None:
        """Count a call that is not compared, and was not read."""
        self._skip(outcome, Source(UNKNOWN, UNKNOWN, UNKNOWN))

    def _skip(self, outcome: str, source: Source) -> None:
        self._results.skip(outcome)
        self._metrics.counted(source.model, source.revision, outcome)

    def _fail(self, reason: str, model: str) -> None:
        self._results.fail(reason)
        self._metrics.counted(model, UNKNOWN, f"failed_{reason}")

    def _count(
        self, pair: Pair, logged: Call, replayed: Call, items: Sequence[ItemComparison], model: str
    ) -> None:
        replayed_source = Source.of(replayed, model)
        logged_source = Source.of(logged, model)
        outcome = self._results.add(logged, replayed, items, pair.request.time)
        self._results.answered_by(logged_source, replayed_source)
        by = (replayed_source.model, replayed_source.revision)
        share = sum(item.disagrees for item in items) / len(items)
        self._metrics.counted(*by, outcome)
        self._metrics.compared(*by, logged_revision=logged_source.revision, share=share)
        self._metrics.answered(*by, logged_seconds=logged.seconds, replayed_seconds=replayed.seconds)
        self._metrics.estimated(*by, self._results)
        gallery = self._results.gallery
        for number, item in enumerate(items):
            if item.disagrees and gallery.wants(item.severity):
                gallery.keep(example_of(pair.request, number, item.severity, logged, replayed))
