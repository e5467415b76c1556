"""What has been counted of one revision's answers, as its own metrics would count them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import orjson

from modelserve.canary.judge.measurements import Counters, Histogram
from modelserve.events import LoggedMessage, Side
from modelserve.events.calls import Call, TextCall
from modelserve.events.event import EventError
from modelserve.events.joining import Pair
from modelserve.events.logged import Component
from modelserve.events.payloads import read_call
from modelserve.telemetry.buckets import SCORES, SECONDS

_NOBODY = Component("", "", "")


class Tally:
    """Counts. Every method may be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, self._errors = 0, 0
        self._seconds = [0] * (len(SECONDS) + 1)
        self._scores = [0] * (len(SCORES) + 1)
        self._labels: Counter[str] = Counter()

    def add(self, seconds: float, predictions: Sequence[tuple[str, float]]) -> None:
        """An answer.

        Args:
            seconds: that it took.
            predictions: in it, each with its score.
        """
        with self._lock:
            self._requests += 1
            self._seconds[bisect_left(SECONDS, seconds)] += 1
            for label, score in predictions:
                self._labels[label] += 1
                self._scores[bisect_left(SCORES, score)] += 1

    def add_error(self, seconds: float) -> None:
        """A call without an answer, or with one that says that there is none."""
        with self._lock:
            self._requests += 1
            self._errors += 1
            self._seconds[bisect_left(SECONDS, seconds)] += 1

    def counters(self) -> Counters:
        """As they are now."""
        with self._lock:
            return Counters(
                requests=self._requests,
                errors=self._errors,
                seconds=Histogram(SECONDS, list(self._seconds)),
                labels=dict(self._labels),
                confidence=Histogram(SCORES, list(self._scores)),
            )


def revision_of(answer: bytes) -> str | None:
    """The revision that an answer says it is of; None where it does not say, as other servers' do not."""
    try:
        found = orjson.loads(answer)
        revision = found["parameters"]["revision"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(revision)


def predictions_of(request: bytes, answer: bytes) -> Sequence[tuple[str, float]]:
    """Labels with their scores, as this package's servers count them; none where the model is another's."""
    asked = LoggedMessage(_NOBODY, "", Side.REQUEST, 0.0, request)
    answered = LoggedMessage(_NOBODY, "", Side.RESPONSE, 0.0, answer)
    try:
        call: Call = read_call(Pair(asked, answered))
    except EventError:
        return []
    if isinstance(call, TextCall):
        return [(one.type, one.score) for found in call.entities for one in found]
    return [(one.labels[0], one.scores[0]) for one in call.classes if one.labels]
