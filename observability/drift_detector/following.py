"""What the detector reads from its store from time to time, as other processes write there too."""

from __future__ import annotations

import logging
import time
from time import monotonic

from modelserve.database import StoreError
from modelserve.drift.baselines import References
from modelserve.drift.metrics import DriftMetrics
from modelserve.drift.store import Store

logger = logging.getLogger(__name__)

_MOST_VERDICTS = 1000
_REFERENCES_SECONDS = 5.0


class Follower:
    """Keeps metrics and references as the store has them, and the store from growing for ever.

    Args:
        store: of all detectors that share it.
        references: those in use.
        metrics: are told of each verdict, whoever said it.
        keep_seconds: how long windows and verdicts are kept.
    """

    def __init__(
        self, store: Store, references: References, metrics: DriftMetrics, *, keep_seconds: float
    ) -> None:
        self._store, self._references, self._metrics = store, references, metrics
        self._keep_seconds = keep_seconds
        self._last, self._looked = 0, float("-inf")

    def follow(self) -> None:
        """Read what is new: to be called every second or so. Where the store is away, the next time."""
        try:
            for stored in self._store.verdicts(after=self._last, last=_MOST_VERDICTS):
                self._metrics.tell(stored.verdict)
                self._last = stored.number
            if monotonic() - self._looked >= _REFERENCES_SECONDS:
                for reference in self._store.latest_references(but=[one.version for one in self._references]):
                    self._references.add(reference)
                before = time.time() - self._keep_seconds
                self._store.forget(before=before)
                self._metrics.forget(before=before)
                self._looked = monotonic()
        except StoreError as error:
            logger.warning("%s; metrics are not up to date", error)
