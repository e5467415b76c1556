"""What a comparison has found so far, in memory that does not grow with the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from modelserve.events.calls import Call
from modelserve.shadow.comparing import ItemComparison
from modelserve.shadow.estimating import Mean, Ratio
from modelserve.shadow.gallery import Gallery
from modelserve.shadow.history import History
from modelserve.shadow.latencies import Latencies
from modelserve.shadow.sequence import ShareSequence
from modelserve.shadow.verdicts import Criteria, Verdict, decide

UNKNOWN = "unknown"
"""The model, the revision and the digest of answers that do not tell: those of V1."""

OTHER = "other"

_MOST_SOURCES = 20


class Source(NamedTuple):
    """Who answered."""

    model: str
    revision: str
    model_digest: str

    @classmethod
    def of(cls, call: Call, model: str | None = None) -> Source:
        """Who answered a call; ``model`` is its name where the answer does not tell."""
        return cls(call.model or model or UNKNOWN, call.revision or UNKNOWN, call.model_digest or UNKNOWN)


class Results:
    """The sums and the estimates of one comparison.

    ``outcomes`` counts what became of every call that was offered. A call is one observation: its share of
    items that disagree, its sums of entities, its mean distance of scores, its two latencies.
    """

    def __init__(self, criteria: Criteria, *, examples: int) -> None:
        self.criteria = criteria
        self.outcomes: Counter[str] = Counter()
        self.items = self.disagreeing_items = 0
        self.item_share, self.f1 = Ratio(), Ratio()
        self.entities: Counter[str] = Counter()
        self.score_distance = Mean()
        self.logged_latencies, self.replayed_latencies = Latencies(), Latencies()
        self.latency_difference = Mean()
        self.gallery = Gallery(examples)
        self.logged_sources: Counter[Source] = Counter()
        self.replayed_sources: Counter[Source] = Counter()
        self.disagreement = ShareSequence(criteria.confidence)
        self.failures = ShareSequence(criteria.confidence)
        self.history = History()
        self.first_time = self.last_time = 0.0

    def skip(self, outcome: str) -> None:
        """Count a call that was not replayed."""
        self.outcomes[outcome] += 1

    def fail(self, reason: str) -> None:
        """Count a call that was replayed and not answered, or not readably."""
        self.outcomes[f"failed_{reason}"] += 1
        self.failures.add(1.0)

    def add(self, logged: Call, replayed: Call, items: Sequence[ItemComparison], at: float) -> str:
        """Count a call with both answers; what became of it.

        Args:
            logged: the call as it was logged.
            replayed: the same call with the new answer.
            items: how they compare; at least one.
            at: when it was made, in seconds since 1970.
        """
        self.failures.add(0.0)
        disagreeing = sum(item.disagrees for item in items)
        self.items += len(items)
        self.disagreeing_items += disagreeing
        self.item_share.add(disagreeing, len(items))
        self._add_entities(items)
        distances = [distance for item in items for distance in item.distances]
        if distances:
            self.score_distance.add(sum(distances) / len(distances))
        self.logged_latencies.add(logged.seconds)
        self.replayed_latencies.add(replayed.seconds)
        self.latency_difference.add(replayed.seconds - logged.seconds)
        self.first_time = min(self.first_time or at, at)
        self.last_time = max(self.last_time, at)
        self.disagreement.add(disagreeing / len(items))
        if self.history.is_due(self.disagreement.count):
            self.history.add(self.disagreement.bounds())
        outcome = "disagreed" if disagreeing else "agreed"
        self.outcomes[outcome] += 1
        return outcome

    def answered_by(self, logged: Source, replayed: Source) -> None:
        """Note who gave the two answers; the sources beyond the first few are one."""
        for sources, source in ((self.logged_sources, logged), (self.replayed_sources, replayed)):
            known = source in sources or len(sources) < _MOST_SOURCES
            sources[source if known else Source(OTHER, OTHER, OTHER)] += 1

    def verdict(self) -> Verdict:
        """What is said by now."""
        return decide(self.disagreement.bounds(), self.failures.bounds(), self.criteria)

    def _add_entities(self, items: Sequence[ItemComparison]) -> None:
        counts = [item.entities for item in items if item.entities is not None]
        both = sum(one.both for one in counts)
        new, logged = sum(one.only_new for one in counts), sum(one.only_logged for one in counts)
        self.entities.update(both=both, only_new=new, only_logged=logged)
        self.f1.add(2 * both, 2 * both + new + logged)
