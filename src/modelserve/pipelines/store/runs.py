"""A run as the store has it, and the right to go on with it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson
import sqlalchemy as sa

from modelserve.database import StoreError
from modelserve.errors import InvalidInput
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.models import Pipeline


class RunStatus(str, Enum):
    """Where a run is. A failed one is a dead letter: it stays until it is sent again or its time is over."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class LeaseLost(StoreError):
    """The run is another's by now, or has ended: nothing more may be written of it under this claim."""


class KeyReused(StoreError):
    """An idempotency key came again with other inputs."""


@dataclass(frozen=True, slots=True)
class Run:
    """A pipeline with one set of inputs, from its submission to its end.

    Attributes:
        id: sorts by the time of submission.
        pipeline: its name.
        definition: of the pipeline in JSON, as it was at submission: a file that changes does not change it.
        inputs: with defaults filled in.
        created: when it was submitted. Times are in seconds since 1970.
        status: where it is.
        output: null where there is none.
        error: why it failed; empty where it did not.
        webhook: URL that is told of its end; None for none.
        traceparent: of the trace that it belongs to (W3C Trace Context); None for none.
        idempotency_key: of the submission; None for none.
        began: when its round was first claimed; None before that.
        ended: when its round ended; None before that.
        round: 1, and one more each time that it is sent again.
        cancel_asked: whether it ends as soon as its worker hears of it.
    """

    id: str
    pipeline: str
    definition: str
    inputs: Mapping[str, Json]
    created: float
    status: RunStatus = RunStatus.QUEUED
    output: Json = None
    error: str = ""
    webhook: str | None = None
    traceparent: str | None = None
    idempotency_key: str | None = None
    began: float | None = None
    ended: float | None = None
    round: int = 1
    cancel_asked: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to go on with a run, until its lease runs out and somebody else claims it.

    Attributes:
        run: as it was when it was claimed.
        owner: who has it.
        token: greater than that of each earlier claim of the run, all of which it makes void.
        lease_seconds: how long it stands without being renewed.
        begun_in_vain: claims of the run, this one included, since something was last recorded of it.
    """

    run: Run
    owner: str
    token: int
    lease_seconds: float
    begun_in_vain: int = field(compare=False)


def new_run(
    pipeline: Pipeline,
    inputs: Mapping[str, Json],
    *,
    now: float,
    webhook: str | None = None,
    traceparent: str | None = None,
    idempotency_key: str | None = None,
) -> Run:
    """A run that is to be queued; see ``Run``."""
    return Run(
        id=new_id(now),
        pipeline=pipeline.metadata.name,
        # What was not said stays unsaid: a fallback of null is one, and none is none.
        definition=pipeline.model_dump_json(by_alias=True, exclude_unset=True),
        inputs=inputs,
        created=now,
        webhook=webhook,
        traceparent=traceparent,
        idempotency_key=idempotency_key,
    )


def new_id(now: float) -> str:
    """An id of 32 hexadecimal digits that no other run has.

    Args:
        now: in seconds since 1970; ids sort by it, to the millisecond.
    """
    return f"{int(now * 1000):012x}{secrets.token_hex(10)}"


def to_text(value: Json, what: str) -> str:
    """JSON without control characters, as every database takes it; a number that is none becomes null.

    Raises:
        InvalidInput: it is no JSON.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"{what} is no JSON: {error}") from error


def from_text(text: str | None) -> Json:
    """What ``to_text`` was given; null where nothing was written."""
    return None if text is None else orjson.loads(text)


def run_of(row: sa.Row[Any]) -> Run:
    """A row of the table of runs as a run."""
    return Run(
        id=row.id,
        pipeline=row.pipeline,
        definition=row.definition,
        inputs=from_text(row.inputs),
        created=row.created,
        status=RunStatus(row.status),
        output=from_text(row.output),
        error=row.error,
        webhook=row.webhook,
        traceparent=row.traceparent,
        idempotency_key=row.idempotency_key,
        began=row.began,
        ended=row.ended,
        round=row.round,
        cancel_asked=row.cancel_asked,
    )
