"""``modelserve bench`` from its flags to its exit status, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from modelserve.bench.calls import Target

Read = Callable[[], bytes | None]
StartScript = Callable[[Callable[[socket.socket, Read], None]], Target]

PREDICTION = b'{"predictions": [[]]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(PREDICTION), PREDICTION)
FULL = b'HTTP/1.1 429 Too Many Requests\r\nContent-Length: 20\r\n\r\n{"error": "is full"}'


def bench(target: Target, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelserve.cli", "bench", "--model", "m", "--warm_up_seconds", "0"]
    command += ["--url", f"http://{target.host}:{target.port}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def slowly(connection: socket.socket, read: Read) -> None:
    """Answer after a while, so that the generator has little to do."""
    while read() is not None:
        time.sleep(0.02)
        connection.sendall(OK)


def test_a_clean_run_as_json(serve_script: StartScript) -> None:
    ran = bench(serve_script(slowly), "--text", "a", "b", "--callers", "2", "--requests", "20", "--json")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert set(report["outcomes"]) == {"200"}
    assert report["latency"]["p50_ms"] >= 20
    assert report["goodput"] == report["throughput"] > 0


def test_an_open_loop_as_a_table(serve_script: StartScript) -> None:
    ran = bench(serve_script(slowly), "--text", "a", "--rate", "40", "--spacing", "even", "--seconds", "1")
    assert ran.returncode == 0, ran.stderr
    assert "40 calls" in ran.stdout
    assert "200: 40" in ran.stdout


def test_a_server_that_refuses_some(serve_script: StartScript) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        number = 0
        while read() is not None:
            number += 1
            time.sleep(0.02)
            connection.sendall(OK if number % 2 else FULL)

    ran = bench(serve_script(script), "--text", "a", "--callers", "1", "--requests", "10", "--json")
    assert ran.returncode == 1
    assert set(json.loads(ran.stdout)["outcomes"]) == {"200", "429"}


def test_a_server_that_refuses_the_first_call(serve_script: StartScript) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        while read() is not None:
            connection.sendall(FULL)

    ran = bench(serve_script(script), "--text", "a")
    assert ran.returncode == 1
    assert "429" in ran.stderr
    assert "is full" in ran.stderr
    assert not ran.stdout


def test_a_time_in_which_no_call_was_due(serve_script: StartScript) -> None:
    ran = bench(
        serve_script(slowly), "--text", "a", "--rate", "1", "--seconds", "0.001", "--spacing", "poisson"
    )
    assert ran.returncode == 3
    assert "no call" in ran.stderr


def test_files_and_folders(serve_script: StartScript, tmp_path: Path) -> None:
    seen: list[bytes | None] = []

    def script(connection: socket.socket, read: Read) -> None:
        while (body := read()) is not None:
            seen.append(body)
            connection.sendall(OK)

    (tmp_path / "b.jpg").write_bytes(b"B")
    (tmp_path / "a.PNG").write_bytes(b"A")
    (tmp_path / "notes.txt").write_text("one\n\ntwo\n", "utf-8")
    target = serve_script(script)
    arguments = ("--image", str(tmp_path), "--text_file", str(tmp_path / "notes.txt"))
    ran = bench(target, *arguments, "--protocol", "v1", "--callers", "1", "--requests", "8")
    assert ran.returncode in (0, 3), ran.stderr  # this server is faster than its caller
    instances = [json.loads(body or b"")["instances"][0] for body in seen[1:5]]
    assert instances == ["one", "two", {"b64": "QQ=="}, {"b64": "Qg=="}]


def test_bad_usage(tmp_path: Path) -> None:
    nowhere = Target("127.0.0.1", 1)
    assert bench(nowhere).returncode == 2
    assert bench(nowhere, "--image", str(tmp_path / "missing")).returncode == 2
    assert bench(nowhere, "--text", "a", "--callers", "0").returncode == 2
    assert bench(nowhere, "--text", "a", "--rate", "5", "--requests", "5").returncode == 2
    assert bench(nowhere, "--text", "a", "--rate", "5", "--callers", "5").returncode == 2
    assert bench(nowhere, "--text", "a").returncode == 1
