"""``modelserve shadow --listen`` as a process: events in by HTTP, pages and metrics out, and its end."""

from __future__ import annotations

import asyncio
import json
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest

from modelserve.events import Event, write_event

NER = ["--namespace=default", "--service=bert-ner", "--component=predictor"]
OURS = ["--namespace=local", "--service=bert-ner", "--component=predictor"]
CALL = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Angela Merkel in Berlin."]}]}


@dataclass
class Listening:
    """A process that takes events; ``said`` is its standard error."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60).raise_for_status()

    def results(self) -> Any:
        return self.get("/results").json()

    def wait(self, what: Callable[[Any], bool]) -> Any:
        """The results, once they are as the test wants them."""
        deadline = time.monotonic() + 60
        while not what(found := self.results()):
            assert time.monotonic() < deadline, (found, self.said)
            time.sleep(0.05)
        return found

    def end(self, number: int = signal.SIGTERM) -> tuple[int, Any]:
        """Its exit status, and what it printed."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        return self.process.wait(60), json.loads(printed)


StartListening = Callable[..., Listening]


@pytest.fixture
def listen() -> Iterator[StartListening]:
    """Starts processes that end with the test."""
    started: list[tuple[subprocess.Popen[str], threading.Thread]] = []

    def start(target: str, *flags: str, port: int = 0) -> Listening:
        command = [sys.executable, "-m", "modelserve.cli", "shadow", f"--listen=127.0.0.1:{port}"]
        command += [f"--to={target}", "--json", "--rate=1000", *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ready: queue.Queue[str] = queue.Queue()
        said: list[str] = []

        def drain() -> None:
            assert process.stderr is not None
            with process.stderr:
                for line in process.stderr:
                    said.append(line)
                    if match := re.search(r"on port (\d+)", line):
                        ready.put(match[1])
            ready.put("")

        thread = threading.Thread(target=drain)
        thread.start()
        started.append((process, thread))
        found = ready.get(timeout=60)
        assert found, "".join(said)
        return Listening(process, f"http://127.0.0.1:{found}", said)

    yield start
    for process, thread in started:
        process.kill()
        process.wait()
        thread.join()
        assert process.stdout is not None
        process.stdout.close()


def send(url: str, events: list[Event]) -> None:
    """As KServe's agent does, several at a time and so in no order."""

    def post(event: Event) -> int:
        headers, body = write_event(event)
        return client.post(url, headers=headers, content=body).status_code

    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(8) as senders:
        assert set(senders.map(post, events)) == {202}


async def test_events_become_a_report(start_target: Any, answering: Any, calls: Any, listen: Any) -> None:
    target = await start_target(answering(calls.answer(("PER", 0, 13), revision="new-2")))
    one = await asyncio.to_thread(partial(listen, target.url, *NER, "--at_once=100"))
    alike, other = calls.answer(("PER", 0, 13)), calls.answer(("ORG", 0, 13))
    pairs = [calls.pair(number, other if number % 4 == 0 else alike) for number in range(60)]

    def check() -> None:
        events = calls.events(*pairs)
        send(one.url, events + events[:10])
        found = one.wait(lambda found: found["events"] == {"paired": 120, "duplicate": 10})
        found = one.wait(lambda found: sum(found["calls"].values()) == 60)
        assert found["calls"] == {"agreed": 45, "disagreed": 15}
        assert (found["component"], found["verdict"]) == ("default/bert-ner/predictor", "disagrees")
        assert found["f1"]["estimate"] == pytest.approx(0.75)
        page = one.get("/report")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "The shadow disagrees" in page.text
        assert page.text.count("<svg") == 2
        assert "Angela Merkel met Obama." in page.text
        metrics = one.get("/metrics").text
        labels = 'model="bert-ner",revision="new-2"'
        for line in (
            f"modelserve_shadow_disagreement_ratio{{{labels}}} 0.25",
            f"modelserve_shadow_entity_f1{{{labels}}} 0.75",
            f"modelserve_shadow_score_distance{{{labels}}} 0.0",
            f'modelserve_shadow_answer_seconds_count{{answer="logged",{labels}}} 60.0',
            f'modelserve_shadow_answer_seconds_count{{answer="replayed",{labels}}} 60.0',
            'modelserve_shadow_events_total{outcome="paired"} 120.0',
        ):
            assert line in metrics
        assert one.get("/health/ready").json() == {"ready": True}
        status, printed = one.end()
        assert status == 1, "they disagree"
        assert printed["calls"] == found["calls"]

    await asyncio.to_thread(check)
    assert {received.headers["x-modelserve-shadow"] for received in target.received} == {"true"}


def test_replays_that_are_mirrored_themselves_are_not_replayed(
    start_server: Any, listen: StartListening
) -> None:
    """A revision is compared with itself, its request log on: each replay comes back as an event."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start_server(
        *("modelserve.cli", "serve", "--model", "bert-ner=samples/bert-ner"),
        *("--log_url", f"http://127.0.0.1:{port}/"),
    )
    one = listen(server.url, *OURS, port=port)
    for _ in range(5):
        assert server.post("/v2/models/bert-ner/infer", json=CALL).status_code == 200
    found = one.wait(lambda found: found["events"] == {"paired": 10, "replay": 10})
    assert found["calls"] == {"agreed": 5}
    time.sleep(0.5)
    assert one.results()["events"] == {"paired": 10, "replay": 10}, "nothing goes round"
    assert "with the same weights, gave logged answers and new ones" in found["notes"][0]
    assert one.end()[0] == 3


def test_a_candidate_that_dies_and_callers_that_do_not_notice(
    start_server: Any, listen: StartListening
) -> None:
    candidate = start_server("modelserve.cli", "serve", "--model", "bert-ner=samples/bert-ner")
    one = listen(candidate.url, *OURS)
    server = start_server(
        *("modelserve.cli", "serve", "--model", "bert-ner=samples/bert-ner"),
        *("--log_url", f"{one.url}/"),
    )

    def ask(number: int) -> list[int]:
        return [server.post("/v2/models/bert-ner/infer", json=CALL).status_code for _ in range(number)]

    assert ask(10) == [200] * 10
    one.wait(lambda found: found["calls"] == {"agreed": 10})
    candidate.process.kill()
    candidate.stop()
    assert ask(10) == [200] * 10
    found = one.wait(lambda found: sum(found["calls"].values()) == 20)
    assert found["calls"]["agreed"] == 10
    assert set(found["calls"]) <= {"agreed", "failed_unreachable", "failed_lost"}
    assert found["failures"]["estimate"] == 0.5


async def test_the_end_counts_the_calls_in_progress(
    start_target: Any, answering: Any, calls: Any, listen: Any
) -> None:
    """One candidate answers after the signal, the other one never does."""
    answer, go_on = answering(calls.answer()), asyncio.Event()

    async def late(received: Any, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await answer(received, writer)

    async def never(*_: Any) -> None:
        await asyncio.sleep(3600)

    events = calls.events(*(calls.pair(number, calls.answer()) for number in range(6)))
    for reply, outcomes in (
        (late, {"agreed": 4, "skipped_busy": 2}),
        (never, {"interrupted": 4, "skipped_busy": 2}),
    ):
        target = await start_target(reply)
        one = await asyncio.to_thread(partial(listen, target.url, *NER, "--at_once=4"))
        await asyncio.to_thread(send, one.url, events)
        await asyncio.to_thread(one.wait, lambda found: found["calls"] == {"skipped_busy": 2})
        ending = asyncio.create_task(asyncio.to_thread(one.end))
        while not any("stopping" in line for line in one.said):
            await asyncio.sleep(0.01)
        go_on.set()
        status, printed = await ending
        assert (status, printed["calls"]) == (3, outcomes)


async def test_events_that_are_none_and_halves_that_stay_alone(
    start_target: Any, answering: Any, calls: Any, listen: Any
) -> None:
    target = await start_target(answering(calls.answer()))
    one = await asyncio.to_thread(partial(listen, target.url, *NER))

    def check() -> None:
        assert httpx.post(one.url, content=b"nothing", timeout=60).status_code == 400
        send(one.url, calls.events(calls.pair(0, calls.answer()))[:1])
        one.wait(lambda found: found["events"] == {"malformed": 1, "waiting": 1})
        status, printed = one.end(signal.SIGINT)
        assert (status, printed["calls"]) == (3, {})

    await asyncio.to_thread(check)
    assert target.received == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "a FILE or --listen is accepted"),
        (["log.jsonl", "--listen=8080", *NER], "one of the two"),
        (["--listen=8080"], "with --namespace, --service and --component"),
        (["--listen=8080", *NER[:2]], "with --namespace, --service and --component"),
        (["--listen=x"], "no port, as 8080"),
        (["--listen=70000"], "no port, as 8080"),
        (["--listen=203.0.113.1:8080", *NER], "cannot be opened"),
    ],
)
def test_what_is_not_accepted(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "modelserve.cli", "shadow", "--to=http://127.0.0.1:1", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
