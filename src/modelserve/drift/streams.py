"""Samples looked at as they come, so that a sudden change is told before its window is full."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from modelserve.drift.baselines import References
from modelserve.drift.detectors import Comparison
from modelserve.drift.detectors.online import OnlineDetector
from modelserve.drift.references import Reference
from modelserve.drift.table import Column, Kind, Row
from modelserve.drift.verdicts import FeatureVerdict, Outcome, Source, Verdict
from modelserve.drift.windows import Observation, Window

logger = logging.getLogger(__name__)

STREAM = "reference (online)"
"""The name of this baseline: it is the reference, and has verdicts and alarms of its own."""

MakeOnline: TypeAlias = Callable[[Column, int], OnlineDetector]
"""A detector of a reference, float32 [n, d], and of a run time in samples."""

_MOST_AT_ONCE = 10
"""To look at one takes milliseconds. Where more come between two looks, the window is full soon as well."""

_MOST_SOURCES = 16


@dataclass(slots=True)
class _Stream:
    """Of one source: its detectors by feature, once they are made, and what of the open window was seen.

    ``opened`` and ``closed`` are of the first and the last call that was seen of it.
    """

    reference: Reference
    detectors: Future[Mapping[str, OnlineDetector]]
    waiting: list[Row] = field(default_factory=list)
    opened: float = 0.0
    closed: float = 0.0
    samples: int = 0
    has_alarm: bool = False


class Streams:
    """Watches the features that are vectors, of sources that have a reference.

    There is one verdict a window: of drift at once, after which the window is watched no more, or else none
    of drift when the window closes. What was seen is in memory alone: a restart begins anew.

    Args:
        make: an online detector.
        references: the baselines, by model.
        run_time: samples of a source from one alarm to the next, on average, where nothing has changed.
        making: where detectors are made, which takes seconds; until then samples pass unseen.
    """

    def __init__(self, make: MakeOnline, references: References, *, run_time: int, making: Executor) -> None:
        self._make, self._references, self._run_time = make, references, run_time
        self._making = making
        self._streams: OrderedDict[Source, _Stream] = OrderedDict()

    def add(self, source: Source, observation: Observation) -> None:
        """Take a call, the first samples of which are looked at the next time."""
        stream = self._stream(source)
        if stream is None or stream.has_alarm or not stream.detectors.done() or not stream.detectors.result():
            return
        if not stream.samples and not stream.waiting:
            stream.opened = observation.at
        stream.closed = observation.at
        stream.waiting.extend(observation.rows[: _MOST_AT_ONCE - len(stream.waiting)])

    def look(self) -> list[Verdict]:
        """Look at what came since the last time: a verdict on each source whose samples raise an alarm."""
        verdicts = []
        for source, stream in self._streams.items():
            if not stream.waiting:
                continue
            detectors = stream.detectors.result()
            alarms = [
                _feature(name, detector, found, stream.reference, comparisons=len(detectors))
                for name, detector in detectors.items()
                if (found := _look(detector, _vectors(stream, name))) is not None
            ]
            stream.samples += len(stream.waiting)
            stream.waiting.clear()
            if alarms:
                stream.has_alarm = True
                alarms.sort(key=lambda found: found.effect, reverse=True)
                verdicts.append(_verdict(source, stream, Outcome.DRIFT, alarms))
        return verdicts

    def assess(self, window: Window) -> list[Verdict]:
        """What is left to say of a window that has closed."""
        stream = self._streams.get(window.source)
        if stream is None or stream.has_alarm or not stream.samples:
            return []
        return [_verdict(window.source, stream, Outcome.STEADY, [])]

    def close_window(self, source: Source) -> None:
        """The source's next window begins."""
        stream = self._streams.get(source)
        if stream is not None:
            if stream.has_alarm:
                for detector in stream.detectors.result().values():
                    detector.reset()
            stream.samples, stream.has_alarm = 0, False

    def _stream(self, source: Source) -> _Stream | None:
        reference = self._references.find(source)
        if reference is None:
            return None
        stream = self._streams.get(source)
        if stream is None or stream.reference.version != reference.version:
            made = self._making.submit(_detectors, self._make, reference, self._run_time)
            stream = self._streams[source] = _Stream(reference, made)
        self._streams.move_to_end(source)
        while len(self._streams) > _MOST_SOURCES:
            self._streams.popitem(last=False)
        return stream


def _detectors(make: MakeOnline, reference: Reference, run_time: int) -> Mapping[str, OnlineDetector]:
    """By feature. Each has the run time of all times their number, as any of them may raise the alarm."""
    names = [name for name, kind in reference.table.kinds.items() if kind is Kind.VECTOR]
    made = {}
    for name in names:
        try:
            made[name] = make(reference.table.known(name, Kind.VECTOR), run_time * len(names))
        except Exception as error:  # a library's: windows are judged without it
            logger.warning("%s of %s is not watched: %s", name, reference.model, error)
        else:
            logger.info("%s of %s is watched", name, reference.model)
    return made


def _vectors(stream: _Stream, name: str) -> list[Column]:
    """Those that wait, of the reference's make."""
    shape = stream.reference.table.columns[name].shape[1:]
    values = [row.get(name) for row in stream.waiting]
    return [value for value in values if isinstance(value, np.ndarray) and value.shape == shape]


def _look(detector: OnlineDetector, vectors: list[Column]) -> Comparison | None:
    """The first alarm."""
    return next((found for vector in vectors if (found := detector.update(vector)) is not None), None)


def _feature(
    name: str, detector: OnlineDetector, found: Comparison, reference: Reference, *, comparisons: int
) -> FeatureVerdict:
    return FeatureVerdict(
        feature=name,
        detector=detector.name,
        statistic=found.statistic,
        p_value=found.p_value,
        corrected_p_value=min(1.0, found.p_value * comparisons),
        effect=found.effect,
        baseline_size=len(reference.table.known(name, Kind.VECTOR)),
        window_size=detector.memory,
        drifted=True,
    )


def _verdict(source: Source, stream: _Stream, outcome: Outcome, features: list[FeatureVerdict]) -> Verdict:
    return Verdict(
        source=source,
        baseline=STREAM,
        reference_version=stream.reference.version,
        opened=stream.opened,
        closed=stream.closed,
        samples=stream.samples,
        outcome=outcome,
        reason="",
        features=features,
        alarm=outcome is Outcome.DRIFT,
    )
