"""Modules that run as programs, each in a process of its own until the test is over."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Program:
    """A program that listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(*arguments: str, ready: str, environment: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Start one at the root of the repository.

    Args:
        arguments: the module's name, and what it is given.
        ready: what it says once it listens; the group in it is the port.
        environment: variables beside those of this process.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
    )
    lines: list[str] = []
    ports: queue.Queue[int] = queue.Queue()

    def drain() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if match := re.search(ready, line):
                ports.put(int(match[1]))
        ports.put(0)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    port = 0
    try:
        with suppress(queue.Empty):
            port = ports.get(timeout=300)  # imports take long where others compute
        assert port, f"{' '.join(arguments)} is not ready:\n{''.join(lines)}"
        yield Program(port)
        assert process.poll() is None, f"{' '.join(arguments)} has ended:\n{''.join(lines)}"
    finally:
        process.terminate()
        process.wait(60)
        thread.join(60)
        assert process.stdout is not None
        process.stdout.close()
