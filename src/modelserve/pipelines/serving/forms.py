"""Requests about runs as REST has them, and what is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import Field, ValidationError

from modelserve.errors import InvalidInput
from modelserve.pipelines.course import Outcome, Unit, unit_form
from modelserve.pipelines.store import Run
from modelserve.written import Written, first_mistake

_LONGEST_KEY = 255

FormT = TypeVar("FormT", bound=Written)


class Beginning(Written):
    """The body of a request for a run.

    Attributes:
        inputs: by their names, as the pipeline declares them.
        webhook: a URL to which the run's end is told as a CloudEvent.
    """

    inputs: dict[str, Any] = {}
    webhook: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$", max_length=2000)] | None = None


def read_beginning(body: bytes) -> Beginning:
    """A request's body; none is a run without inputs.

    Raises:
        InvalidInput: it is none.
    """
    return read_form(Beginning, body or b"{}", '{"inputs": {…}, "webhook": URL}')


def read_form(form: type[FormT], body: bytes | str, accepted: str) -> FormT:
    """JSON of a form.

    Args:
        form: that it has to have.
        body: the JSON's text.
        accepted: the form, as callers are told of it.

    Raises:
        InvalidInput: it is no JSON, or of another form.
    """
    return of_form(form, read_json(body, accepted), accepted)


def read_json(body: bytes | str, accepted: str) -> Any:
    """JSON of any form; ``InvalidInput`` where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is no JSON ({error}); {accepted} is accepted") from error


def of_form(form: type[FormT], value: Any, accepted: str) -> FormT:
    """JSON that was read, as a form; ``InvalidInput`` where it has another."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(f"{first_mistake(error, 'the body')}; {accepted} is accepted") from error


def wait_seconds(prefer: str | None, usual: float, most: float) -> float:
    """How long a caller waits for a run's end, by the header ``Prefer`` (RFC 7240).

    ``respond-async`` does not wait, ``wait=SECONDS`` for so long at most.

    Args:
        prefer: the header's value; None where there is none.
        usual: where it says nothing about it.
        most: that anybody waits.
    """
    wishes = [wish.strip().lower() for wish in (prefer or "").split(",")]
    asked = next(
        (re.fullmatch(r"wait\s*=\s*\"?(\d{1,9})\"?", wish) for wish in wishes if wish.startswith("wait")),
        None,
    )
    if asked is not None:
        return min(float(asked[1]), most)
    return 0.0 if "respond-async" in wishes else min(usual, most)


def idempotency_key(value: str | None) -> str | None:
    """The header ``Idempotency-Key``.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if value is not None and not 0 < len(value) <= _LONGEST_KEY:
        raise InvalidInput(
            f"header Idempotency-Key has {len(value)} characters; 1 to {_LONGEST_KEY} are accepted"
        )
    return value


def run_form(run: Run, record: Mapping[Unit, Outcome] | None = None) -> dict[str, Any]:
    """A run as JSON; with its steps where they are given."""
    form: dict[str, Any] = {
        "id": run.id,
        "pipeline": run.pipeline,
        "status": run.status.value,
        "round": run.round,
        "created": run.created,
        "began": run.began,
        "ended": run.ended,
        "output": run.output,
        "error": run.error or None,
    }
    if record is not None:
        form["steps"] = [unit_form(unit, outcome) for unit, outcome in sorted(record.items())]
    return form
