"""What the detector's metrics say of services that nobody calls any more."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from drift_detector.following import Follower
from modelserve.drift.baselines import References
from modelserve.drift.metrics import DriftMetrics
from modelserve.drift.store import Store
from modelserve.drift.table import Table
from modelserve.drift.verdicts import FeatureVerdict, Outcome, Source, Verdict
from modelserve.drift.windows import Window
from modelserve.events import Component

HOUR = 3600.0
FEATURE = FeatureVerdict("length", "kolmogorov_smirnov", 0.5, 1e-9, 1e-8, 0.5, 1000, 200, drifted=True)


def close(store: Store, service: str, *, at: float) -> None:
    """A window of a service whose verdict is an alarm."""
    source = Source(Component("default", service, "predictor"), f"{service}-predictor-00001", "sha256:1")
    said = Verdict(source, "reference", "v1", at - 1, at, 200, Outcome.DRIFT, "", [FEATURE], alarm=True)
    window = Window(source, at - 1, at, Table.from_rows([{"length": 1.0}]), [None])
    store.close_window(window, [(said, [])], keep_calls=1)


def test_an_alarm_lasts_as_long_as_its_window_is_kept(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'drift.db'}")
    registry = CollectorRegistry()
    metrics = DriftMetrics(registry, seconds=HOUR)
    now = time.time()
    close(store, "deleted", at=now - 3 * HOUR)
    close(store, "quiet", at=now - HOUR)
    Follower(store, References([]), metrics, keep_seconds=24 * HOUR).follow()
    told = generate_latest(registry).decode()
    assert told.count('model="deleted"') == told.count('model="quiet"') == 5
    Follower(store, References([]), metrics, keep_seconds=2 * HOUR).follow()
    told = generate_latest(registry).decode()
    assert 'model="deleted"' not in told
    assert 'modelserve_drift_detected{baseline="reference",model="quiet"' in told
    store.close()
