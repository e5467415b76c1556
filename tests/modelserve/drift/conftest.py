"""Databases for the store: SQLite in a file, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelserve.drift.store import Store
from modelserve.drift.verdicts import Source
from modelserve.events import Component


@pytest.fixture
def source() -> Callable[..., Source]:
    """Whose window it is, by the revision's number."""

    def make(number: int = 1, *, service: str = "names", digest: str = "sha256:a") -> Source:
        component = Component("default", service, "predictor")
        return Source(component, f"{service}-predictor-{number:05}", digest)

    return make


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Postgres:
    """A server that is stopped and started as the test says."""

    programs: Path
    folder: Path
    port: int = field(default_factory=_free_port)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        self._run("initdb", "--username=tester", "--auth=trust", "--no-sync", "--encoding=UTF8")

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k '' -c fsync=off"
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = shutil.which("initdb") or (str(found[-1]) if found else None)
    if program is None:
        pytest.fail("initdb is not there; these tests need PostgreSQL: apt-get install postgresql")
    # Below /tmp and not pytest's folder, which the user that PostgreSQL runs as may not enter.
    folder = Path(f"/tmp/modelserve-postgres-{os.getpid()}-{time.time_ns()}")
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
    server = Postgres(Path(program).parent, folder)
    try:
        server.make()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/drift.db"
    url: str = request.getfixturevalue("postgres").url
    return url


@pytest.fixture
def postgres(postgres_server: Postgres) -> Iterator[Postgres]:
    """A running server with an empty database."""
    yield postgres_server
    import sqlalchemy as sa

    engine = sa.create_engine(postgres_server.url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()
