"""The request log of a server without KServe's agent: whole calls, or nothing, and callers see none of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient import http as triton

from modelserve.events import Component, Event, Joiner, Pair, Side, logged_message, read_events
from modelserve.events.bodies import plain
from modelserve.server.mirror import Mirror
from modelserve.server.mirror_outputs import FileOutput, HttpOutput

ROOT = Path(__file__).parents[3]
INFER = "/v2/models/echo/infer"
CALL = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}


@dataclass
class Heard:
    """A sink that does what the test tells it; ``requests`` are what came.

    It answers with ``statuses`` first, and then with ``status``.
    """

    url: str
    status: int = 202
    statuses: list[int] = field(default_factory=list)
    answer: bytes = b""
    is_hanging_up: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self) -> list[Event]:
        return [event for headers, body in self.requests for event in read_events(headers, body)]


@pytest.fixture
def heard() -> Iterator[Heard]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sink.go_on.wait(30)
            sink.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(sink.statuses.pop(0) if sink.statuses else sink.status)
            self.send_header("Content-Length", str(len(sink.answer)))
            self.end_headers()
            self.wfile.write(sink.answer)
            self.close_connection = sink.is_hanging_up

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A server that gives up hangs up on this one."""

    server = Server(("127.0.0.1", 0), Handler)
    sink = Heard(f"http://127.0.0.1:{server.server_port}/modelserve/default?x=y")
    sink.go_on.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield sink
    sink.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join(30)


def pairs_of(events: list[Event]) -> list[Pair]:
    """The calls, none of which is half."""
    joiner = Joiner()
    pairs = [joiner.offer(logged_message(event), now=0) for event in events]
    assert len(joiner) == 0
    return [pair for pair in pairs if pair is not None]


async def eventually(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def dropped(served: Any) -> float:
    value = served.plane.metrics.registry.get_sample_value(
        "modelserve_log_dropped_total", {"revision": "predictor-1"}
    )
    assert value is not None
    return float(value)


async def call(served: Any, **arguments: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(f"{served.url}{INFER}", **(arguments or {"json": CALL}))


def test_calls_of_every_kind_are_told_whole(start_server: Any, heard: Heard, cat_jpeg: bytes) -> None:
    server = start_server(
        *("modelserve.cli", "serve", "--model", "bert-ner=samples/bert-ner"),
        *("--model", "resnet-classifier=samples/resnet-classifier", "--log_url", heard.url),
    )
    v1_body = b'{"instances":  ["Angela Merkel met Barack Obama."]}'
    v1 = server.post("/v1/models/bert-ner:predict", content=v1_body, headers={"content-type": "text/json"})
    v2_body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Berlin"]}]}
    v2 = server.post("/v2/models/bert-ner/versions/1/infer", json=v2_body)
    with triton.InferenceServerClient(f"127.0.0.1:{server.http_port}") as client:
        image = triton.InferInput("image", [1], "BYTES")
        image.set_data_from_numpy(np.array([cat_jpeg], dtype=np.object_), binary_data=True)
        client.infer("resnet-classifier", [image])
    # Told of none of these, nor of what is no inference.
    assert server.post("/v1/models/bert-ner:predict", content=b"{").status_code == 400
    assert server.post("/v2/models/bert-ner/infer", json={"inputs": []}).status_code == 400
    assert server.post("/v1/models/none:predict", content=v1_body).status_code == 404
    assert server.post("/v2/repository/index").status_code == 200
    assert server.get("/v2/models/bert-ner").status_code == 200
    assert "modelserve_log_dropped_total" in server.get("/metrics").text
    assert server.stop() == 0

    first, second, third = pairs_of(heard.events())
    assert first.component == Component("local", "bert-ner", "predictor")
    assert (first.request.body, first.response.body) == (v1_body, v1.content)
    assert (json.loads(second.request.body), second.response.body) == (v2_body, v2.content)
    assert json.loads(second.response.body)["parameters"]["revision"] == "local"
    assert third.component.service == "resnet-classifier"
    assert third.request.body.startswith(b'{"inputs"')
    assert third.request.body.endswith(cat_jpeg)
    assert all(0 < pair.seconds < 60 for pair in (first, second, third))
    assert [headers["content-type"] for headers, _ in heard.requests[:2]] == ["text/json"] * 2
    assert {event.type.rpartition(".")[2] for event in heard.events()} == {side.value for side in Side}


def test_to_a_file(start_server: Any, tmp_path: Path, cat_jpeg: bytes) -> None:
    file = tmp_path / "calls.jsonl"
    command = ("modelserve.cli", "serve", "--model", "resnet-classifier=samples/resnet-classifier")
    body = {"instances": [{"b64": base64.b64encode(cat_jpeg).decode()}]}
    for number in range(2):
        server = start_server(*command, "--log_file", str(file))
        assert server.post("/v1/models/resnet-classifier:predict", json=body).status_code == 200
        assert server.stop() == 0
        lines = file.read_bytes().splitlines()
        assert len(lines) == 2 * (number + 1), "it goes on with a file that is there"
    headers = {"content-type": "application/cloudevents+json"}
    pairs = pairs_of([event for line in lines for event in read_events(headers, line)])
    assert [json.loads(pair.request.body) for pair in pairs] == [body, body]
    assert "predictions" in json.loads(lines[1])["data"]


async def test_refused_calls_are_told_nobody(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60)), max_body_bytes=500)
    echo.failures = [RuntimeError("broken")]
    assert (await call(served)).status_code == 500
    assert (await call(served, content=b"x" * 501)).status_code == 413
    assert (await call(served, content=b"x")).status_code == 400
    assert (await call(served)).status_code == 200
    await eventually(lambda: len(heard.requests) == 2)
    assert dropped(served) == 0


