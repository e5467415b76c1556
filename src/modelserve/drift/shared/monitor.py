"""A monitor among several."""

from __future__ import annotations

from collections.abc import Callable

from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.monitor import Monitor, MonitorOptions
from modelserve.drift.shared.joiner import SharedJoiner
from modelserve.drift.shared.keeper import SharedKeeper
from modelserve.drift.shared.redis import SharedRedis
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Verdict


def shared_monitor(
    redis: SharedRedis,
    store: Store,
    references: References,
    assessor: Assessor,
    options: MonitorOptions,
    *,
    tell: Callable[[Verdict], None],
) -> Monitor:
    """One of the monitors of a Redis and a store."""
    joiner = SharedJoiner(redis, wait_seconds=options.join_seconds)
    keeper = SharedKeeper(redis, store, size=options.window_samples, seconds=options.window_seconds)
    return Monitor(joiner, keeper, references, assessor, options, tell=tell)
