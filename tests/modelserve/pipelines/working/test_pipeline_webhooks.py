"""Webhooks hear of every end, at least once, whatever they answer at first and whoever tells them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
from http_servers import Request, answering, free_ports

from modelserve.events import read_events
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Notice, RunStatus
from modelserve.pipelines.working import telling
from modelserve.pipelines.working.telling import TYPE, Teller, ended_event, pause_seconds

Make = Callable[..., Pipeline]


@dataclass
class Receiver:
    """Answers with what is next in its list, the last for ever."""

    statuses: list[int] = field(default_factory=lambda: [204])
    heard: list[Request] = field(default_factory=list)
    goes_on: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [request.headers["ce-id"] for request in self.heard]

    def answer(self, request: Request) -> tuple[int, bytes]:
        self.heard.append(request)
        self.goes_on.wait(30)
        return self.statuses[min(len(self.heard), len(self.statuses)) - 1], b""

    async def hears(self, count: int) -> None:
        until = time.monotonic() + 20
        while len(self.heard) < count:
            assert time.monotonic() < until, self.ids
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert len(self.heard) == count, self.ids


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    receivers: list[tuple[Receiver, Any]] = []

    def make(*statuses: int, hangs: bool = False) -> Receiver:
        receiver = Receiver(list(statuses) or [204])
        if not hangs:
            receiver.goes_on.set()
        server = answering(receiver.answer)
        receiver.port = server.__enter__()
        receivers.append((receiver, server))
        return receiver

    yield make
    for receiver, server in receivers:
        receiver.goes_on.set()
        server.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_IDLE_SECONDS", 0.1)
    monkeypatch.setattr(telling, "pause_seconds", lambda tries, jitter: 0.05)


@asynccontextmanager
async def telling_of(site: Any) -> AsyncIterator[Teller]:
    teller = Teller(site.threads, site.own)
    task = asyncio.create_task(teller.run())
    try:
        yield teller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ended(site: Any, pipeline: Pipeline, webhook: str, *, ago: float = 0.0, **how: Any) -> str:
    run_id: str = await site.submit(pipeline, webhook=webhook)
    claim = site.store.claim(run_id, "me", now=time.time(), lease_seconds=30.0)
    status = RunStatus.FAILED if "error" in how else RunStatus.SUCCEEDED
    site.store.finish(claim, status, now=time.time() - ago, **how)
    return run_id


async def test_each_end_is_told_as_an_event_with_an_id_of_its_own(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver()
    run_id = await ended(site, pipeline(), receiver.url, error="step first: “no”")
    site.store.resend(run_id, now=time.time())
    claim = site.store.claim(run_id, "me", now=time.time(), lease_seconds=30.0)
    site.store.finish(claim, RunStatus.SUCCEEDED, output={"label": ["tabby"]}, now=time.time())
    async with telling_of(site):
        await receiver.hears(2)
    by_id = {}
    schema = json.loads(files("modelserve.events").joinpath(f"schemas/{TYPE}.json").read_text())
    for request in receiver.heard:
        headers = {name.lower(): value for name, value in request.headers.items()}
        (event,) = read_events(headers, request.body)
        assert (event.type, event.source) == (TYPE, "modelserve/pipelines/names")
        assert event.subject == f"names/{run_id}"
        by_id[event.id] = json.loads(event.data)
        jsonschema_rs.validate(schema, by_id[event.id])
    told = {"run": run_id, "pipeline": "names"}
    assert by_id == {
        f"{run_id}-1": {**told, "round": 1, "status": "failed", "output": None, "error": "step first: “no”"},
        f"{run_id}-2": {
            **told,
            "round": 2,
            "status": "succeeded",
            "output": {"label": ["tabby"]},
            "error": None,
        },
    }
    assert site.counted("modelserve_pipeline_notices_total", outcome="told") == 2


async def test_a_cancelled_run_is_told_of_though_it_never_began(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver()
    run_id = await site.submit(pipeline(), webhook=receiver.url)
    site.store.cancel(run_id, now=time.time())
    async with telling_of(site):
        await receiver.hears(1)
    assert json.loads(receiver.heard[0].body)["status"] == "cancelled"


async def test_a_receiver_that_refuses_is_told_until_it_takes_it(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver(503, 404, 302, 202)
    run_id = await ended(site, pipeline(), receiver.url)
    async with telling_of(site):
        await receiver.hears(4)
    assert receiver.ids == [f"{run_id}-1"] * 4
    assert site.counted("modelserve_pipeline_notices_total", outcome="refused") == 3


async def test_what_was_refused_is_told_by_another_after_a_restart(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver(503)
    run_id = await ended(site, pipeline(), receiver.url)
    async with telling_of(site):
        while not receiver.heard:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    before = len(receiver.heard)
    receiver.statuses = [204]
    async with telling_of(site):
        await receiver.hears(before + 1)
    assert set(receiver.ids) == {f"{run_id}-1"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/hook", "http://[nowhere/", "ftp://127.0.0.1/"])
async def test_who_cannot_be_reached_holds_nobody_up(
    site: Any,
    pipeline: Make,
    make_receiver: Callable[..., Receiver],
    caplog: pytest.LogCaptureFixture,
    url: str,
) -> None:
    receiver = make_receiver()
    away = await ended(site, pipeline(), url.format(port=free_ports(1)[0]))
    async with telling_of(site):
        while f"the webhook of run {away} waits" not in caplog.text:
            await asyncio.sleep(0.02)
        here = await ended(site, pipeline(), receiver.url)
        await receiver.hears(1)
    assert receiver.ids == [f"{here}-1"]


async def test_who_is_slow_holds_nobody_up(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    slow, quick = make_receiver(hangs=True), make_receiver()
    for _ in range(5):
        await ended(site, pipeline(), slow.url)
    async with telling_of(site):
        await slow.hears(5)
        for _ in range(5):
            await ended(site, pipeline(), quick.url)
        await quick.hears(5)
    assert len(slow.heard) == 5


async def test_of_several_who_tell_each_end_is_one_s(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver()
    runs = [await ended(site, pipeline(), receiver.url) for _ in range(50)]
    async with telling_of(site), telling_of(site), telling_of(site):
        await receiver.hears(50)
    assert Counter(receiver.ids) == Counter(f"{run_id}-1" for run_id in runs)


async def test_after_a_day_a_receiver_is_given_up(
    site: Any, pipeline: Make, make_receiver: Callable[..., Receiver]
) -> None:
    receiver = make_receiver()
    await ended(site, pipeline(), receiver.url, ago=24 * 3600.0 + 5)
    new = await ended(site, pipeline(), receiver.url, ago=24 * 3600.0 - 60)
    async with telling_of(site):
        await receiver.hears(1)
    assert receiver.ids == [f"{new}-1"]


def test_pauses_grow_to_an_hour() -> None:
    assert [pause_seconds(tries, 0.0) for tries in (1, 2, 3, 50)] == [2.0, 4.0, 8.0, 3600.0]
    assert pause_seconds(3, 1.0) == 4.0


def test_an_event_is_the_same_each_time() -> None:
    notice = Notice("r", 1, "http://hook", "p", 5.0, RunStatus.FAILED, None, "no", tries=1)
    assert ended_event(notice) == ended_event(notice)
