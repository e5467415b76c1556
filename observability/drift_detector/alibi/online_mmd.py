"""A stream of vectors, by the maximum mean discrepancy of the last of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drift_detector.alibi.library import alibi_detect, seeded
from drift_detector.alibi.thresholds import mmd_thresholds
from drift_detector.alibi.vectors import finite, thinned, width
from modelserve.drift.detectors import Comparison
from modelserve.drift.table import Column

MEMORY = 20
"""Vectors that are compared with the reference."""

_STREAMS_PER_SAMPLE = 25
"""A threshold is passed by 25 of the simulated streams, so that the run time is met to about a fifth."""


class OnlineMaximumMeanDiscrepancy:
    """alibi-detect's ``MMDDriftOnline``, with thresholds from arrays.

    The statistic and the effect are those of ``MaximumMeanDiscrepancy``, of the last 20 vectors.

    Args:
        reference: float32 [n, d], at least 80; at most 500 of them are compared.
        run_time: samples to the first alarm without drift, on average.

    Raises:
        ValueError: the reference is too small, or all of its vectors are the same.
    """

    name = "online_mmd"
    memory = MEMORY

    def __init__(self, reference: Column, run_time: int) -> None:
        if len(reference) < 4 * MEMORY:
            raise ValueError(
                f"a stream needs a reference of {4 * MEMORY} vectors; there are {len(reference)}"
            )
        if (reference == reference[0]).all():
            raise ValueError("a stream needs a reference in which not all vectors are the same")
        base = alibi_detect("cd.tensorflow.mmd_online").MMDDriftOnlineTF

        class Detector(base):  # type: ignore[misc, valid-type]
            """Whose thresholds take seconds to find."""

            def _configure_thresholds(self) -> None:
                kernel = self.k_xx.numpy().astype(np.float64)
                streams = _STREAMS_PER_SAMPLE * run_time
                self.thresholds = mmd_thresholds(kernel, MEMORY, run_time=run_time, streams=streams)

        kept = finite(thinned(reference))
        with seeded():
            self._detector: Any = Detector(kept, run_time, MEMORY, sigma=width(kept), verbose=False)
        self._p_value = 1 / run_time

    def update(self, sample: Column) -> Comparison | None:
        """Take one more vector, float32 [d]: what is found where it raises an alarm."""
        detector = self._detector
        said = detector.predict(finite(sample))["data"]
        # It keeps all that it ever said, and copies it at every sample.
        detector.test_stats = detector.drift_preds = np.array([])
        if not said["is_drift"]:
            return None
        squared = float(said["test_stat"])
        across = float(np.mean(detector.k_xy))
        return Comparison(squared, self._p_value, math.sqrt(squared / (squared + 2 * across)))

    def reset(self) -> None:
        """Forget all samples, but not the reference."""
        self._detector.reset_state()
