"""A contender's process: started until it answers, held, looked at, and stopped with its children."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.contenders import Contender, essence
from benchmarks.models import Kind
from benchmarks.places import SCRATCH
from modelserve.bench.calls import Target
from modelserve.bench.once import ask
from modelserve.bench.outcomes import is_good
from modelserve.protocol.samples import Item

START_SECONDS = 90.0
STOP_SECONDS = 40.0
_POLL_SECONDS = 0.01


class NotServing(Exception):
    """A server ended before it answered, or did not answer in time; the message ends its log."""


@dataclass
class Server:
    """A running server.

    ``start_seconds`` is from the start of its process to its first answer, and ``first_answer`` what
    that said to the first item, as far as it has to be equal everywhere.
    """

    contender: Contender
    process: subprocess.Popen[bytes]
    target: Target
    start_seconds: float
    first_answer: Any

    def calls(self, items: tuple[Item, ...]) -> list[bytes]:
        """A call for each item."""
        return [self.contender.call(self.target, item) for item in items]

    async def answers(self, items: tuple[Item, ...]) -> list[Any]:
        """What it says to each item, as far as that has to be equal everywhere."""
        found = []
        for item in items:
            outcome, body = await ask(self.target, self.contender.call(self.target, item))
            if not is_good(outcome):
                raise NotServing(f"{self.contender.title} answers {outcome}: {body[:200]!r}")
            found.append(essence(self.contender.answer(body)))
        return found

    def resident_bytes(self) -> int:
        """Memory of the process and its children; pages that they share are counted for each."""
        return sum(size for _, size in _members(self.process.pid))

    def hold(self) -> None:
        """Halt its processes where they are until its turn: an idle server takes some of the cores too."""
        _signal(self.process.pid, signal.SIGSTOP)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Go on for as long as the block lasts."""
        _signal(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            self.hold()


@asynccontextmanager
async def serving(contender: Contender, kind: Kind, *, threads: int) -> AsyncIterator[Server]:
    """A server that answers, until the block ends.

    Raises:
        NotServing: it does not come to answer.
    """
    port, *others = _free_ports(3)
    launch = contender.launch(kind, port=port, other_ports=(others[0], others[1]), threads=threads)
    target = Target("127.0.0.1", port)
    call = contender.call(target, kind.items[0])
    folder = SCRATCH / "run" / contender.name
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "log.txt"
    with log_path.open("wb") as log:
        began = perf_counter()
        process = subprocess.Popen(
            launch.command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **launch.environment},
            start_new_session=True,
        )
        try:
            body = await _wait_for_answer(process, target, call, log_path)
            seconds = perf_counter() - began
            yield Server(contender, process, target, seconds, essence(contender.answer(body)))
        finally:
            await asyncio.to_thread(stop, process)


async def _wait_for_answer(process: subprocess.Popen[bytes], target: Target, call: bytes, log: Path) -> bytes:
    end, outcome = perf_counter() + START_SECONDS, "none"
    while perf_counter() < end:
        outcome, body = await ask(target, call)
        if is_good(outcome):
            return body
        if process.poll() is not None:
            break
        await asyncio.sleep(_POLL_SECONDS)
    last = log.read_text("utf-8", "replace").strip().splitlines()[-3:]
    raise NotServing(
        f"exit status {process.poll()}, last outcome {outcome}; its log ends: {' | '.join(last)}"
    )


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a server in order, then whatever is left of its session; its exit status."""
    _signal(process.pid, signal.SIGCONT)  # one that is held would not see that it has to end
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{process.args!r} did not end in {STOP_SECONDS:.0f} s", file=sys.stderr)
        status = -signal.SIGKILL
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return status


def _members(session: int) -> Iterator[tuple[int, int]]:
    """The processes of a session, which a server leads: their numbers and resident bytes."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session:
            yield int(folder.name), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def _signal(session: int, number: signal.Signals) -> None:
    for process, _ in _members(session):
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
