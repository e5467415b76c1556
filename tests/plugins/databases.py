"""Servers of databases of the tests' own, which they may kill, stop and fill: Redis and PostgreSQL.

A plugin, as tests of several folders use it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from http_servers import free_ports


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
        self.port, self.tls_port = free_ports(2)
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *arguments]
        # For what a test does beside the code that it tests.
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


@dataclass
class Postgres:
    """A server that is stopped and started as the test says."""

    programs: Path
    folder: Path
    host: str = "127.0.0.1"
    port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tester@{self.host}:{self.port}/postgres"

    def make(self) -> None:
        self._run("initdb", "--username=tester", "--auth=trust", "--no-sync", "--encoding=UTF8")
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all trust\n")  # of those who reach its address

    def start(self) -> None:
        options = f"-c listen_addresses={self.host} -p {self.port} -k '' -c fsync=off"
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self.folder}/log", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate", "--silent")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), f"--pgdata={self.folder}/data", *arguments]
        # PostgreSQL refuses to run as root.
        user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        done = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **user
        )  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def postgres_at(host: str) -> Iterator[Postgres]:
    """A server on an address of this machine's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = shutil.which("initdb") or (str(found[-1]) if found else None)
    if program is None:
        pytest.fail("initdb is not there; these tests need PostgreSQL: apt-get install postgresql")
    # Below /tmp and not pytest's folder, which the user that PostgreSQL runs as may not enter.
    folder = Path(f"/tmp/modelserve-postgres-{os.getpid()}-{time.time_ns()}")
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
    server = Postgres(Path(program).parent, folder, host)
    try:
        server.make()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres_at("127.0.0.1") as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> Iterator[Postgres]:
    """A running server with an empty database."""
    yield postgres_server
    engine = sa.create_engine(postgres_server.url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