async def test_a_call_keeps_the_id_that_its_caller_gave_it(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url)))
    await call(served, json=CALL, headers={"ce-id": "modelserve-shadow-7"})
    await call(served)
    await eventually(lambda: len(heard.events()) == 4)
    first, second = pairs_of(heard.events())
    assert first.request.id == "modelserve-shadow-7"
    assert second.request.id not in ("", "modelserve-shadow-7")


async def test_a_caller_that_has_gone_has_no_answer(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60)))
    echo.go_on.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", served.http_port)
    body = json.dumps(CALL).encode()
    writer.write(f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await eventually(lambda: bool(echo.timeouts))
    writer.close()
    await eventually(lambda: echo.cancelled == 1)
    echo.go_on.set()
    assert (await call(served)).status_code == 200
    await eventually(lambda: len(heard.requests) == 2)


async def test_a_body_in_parts(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60)))
    body = json.dumps(CALL).encode()

    async def parts() -> Any:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(0)

    answer = await call(served, content=parts())
    await eventually(lambda: len(heard.requests) == 2)
    (pair,) = pairs_of(heard.events())
    assert (pair.request.body, pair.response.body) == (body, answer.content)
    assert heard.requests[0][0].get("content-type") is None


@pytest.mark.parametrize("how", ["away", "refuses", "is no sink"])
async def test_a_sink_that_does_not_take_them(
    echo: Any, serve: Any, heard: Heard, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = heard.url
    heard.status, heard.answer = 500, b"x" * 100_000
    with socket.create_server(("127.0.0.1", 0)) as other:
        if how == "is no sink":
            url = f"http://127.0.0.1:{other.getsockname()[1]}"
            threading.Thread(target=_speak_something_else, args=(other,), daemon=True).start()
        elif how == "away":
            with socket.create_server(("127.0.0.1", 0)) as free:
                url = f"http://127.0.0.1:{free.getsockname()[1]}"
        served = await serve(echo, mirror=Mirror(HttpOutput(url)))
        for _ in range(3):
            assert (await call(served)).status_code == 200
        await eventually(lambda: dropped(served) == 6)
        body, _ = served.plane.metrics.expose("")
        assert b'modelserve_log_dropped_total{revision="predictor-1"} 6.0' in body
        said = [record for record in caplog.records if "request log" in record.getMessage()]
        assert len(said) == 1, "it is said once"


def _speak_something_else(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(b"220 mail.example.com ESMTP\r\n")


async def test_a_sink_that_comes_back_or_hangs_up_gets_all_that_follows(
    echo: Any, serve: Any, heard: Heard
) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60)))
    heard.status = 503
    await call(served)
    await eventually(lambda: dropped(served) == 2)
    heard.status = 202
    heard.requests.clear()
    heard.is_hanging_up = True
    for number in range(1, 6):
        await call(served)
        await eventually(lambda n=number: len(heard.requests) == 2 * n)  # type: ignore[misc]
    assert len(pairs_of(heard.events())) == 5
    assert dropped(served) == 2


