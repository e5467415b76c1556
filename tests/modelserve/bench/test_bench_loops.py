"""The loops against a real server that answers, delays, refuses and closes connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from modelserve.bench.calls import Target
from modelserve.bench.loops import ClosedLoop, OpenLoop
from modelserve.bench.once import ask

Read = Callable[[], bytes | None]
StartScript = Callable[[Callable[[socket.socket, Read], None]], Target]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def answer_all(connection: socket.socket, read: Read) -> None:
    while read() is not None:
        connection.sendall(OK)


async def test_every_caller_calls_again_on_its_connection(serve_script: StartScript, call: bytes) -> None:
    connections, calls, most, lock = [0], [0], [0, 0], threading.Lock()

    def script(connection: socket.socket, read: Read) -> None:
        connections[0] += 1
        while read() is not None:
            with lock:
                calls[0] += 1
                most[0] += 1
                most[1] = max(most)
            time.sleep(0.01)
            with lock:
                most[0] -= 1
            connection.sendall(OK)

    loop = ClosedLoop(serve_script(script), [call], callers=4)
    report = await loop.run(seconds=0.5)
    assert report.outcomes == {"200": calls[0]}
    assert report.is_clean
    assert connections == [4]
    assert most[1] == 4
    assert report.latency is not None
    assert report.latency.p50_ms >= 10
    # From answer to answer: a loaded machine's silence at the end of the window is no part of it.
    assert 0.5 * calls[0] < report.throughput * report.seconds < 1.5 * calls[0]


async def test_a_number_of_requests(serve_script: StartScript, call: bytes) -> None:
    report = await ClosedLoop(serve_script(answer_all), [call], callers=2).run(requests=100)
    assert report.calls >= 100


async def test_chunked_answers_and_several_calls_in_turn(serve_script: StartScript, call: bytes) -> None:
    seen: list[bytes | None] = []

    def script(connection: socket.socket, read: Read) -> None:
        while (body := read()) is not None:
            seen.append(body)
            for position in range(0, len(CHUNKED), 7):
                connection.sendall(CHUNKED[position : position + 7])

    other = call.replace(b"x" * 100, b"y" * 100)
    report = await ClosedLoop(serve_script(script), [call, other], callers=1).run(requests=10)
    assert report.is_clean
    assert seen[0] != seen[1]
    assert seen[0:2] == seen[2:4]


async def test_refusals_are_counted_and_are_no_good_answers(serve_script: StartScript, call: bytes) -> None:
    def alternate(connection: socket.socket, read: Read) -> None:
        number = 0
        while read() is not None:
            number += 1
            connection.sendall(REFUSAL if number % 2 else OK)

    report = await ClosedLoop(serve_script(alternate), [call], callers=1).run(requests=50)
    assert abs(report.outcomes["429"] - report.outcomes["200"]) <= 1
    assert not report.is_clean
    assert report.goodput < report.throughput


async def test_a_connection_that_the_server_ends_is_opened_again(
    serve_script: StartScript, call: bytes
) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        if read() is not None:
            connection.sendall(LAST)

    report = await ClosedLoop(serve_script(script), [call], callers=2).run(requests=50)
    assert report.is_clean


async def test_a_call_that_was_read_and_not_answered_is_lost(serve_script: StartScript, call: bytes) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        read()

    assert await ask(serve_script(script), call) == ("lost", b"")


async def test_an_answer_that_is_cut_off_is_lost(serve_script: StartScript, call: bytes) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(OK[:-1])

    assert await ask(serve_script(script), call) == ("lost", b"")


async def test_a_call_that_was_not_read_is_not_lost(serve_script: StartScript, call: bytes) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        connection.recv(100)
        time.sleep(0.05)

    assert await ask(serve_script(script), call) == ("unread", b"")


async def test_a_call_on_a_connection_that_just_closed_is_not_lost(
    serve_script: StartScript, call: bytes
) -> None:
    """The server closes without a word after an answer, while the next call is on its way."""

    def script(connection: socket.socket, read: Read) -> None:
        if read() is not None:
            connection.sendall(OK)

    loop = ClosedLoop(serve_script(script), [call], callers=4)
    report = await loop.run(requests=100)
    assert set(report.outcomes) <= {"200", "unread"}
    assert report.outcomes["200"] > 0


async def test_refused_connections_are_counted(call: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("127.0.0.1", listener.getsockname()[1])
    assert (await ask(target, call))[0] == "refused"
    report = await ClosedLoop(target, [call], callers=2).run(requests=4)
    assert set(report.outcomes) == {"refused"}
    assert report.throughput == 0


async def test_what_is_no_http_is_counted(serve_script: StartScript, call: bytes) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n")
        read()

    assert await ask(serve_script(script), call) == ("malformed", b"")


async def test_a_call_that_takes_too_long_is_given_up_and_counted(
    serve_script: StartScript, call: bytes
) -> None:
    release = threading.Event()

    def script(connection: socket.socket, read: Read) -> None:
        while read() is not None:
            release.wait(20)

    loop = ClosedLoop(serve_script(script), [call], callers=2, timeout_seconds=0.2)
    report = await loop.run(seconds=0.5)
    release.set()
    assert set(report.outcomes) == {"timeout"}
    assert report.latency is not None
    assert report.latency.p50_ms >= 200


async def test_an_open_loop_waits_for_nobody(serve_script: StartScript, call: bytes) -> None:
    """One connection stands still for a second: the calls that were due meanwhile have waited."""
    first = threading.Event()

    def script(connection: socket.socket, read: Read) -> None:
        while read() is not None:
            if not first.is_set():
                first.set()
                time.sleep(1.0)
            connection.sendall(OK)

    target = serve_script(script)
    loop = OpenLoop(target, [call], rate=100, spacing="even", connections=1)
    report = await loop.run(seconds=1.5)
    assert report.calls == 150
    assert report.outcomes == {"200": 150}
    assert report.latency is not None
    # A closed loop would have seen one slow call; here as many waited as were due in that second.
    assert report.latency.p50_ms > 100
    assert report.latency.max_ms >= 1000


async def test_what_an_open_loop_could_not_send_is_counted(serve_script: StartScript, call: bytes) -> None:
    def script(connection: socket.socket, read: Read) -> None:
        while read() is not None:
            time.sleep(0.2)
            connection.sendall(OK)

    loop = OpenLoop(serve_script(script), [call], rate=100, spacing="even", connections=2)
    report = await loop.run(seconds=1.0)
    assert report.calls == 100
    assert report.outcomes["unsent"] > 50
    assert sum(report.outcomes.values()) == 100
    assert not report.is_clean
