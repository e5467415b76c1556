"""Two detectors that share Redis and PostgreSQL, with the halves of calls spread over both; one is killed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from modelserve.events import Event, write_event

Logged = Callable[..., list[Event]]


def spread(urls: list[str], events: list[Event]) -> None:
    """Send each event to any of them."""
    chance = random.Random(5)
    with httpx.Client(timeout=30) as client:
        for event in events:
            headers, body = write_event(event)
            assert client.post(chance.choice(urls), headers=headers, content=body).status_code == 202


def test_two_detectors_are_as_one(
    start_detector: Callable[..., Any],
    postgres: Any,
    redis_server: Any,
    reference: Path,
    logged: Logged,
    inbox: Any,
    wait_until: Any,
) -> None:
    flags = [f"--store={postgres.url}", f"--shared_url={redis_server.url}", f"--notify_url={inbox.url}"]
    one, other = (start_detector(*flags) for _ in range(2))
    urls = [one.url, other.url]
    added = httpx.put(f"{one.url}/references", content=reference.read_bytes())
    assert added.status_code == 201
    time.sleep(6)  # in which it comes to the other
    spread(urls, logged(250))
    said = wait_until(lambda: len(found := other.get("/verdicts").json()) == 2 and found)
    assert [verdict["outcome"] for verdict in said] == ["steady", "steady"]
    assert one.get("/verdicts").json() == said
    wait_until(lambda: one.events().get("paired", 0) + other.events().get("paired", 0) == 500)
    assert min(one.events()["paired"], other.events()["paired"]) > 0

    assert one.end(signal.SIGKILL) < 0
    spread([other.url], logged(350, changed=True))
    verdicts = wait_until(lambda: len(found := other.get("/verdicts").json()) >= 5 and found)
    assert verdicts[4]["alarm"]
    assert verdicts[4]["features"][0]["feature"] == "language"
    # All but an open window's are judged, and none twice: none was lost with the one that was killed.
    wait_until(lambda: 500 < sum(one["samples"] for one in other.get("/verdicts").json()) <= 600)
    wait_until(lambda: inbox.received)
    third = start_detector(*flags)
    whose = 'baseline="reference",model="names",namespace="default",revision="names-predictor-00001"'
    wait_until(lambda: f"modelserve_drift_detected{{{whose}}} 1.0" in third.get("/metrics").text)
    for detector in (other, third):
        assert detector.end(signal.SIGTERM) == 0
