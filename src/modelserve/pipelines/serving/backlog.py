"""What is told of the runs that have not ended: workers can only tell of those that they are at."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from modelserve.database import StoreError
from modelserve.pipelines.store import RunStore

logger = logging.getLogger(__name__)


class Backlog(Collector):
    """Two gauges that are read from the store when they are asked for.

    Every server of a store tells the same. While the store is away there is no number of runs.

    Args:
        store: of the runs.
        most: with so many runs that have not ended, no further one is taken.
    """

    def __init__(self, store: RunStore, most: int) -> None:
        self._store, self._most = store, most

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Their names, without asking the store."""
        yield GaugeMetricFamily("modelserve_pipeline_runs_unfinished", "Runs that have not ended.")
        yield GaugeMetricFamily(
            "modelserve_pipeline_runs_unfinished_limit", "With so many of them no further one is taken."
        )

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Both, as they are now."""
        unfinished, limit = self.describe()
        limit.add_metric([], self._most)
        yield limit
        try:
            unfinished.add_metric([], self._store.unfinished())
        except StoreError as error:
            logger.warning("%s; it is not known how many runs have not ended", error)
            return
        yield unfinished
