"""What people and programs ask the detector over HTTP, beside what every sink answers."""

from __future__ import annotations

import logging
import time

import orjson

from modelserve.database import StoreError
from modelserve.drift.baselines import References
from modelserve.drift.references import NoReference, Reference
from modelserve.drift.report.collecting import collect
from modelserve.drift.report.page import write_page
from modelserve.drift.rows import StoredVerdict
from modelserve.drift.saying import verdict_json
from modelserve.drift.store import Store
from modelserve.events.sink import Answer

logger = logging.getLogger(__name__)

_SECONDS = 7 * 24 * 3600.0
_MOST_VERDICTS = 1000


class Pages:
    """``GET /report``, ``GET /verdicts`` and ``PUT /references``. Each is answered on a thread of its own.

    Args:
        store: of the detector.
        references: those in use, to which new ones are added.
        alpha: of the verdicts.
    """

    def __init__(self, store: Store, references: References, *, alpha: float) -> None:
        self._store, self._references, self._alpha = store, references, alpha

    def report(self, _: bytes) -> Answer:
        """The last week for people, in HTML."""
        chapters = collect(self._store, self._stored(), self._references)
        page = write_page(chapters, alpha=self._alpha, at=time.time())
        return Answer(200, page.encode(), "text/html; charset=utf-8")

    def verdicts(self, _: bytes) -> Answer:
        """The verdicts of the last week, as their events have them, the oldest first."""
        return Answer(200, orjson.dumps([verdict_json(one.verdict) for one in self._stored()]))

    def add_reference(self, body: bytes) -> Answer:
        """Take a reference: it is the model's baseline from the next window on."""
        try:
            reference = Reference.from_bytes(body)
            self._store.add_reference(reference)
        except NoReference as error:
            return _error(400, str(error))
        except StoreError as error:
            return _error(503, str(error))
        self._references.add(reference)
        logger.info("reference %s of %s was added", reference.version, reference.model)
        about = {"version": reference.version, "model": reference.model, "samples": reference.table.size}
        return Answer(201, orjson.dumps(about))

    def _stored(self) -> list[StoredVerdict]:
        return self._store.verdicts(since=time.time() - _SECONDS, last=_MOST_VERDICTS)


def _error(status: int, sentence: str) -> Answer:
    return Answer(status, orjson.dumps({"error": sentence}))
