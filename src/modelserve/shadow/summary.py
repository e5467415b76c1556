"""What a comparison found, as values that a report is written from and a program may read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from modelserve.events import Component
from modelserve.shadow.bounds import Bounds
from modelserve.shadow.gallery import Example
from modelserve.shadow.latencies import Latencies
from modelserve.shadow.results import UNKNOWN, Results, Source
from modelserve.shadow.verdicts import Criteria, Outcome


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of latencies, in seconds."""

    p50_seconds: float
    p90_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who gave answers, and to how many calls."""

    model: str
    revision: str
    model_digest: str
    calls: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole of a comparison.

    Attributes:
        verdict: what is said of the shadow.
        reason: why.
        component: whose calls they were, as ``namespace/service/component``; empty where there were none.
        target: the server that they were replayed to.
        written: when, in UTC.
        first_call: the time of the earliest call that was compared, in UTC; None where there was none.
        last_call: of the latest one.
        criteria: what was asked.
        calls: by what became of them.
        events: of the log, by what became of them.
        disagreement: the mean share of a call's items that disagree, with bounds that hold at every look.
        failures: the share of replayed calls without a readable answer, likewise.
        items: texts or images that were compared.
        disagreeing_items: of them.
        item_share: of items that disagree, with bounds for one look.
        entities: that both answers have, and that one has; empty for images.
        f1: of the new answers' entities against the logged ones', with bounds for one look.
        score_distance: mean over calls of the mean absolute difference of scores, with bounds for one look.
        logged_latency: from the request to its answer by the agent's clock; None without any call.
        replayed_latency: of the same calls, from where they were replayed.
        latency_difference: the mean of replayed less logged, in seconds, with bounds for one look.
        logged_by: who gave the logged answers.
        replayed_by: who gave the new ones.
        notes: what a reader of the figures should know.
        examples: of disagreements, the worst first.
    """

    verdict: Outcome
    reason: str
    component: str
    target: str
    written: datetime
    first_call: datetime | None
    last_call: datetime | None
    criteria: Criteria
    calls: Mapping[str, int]
    events: Mapping[str, int]
    disagreement: Bounds
    failures: Bounds
    items: int
    disagreeing_items: int
    item_share: Bounds | None
    entities: Mapping[str, int]
    f1: Bounds | None
    score_distance: Bounds | None
    logged_latency: Quantiles | None
    replayed_latency: Quantiles | None
    latency_difference: Bounds | None
    logged_by: Sequence[Answerer]
    replayed_by: Sequence[Answerer]
    notes: Sequence[str]
    examples: Sequence[Example]

    def as_json(self) -> dict[str, Any]:
        """For ``orjson``; without the thumbnails."""
        document = asdict(self)
        for example in document["examples"]:
            del example["thumbnail"]
            example["time"] = _utc(example["time"])
        return document


def summarise(
    results: Results,
    *,
    component: Component | None,
    events: Mapping[str, int],
    target: str,
    written: datetime,
) -> Summary:
    """All that was found.

    Args:
        results: of the comparison.
        component: whose calls were compared; None where there were none.
        events: of the log, by what became of them.
        target: the server's URL.
        written: with a zone.
    """
    verdict, confidence = results.verdict(), results.criteria.confidence
    compared = results.disagreement.count > 0
    return Summary(
        verdict=verdict.outcome,
        reason=verdict.reason,
        component="/".join(component or ()),
        target=target,
        written=written.astimezone(timezone.utc),
        first_call=_utc(results.first_time) if compared else None,
        last_call=_utc(results.last_time) if compared else None,
        criteria=results.criteria,
        calls=dict(sorted(results.outcomes.items())),
        events=dict(sorted(events.items())),
        disagreement=results.disagreement.bounds(),
        failures=results.failures.bounds(),
        items=results.items,
        disagreeing_items=results.disagreeing_items,
        item_share=results.item_share.bounds(confidence),
        entities={name: count for name, count in results.entities.items() if any(results.entities.values())},
        f1=results.f1.bounds(confidence),
        score_distance=results.score_distance.bounds(confidence),
        logged_latency=_quantiles(results.logged_latencies) if compared else None,
        replayed_latency=_quantiles(results.replayed_latencies) if compared else None,
        latency_difference=results.latency_difference.bounds(confidence),
        logged_by=_answerers(results.logged_sources),
        replayed_by=_answerers(results.replayed_sources),
        notes=_notes(results),
        examples=results.gallery.examples(),
    )


def _notes(results: Results) -> Sequence[str]:
    notes = []
    known = {source for source in results.logged_sources if source.model_digest != UNKNOWN}
    for source in sorted(known & set(results.replayed_sources)):
        notes.append(
            f"Revision {source.revision}, with the same weights, gave logged answers and new ones: unless it "
            "is meant to be compared with itself, choose the revision whose logged answers are compared."
        )
    if len(results.replayed_sources) > 1:
        notes.append("The new answers are of more than one model or revision: the figures mix them.")
    unnamed = results.outcomes["unnamed_model"]
    if unnamed:
        notes.append(
            f"{unnamed} calls of V1 were not replayed, as V1 does not name the model: give its name."
        )
    return notes


def _answerers(sources: Counter[Source]) -> Sequence[Answerer]:
    return [Answerer(*source, calls) for source, calls in sources.most_common()]


def _quantiles(latencies: Latencies) -> Quantiles:
    return Quantiles(*(latencies.quantile(share) for share in (0.5, 0.9, 0.99)))


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
