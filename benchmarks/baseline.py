"""The handle on the baseline's process."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.models import Kind
from benchmarks.places import ROOT, SCRATCH


class Baseline:
    """Gives orders to ``benchmarks.direct``."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def order(self, name: str, *values: float) -> Any:
        """Have a method of ``Direct`` called; what it returns."""
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.write(json.dumps([name, *values]).encode() + b"\n")
        return await self.read()

    async def read(self) -> Any:
        """The next line of its output."""
        assert self._process.stdout is not None, "it was started with a pipe"
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the direct baseline ended with {await self._process.wait()}; see its log")
        return json.loads(line)


@asynccontextmanager
async def baseline(kind: Kind, *, threads: int) -> AsyncIterator[Baseline]:
    """The loaded baseline, until the block ends."""
    (SCRATCH / "run").mkdir(parents=True, exist_ok=True)
    with (SCRATCH / "run" / "direct.txt").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.direct", "--kind", kind.name, "--threads", str(threads)),
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            limit=2**24,
        )
        try:
            direct = Baseline(process)
            assert await direct.read() == "ready"
            yield direct
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
