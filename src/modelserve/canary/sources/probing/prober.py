"""Calls to one revision at a steady rate, one after another on a few threads."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from modelserve.canary.judge.measurements import Counters
from modelserve.canary.sources.probing.tally import Tally, predictions_of, revision_of
from modelserve.secrecy import without_secrets
from modelserve.shadow.replaying import ID_PREFIX, SHADOW_HEADER

_AT_ONCE = 4
_IN_A_ROW = 3
"""So many answers of another revision, or calls without an answer, are no accident."""


@dataclass(frozen=True, slots=True)
class Probes:
    """How revisions are probed.

    Attributes:
        requests: that all are sent in turn, bodies of V2 in JSON.
        path: of the model.
        per_second: calls to each revision.
        gateway: ``HOST:PORT`` that is connected to; None for the hosts of the revisions' addresses.
        timeout_seconds: of a call as a whole; one that takes longer is an error.
    """

    requests: Sequence[bytes]
    path: str
    per_second: float = 10.0
    gateway: str | None = None
    timeout_seconds: float = 10.0


class Prober:
    """Calls one revision until it is closed.

    A call that fails is not repeated, and what a slow server is not asked meanwhile is not made up for.

    Args:
        revision: that is meant.
        url: of it, without a path; its host may be another than who is connected to.
        probes: what is sent, and how.
    """

    def __init__(self, revision: str, url: str, probes: Probes) -> None:
        self._revision, self._where, self._probes = revision, without_secrets(url), probes
        target = httpx.URL(url)
        # As those of a shadow: who looks at the log knows that nobody waits for the answers.
        headers = {"Host": target.netloc.decode(), "Content-Type": "application/json", SHADOW_HEADER: "true"}
        self._client = httpx.Client(
            base_url=url if probes.gateway is None else f"{target.scheme}://{probes.gateway}",
            headers=headers,
            timeout=probes.timeout_seconds,
            trust_env=False,
        )
        self._tally, self._lock = Tally(), threading.Lock()
        self._strays, self._failures, self._failure = 0, 0, ""
        self._numbers, self._closed = itertools.count(), threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(place / probes.per_second,), name="probe", daemon=True)
            for place in range(_AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def misled(self) -> str:
        """That another revision answers here; empty where it does not."""
        with self._lock:
            is_misled = self._strays >= _IN_A_ROW
        return f"another revision than {self._revision} answers at {self._where}" if is_misled else ""

    @property
    def silence(self) -> str:
        """Why none of the last calls was answered; empty where one was."""
        with self._lock:
            return self._failure if self._failures >= _IN_A_ROW else ""

    def counters(self) -> Counters:
        """What has been counted."""
        return self._tally.counters()

    def close(self) -> None:
        """Call no more."""
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _call(self, wait_seconds: float) -> None:
        requests, pause_seconds = self._probes.requests, _AT_ONCE / self._probes.per_second
        while not self._closed.wait(wait_seconds):
            began = time.monotonic()
            self._ask(requests[next(self._numbers) % len(requests)], began)
            wait_seconds = max(0.0, pause_seconds - (time.monotonic() - began))

    def _ask(self, request: bytes, began: float) -> None:
        try:
            status, content = self._post(request, began)
        except httpx.HTTPError as error:
            self._fail(f"{self._where} does not answer: {str(error) or type(error).__name__}", began)
            return
        seconds = time.monotonic() - began
        if status != HTTPStatus.OK:
            said = content[:200].decode(errors="replace")
            self._fail(f"{self._where} answers a probe with {status}: {said}", began)
            return
        is_stray = revision_of(content) not in (None, self._revision)
        with self._lock:
            self._failures = 0
            self._strays = self._strays + 1 if is_stray else 0
        if not is_stray:  # else it is not counted: routers take a moment after the traffic was moved
            self._tally.add(seconds, predictions_of(request, content))

    def _post(self, request: bytes, began: float) -> tuple[int, bytes]:
        """The status and the body of an answer that is whole in time."""
        name = {"ce-id": f"{ID_PREFIX}probe-{uuid.uuid4().hex}"}
        limit_seconds = self._probes.timeout_seconds
        with self._client.stream("POST", self._probes.path, content=request, headers=name) as answer:
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                # The client's own limit is of each part.
                if time.monotonic() - began > limit_seconds:
                    raise httpx.ReadTimeout(f"no whole answer in {limit_seconds:g} s")
            return answer.status_code, bytes(body)

    def _fail(self, failure: str, began: float) -> None:
        self._tally.add_error(time.monotonic() - began)
        with self._lock:
            self._failures, self._failure = self._failures + 1, failure
            if self._failures >= _IN_A_ROW:
                # What answers here is no other revision any more.
                self._strays = 0
