"""A real Redis for the tests, which they may kill, stop and fill."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis


class RedisProcess:
    """A ``redis-server`` of its own on a free port.

    Args:
        folder: where it runs.
        arguments: further settings for its command line.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("redis-server is not on the PATH; these tests need one: apt-get install redis-server")
        self.port, self.tls_port = _free_ports(2)
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *arguments]
        # For what a test does beside the cache.
        self.client = redis.Redis(port=self.port, socket_timeout=60)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if "Ready to accept connections" in line:
                return
        self.kill()
        pytest.fail(f"redis-server ended with {self._process.returncode}:\n{''.join(lines)}")

    def kill(self) -> None:
        """End it without notice, and with everything it held."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def hang(self) -> None:
        """Keep it from running. Its connections stay open, and new ones are taken by the kernel."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        self.client.close()
        self.kill()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisProcess]]:
    """Starts servers, each with further settings, that end with the test."""
    servers: list[RedisProcess] = []

    def start(*arguments: str) -> RedisProcess:
        servers.append(RedisProcess(tmp_path, *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def redis_server(start_redis: Callable[..., RedisProcess]) -> RedisProcess:
    """A Redis without a password."""
    return start_redis()


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Seconds for a circuit breaker's pause."""
    return Clock()
