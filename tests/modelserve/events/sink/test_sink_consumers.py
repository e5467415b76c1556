"""Consumers that fail, that are slow, and that have to end."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

PROGRAM = """
import sys, time
from prometheus_client import CollectorRegistry
from modelserve.events.sink import Sink, SinkLimits, SinkMetrics, run_sink

registry = CollectorRegistry()
metrics = SinkMetrics("modelserve_shadow", registry)

class Slow:
    def take(self, message):
        time.sleep(0.01)
        metrics.count("taken")
    def idle(self):
        pass
    def close(self):
        print("closed", flush=True)

limits = SinkLimits(queue_messages=100, grace_seconds=float(sys.argv[1]))
sink = Sink(Slow(), metrics, limits)
run_sink(sink, host="127.0.0.1", port=0, on_ready=lambda port: print(port, flush=True))
for outcome in ("taken", "dropped"):
    print(int(registry.get_sample_value("modelserve_shadow_events_total", {"outcome": outcome})))
"""


def test_a_failure_is_logged_and_counted_and_the_next_one_is_taken(
    sink: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sink.consumer.bad = {b"bad", b"idle"}
    with caplog.at_level(logging.ERROR):
        for body in (b"1", b"bad", b"bad", b"2"):
            sink.post(body)
        sink.ends_with(taken=2, failed=2)
        sink.eventually(lambda: sink.consumer.idled > 1)
    assert sink.client.get("/health/live").status_code == 200
    said = [r for r in caplog.records if r.name.startswith("modelserve.events.sink")]
    on_events = [r for r in said if "failed on an event" in r.getMessage()]
    assert len(on_events) == 1, "once in a while, however many fail"
    assert on_events[0].exc_info is not None
    assert "it cannot be read" in str(on_events[0].exc_info[1])
    assert any("failed while idle" in r.getMessage() for r in said)


def test_it_is_idle_though_nothing_comes_and_though_much_comes(sink: Any) -> None:
    sink.eventually(lambda: sink.consumer.idled == 1)
    before = sink.consumer.idled

    def is_idle() -> bool:
        sink.post()
        return bool(sink.consumer.idled > before)

    sink.eventually(is_idle)
    assert "failed" not in sink.outcomes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_ended_is_no_life(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(message: object) -> None:
        raise SystemExit

    monkeypatch.setattr(sink.consumer, "take", leave)
    sink.consumer.closed = 1  # it will not be
    sink.post()
    sink.eventually(lambda: sink.client.get("/health/live").status_code == 503)
    assert sink.client.get("/health/live").json() == {"live": False}
    assert sink.client.get("/health/ready").status_code == 503


def test_at_the_end_what_was_taken_is_worked_off(sink: Any) -> None:
    sink.consumer.go_on.clear()
    for number in range(5):
        sink.post(name=str(number))
    sink.begin_to_stop()
    sink.eventually(lambda: refuses_connections(sink))
    assert sink.outcomes() == {}
    sink.stop()
    assert sink.outcomes() == {"taken": 5}
    assert sink.gauge("queue_messages") == 0


def test_a_request_that_has_begun_is_still_read(sink: Any, agent: Any) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in agent().items())
    with sink.connect() as whole, sink.connect() as half:
        for connection in (whole, half):
            connection.sendall(
                f"POST / HTTP/1.1\r\nhost: sink\r\n{fields}content-length: 2\r\n\r\n{{".encode()
            )
        sink.eventually(lambda: sink.gauge("queue_bytes") == 2)
        sink.begin_to_stop()
        sink.eventually(lambda: refuses_connections(sink))
        whole.sendall(b"}")
        assert whole.recv(65536).startswith(b"HTTP/1.1 202 ")
        half.close()
        sink.stop()
    assert sink.outcomes() == {"taken": 1, "incomplete": 1}


def test_what_is_left_when_the_time_is_over_is_dropped(start_sink: Any) -> None:
    sink = start_sink(grace_seconds=0.0)
    sink.consumer.go_on.clear()
    for number in range(5):
        sink.post(name=str(number))
    sink.begin_to_stop()
    sink.eventually(lambda: refuses_connections(sink))
    sink.stop()
    assert sink.outcomes() == {"taken": 1, "dropped": 4}


@pytest.mark.parametrize(("grace_seconds", "is_enough"), [("0.3", False), ("30", True)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_queue_is_full(
    agent: Any, grace_seconds: str, number: int, *, is_enough: bool
) -> None:
    command = [sys.executable, "-c", PROGRAM, grace_seconds]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        offered, dropped = 0, 0.0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            while not dropped:
                for _ in range(50):
                    assert client.post("/", headers=agent(str(offered))).status_code == 202
                    offered += 1
                line = next(
                    line
                    for line in client.get("/metrics").text.splitlines()
                    if line.startswith('modelserve_shadow_events_total{outcome="dropped"}')
                )
                dropped = float(line.split()[-1])
        process.send_signal(number)
        closed, taken_after, dropped_after = process.stdout.read().split()
        assert process.wait(60) == 0
    assert closed == "closed"
    assert int(taken_after) + int(dropped_after) == offered
    assert (int(dropped_after) == dropped) is is_enough


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = PROGRAM.replace("port=0", f"port={port}")
        done = subprocess.run(
            [sys.executable, "-c", program, "1"], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert f"StartError: port {port}" in done.stderr


def refuses_connections(sink: Any) -> bool:
    try:
        sink.connect().close()
    except ConnectionError:
        return True
    time.sleep(0.01)
    return False
