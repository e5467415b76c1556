"""Values to and from the rows of the store."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from modelserve.drift.table import Table
from modelserve.drift.verdicts import FeatureVerdict, Outcome, Source, Verdict
from modelserve.drift.windows import Window
from modelserve.events import Component


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict with its number, and those inputs of its window that lie farthest from the baseline."""

    number: int
    verdict: Verdict
    inputs: Sequence[bytes]


def source_columns(source: Source) -> dict[str, str]:
    """The columns that say whose a window is."""
    return {
        **source.component._asdict(),
        "revision": source.revision,
        "model_digest": source.model_digest,
    }


def component_of(row: sa.Row[Any]) -> Component:
    """Of a row with the component's columns."""
    return Component(row.namespace, row.service, row.name)


def source_of(row: sa.Row[Any]) -> Source:
    """Of a row with the source's columns."""
    return Source(component_of(row), row.revision, row.model_digest)


def window_of(row: sa.Row[Any], excerpts: bytes | None = None) -> Window:
    """Of a row with the source's columns, ``opened``, ``closed`` and ``features``."""
    return Window(
        source_of(row),
        row.opened,
        row.closed,
        Table.from_bytes(row.features),
        [] if excerpts is None else unpack(excerpts),
    )


def verdict_columns(verdict: Verdict, inputs: Sequence[bytes]) -> dict[str, Any]:
    """The row of a verdict, but for its window's number."""
    return {
        "baseline": verdict.baseline,
        "reference_version": verdict.reference_version,
        "opened": verdict.opened,
        "closed": verdict.closed,
        "samples": verdict.samples,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "alarm": verdict.alarm,
        "is_told": False,
        "features": json.dumps([asdict(found) for found in verdict.features]),
        "inputs": pack(inputs),
    }


def verdict_of(row: sa.Row[Any]) -> StoredVerdict:
    """Of a verdict's row with its window's source."""
    verdict = Verdict(
        source=source_of(row),
        baseline=row.baseline,
        reference_version=row.reference_version,
        opened=row.opened,
        closed=row.closed,
        samples=row.samples,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        features=[FeatureVerdict(**found) for found in json.loads(row.features)],
        alarm=row.alarm,
    )
    return StoredVerdict(row.number, verdict, [one for one in unpack(row.inputs) if one is not None])


def pack(excerpts: Sequence[bytes | None]) -> bytes:
    """Excerpts, one after another, as JSON of base64."""
    return json.dumps([None if one is None else b64encode(one).decode() for one in excerpts]).encode()


def unpack(packed: bytes) -> list[bytes | None]:
    """The excerpts of that JSON."""
    return [None if one is None else b64decode(one) for one in json.loads(packed)]