async def test_an_answer_is_not_sent_without_its_request(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60)))
    heard.statuses = [503, 202, 202]
    for number in (1, 3):
        assert (await call(served)).status_code == 200
        await eventually(lambda n=number: len(heard.requests) >= n)  # type: ignore[misc]
    assert dropped(served) == 2
    refused, *taken = heard.events()
    assert refused.type.endswith(Side.REQUEST.value)
    assert len(pairs_of(taken)) == 1


async def test_a_compressed_request_can_be_read_from_the_log(echo: Any, serve: Any, tmp_path: Path) -> None:
    """The log has none of the call's headers."""
    file = tmp_path / "calls.jsonl"
    served = await serve(echo, mirror=Mirror(FileOutput(file)))
    packed = gzip.compress(json.dumps(CALL).encode())
    assert (await call(served, content=packed, headers={"content-encoding": "gzip"})).status_code == 200
    await eventually(lambda: file.read_bytes().count(b"\n") == 2)
    headers = {"content-type": "application/cloudevents+json"}
    (pair,) = pairs_of([one for line in file.read_bytes().splitlines() for one in read_events(headers, line)])
    assert pair.request.body == packed
    assert json.loads(plain(pair.request.body)) == CALL


async def test_a_slow_sink_makes_nobody_wait_and_fills_no_memory(echo: Any, serve: Any, heard: Heard) -> None:
    mirror = Mirror(HttpOutput(heard.url, timeout_seconds=60), most_calls=5)
    served = await serve(echo, mirror=mirror)
    heard.go_on.clear()
    for _ in range(20):
        assert (await call(served)).status_code == 200
    assert dropped(served) == 30
    heard.go_on.set()
    await eventually(lambda: len(heard.requests) == 10)
    await call(served)
    await eventually(lambda: len(heard.requests) == 12)
    assert len(pairs_of(heard.events())) == 6


async def test_bytes_have_a_bound_too(echo: Any, serve: Any, heard: Heard) -> None:
    served = await serve(echo, mirror=Mirror(HttpOutput(heard.url, timeout_seconds=60), most_bytes=10_000))
    heard.go_on.clear()
    large = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [600], "data": [1.0] * 600}]}
    for _ in range(4):
        assert (await call(served, json=large)).status_code == 200
    assert (await call(served)).status_code == 200
    assert dropped(served) == 6
    heard.go_on.set()
    await eventually(lambda: len(heard.requests) == 4)


async def test_what_waits_at_the_end_is_sent(echo: Any, serve: Any, heard: Heard) -> None:
    mirror = Mirror(HttpOutput(heard.url, timeout_seconds=60))
    served = await serve(echo, mirror=mirror)
    heard.go_on.clear()
    for _ in range(4):
        await call(served)
    assert heard.requests == []
    with ThreadPoolExecutor(1) as closing:
        done = closing.submit(mirror.close)
        heard.go_on.set()
        done.result(30)
    assert len(pairs_of(heard.events())) == 4
    assert dropped(served) == 0


async def test_an_end_does_not_wait_for_a_sink_that_hangs(
    echo: Any, serve: Any, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelserve.server.mirror._CLOSE_SECONDS", 0.0)
    mirror = Mirror(HttpOutput(heard.url, timeout_seconds=0.2))
    served = await serve(echo, mirror=mirror)
    heard.go_on.clear()
    for _ in range(4):
        await call(served)
    await asyncio.to_thread(mirror.close)
    await eventually(lambda: dropped(served) == 8)


async def test_a_full_disk(echo: Any, serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    served = await serve(echo, mirror=Mirror(FileOutput(Path("/dev/full"))))
    for _ in range(2):
        assert (await call(served)).status_code == 200
    await eventually(lambda: dropped(served) == 4)
    assert "No space left" in caplog.text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--log_url", "ftp://sink"), "http://HOST:PORT/PATH is accepted"),
        (("--log_url", "http://sink:99999"), "http://sink:99999 is no sink"),
        (("--log_url", "http://sink", "--log_file", "x"), "one of both is accepted"),
    ],
)
def test_flags_that_name_no_log(flags: Any, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    from modelserve.cli.serve import ServeSettings
    from modelserve.settings import parse_settings

    with pytest.raises(SystemExit) as raised:
        parse_settings(ServeSettings, flags, program="test")
    assert raised.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    from modelserve.server.workers import StartError

    with pytest.raises(StartError, match=r"--log_file .* cannot be written: Is a directory"):
        FileOutput(tmp_path)
