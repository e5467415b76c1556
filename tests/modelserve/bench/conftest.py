"""A server of a few lines, on sockets and threads, that does to calls what servers do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from modelserve.bench.calls import Target, http_post

Script = Callable[[socket.socket, Callable[[], bytes | None]], None]
"""What the server does with a connection, and a function that reads its next call (None: it ended)."""

StartScript = Callable[[Script], Target]


def _read_call(connection: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return None
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


@pytest.fixture
def serve_script() -> Iterator[StartScript]:
    """Starts servers that run a script for each connection, in a thread of its own."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(script: Script) -> Target:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listeners.append(listener)

        def handle(connection: socket.socket) -> None:
            with connection:
                try:
                    script(connection, lambda: _read_call(connection))
                except OSError:  # the caller went away
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
                threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return Target("127.0.0.1", listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def call() -> bytes:
    """A call of the size that an image has."""
    return http_post(
        Target("127.0.0.1", 1), "/v1/models/m:predict", b'{"instances": ["%s"]}' % (b"x" * 40_000)
    )
