"""References out of a data set, by asking a server, and out of a log."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

import httpx
import orjson

from modelserve.drift.features import Extractor
from modelserve.drift.references import NoReference, Reference
from modelserve.drift.table import Row, Table
from modelserve.drift.verdicts import UNKNOWN
from modelserve.events import Component, Event, EventError, Joiner, LoggedMessage, Pair, Side, logged_message
from modelserve.events.calls import Call
from modelserve.events.payloads import read_call
from modelserve.protocol.samples import Item, json_request
from modelserve.secrecy import without_secrets

LEAST_SAMPLES = 100
"""Of a reference: fewer hardly tell what is ordinary."""

_AT_ONCE = 16

_WHOSE = Component("local", "local", "predictor")


def build_reference(
    calls: Iterable[Call], *, model: str, origin: str, assets: Mapping[str, bytes]
) -> Reference:
    """A reference of the texts or images of those calls and their answers.

    Raises:
        NoReference: they are too few, or were answered by several models.
    """
    extractor = Extractor(assets, shown=False)
    rows: list[Row] = []
    digests = set()
    for call in calls:
        digests.add(call.model_digest or UNKNOWN)
        rows.extend(extractor.examine(call)[0])
    if len(digests) > 1:
        raise NoReference(
            f"the answers are of several weights ({', '.join(sorted(digests))}); those of one are accepted: "
            "choose a revision or a span of time"
        )
    if len(rows) < LEAST_SAMPLES:
        raise NoReference(f"{len(rows)} texts or images are too few; at least {LEAST_SAMPLES} are accepted")
    return Reference.make(
        Table.from_rows(rows), model=model, model_digest=digests.pop(), origin=origin, assets=assets
    )


def logged_calls(
    events: Iterable[Event], *, revision: str | None, since: float | None, until: float | None
) -> Iterator[Call]:
    """The calls of a log; halves without their other half, and what is no call of ours, are left out.

    Args:
        events: of the log.
        revision: whose calls are wanted; None for all.
        since: made then or later, in seconds since 1970.
        until: made before then, likewise.
    """
    joiner = Joiner(wait_seconds=float("inf"))
    for event in events:
        try:
            pair = joiner.offer(logged_message(event), now=0.0)
            call = None if pair is None else read_call(pair)
        except EventError:
            continue
        if pair is None or call is None or (revision is not None and call.revision != revision):
            continue
        at = pair.request.time
        if (since is None or at >= since) and (until is None or at < until):
            yield call


def asked_calls(
    items: Sequence[Item],
    *,
    url: str,
    model: str,
    timeout_seconds: float,
    host_header: str | None = None,
) -> Iterator[Call]:
    """Ask a server over V2 about texts or images, a few at once.

    Args:
        items: texts, or encoded images.
        url: of the server.
        model: its name there.
        timeout_seconds: of a call.
        host_header: instead of the URL's host, as an ingress wants it.

    Raises:
        NoReference: the server is not there, or answers otherwise than with a prediction.
    """
    path, where = f"{url.rstrip('/')}/v2/models/{model}/infer", without_secrets(url)
    headers = {"content-type": "application/json", **({"host": host_header} if host_header else {})}
    with httpx.Client(timeout=timeout_seconds, headers=headers) as client:
        for first in range(0, len(items), _AT_ONCE):
            body = orjson.dumps(json_request(items[first : first + _AT_ONCE]))
            try:
                answer = client.post(path, content=body)
                answer.raise_for_status()
            except httpx.HTTPStatusError as error:
                said = error.response.text[:200]
                raise NoReference(f"{where} refused the inputs from number {first + 1} on: {said}") from error
            except httpx.HTTPError as error:
                raise NoReference(f"{where} does not answer as a V2 server: {error!r}") from error
            halves = (
                LoggedMessage(_WHOSE, uuid.uuid4().hex, side, time.time(), payload)
                for side, payload in ((Side.REQUEST, body), (Side.RESPONSE, answer.content))
            )
            try:
                yield read_call(Pair(*halves))
            except EventError as error:
                raise NoReference(
                    f"{where} answers otherwise than a model of this package: {error}"
                ) from error
