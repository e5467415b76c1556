"""What a 3 x 224 x 224 tensor costs besides its computation: V2's binary extension, one caller."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import models
from benchmarks.baseline import baseline
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import KSERVE, MODEL, OURS
from benchmarks.direct import pixel_tensor
from benchmarks.environments import NotInstalled
from benchmarks.places import PEERS, SCRATCH
from benchmarks.servers import serving
from modelserve.bench.calls import Target, encode_tensor
from modelserve.bench.loops import ClosedLoop

TITLE = "A 3 x 224 x 224 FP32 tensor over V2 binary"

_MOST_MS = 2.0


async def measure(options: Options) -> Result:
    """One caller's median, the engine's and KServe's codec's, in turn."""
    kind, seconds, rounds = models.image(), options.choose(5, 1), int(options.choose(5, 1))
    served: list[float] = []
    engine: list[float] = []
    codec: list[float] = []
    reason = ""
    async with (
        baseline(kind, threads=options.threads) as direct,
        serving(OURS, kind, threads=options.threads) as server,
    ):
        call = _call(server.target)
        for _ in range(rounds):
            loop = ClosedLoop(server.target, [call], callers=1)
            report = await loop.run(warm_up_seconds=seconds / 5, seconds=seconds)
            assert report.is_clean, report.outcomes
            assert report.latency is not None
            served.append(report.latency.p50_ms)
            engine.append(await direct.order("engine_ms", seconds))
            try:
                codec.append(await asyncio.to_thread(_kserve_codec, call, seconds / 2))
            except NotInstalled as error:
                reason = str(error)
    return {
        "served_ms": median(served),
        "engine_ms": median(engine),
        "beyond_engine_ms": median(ours - theirs for ours, theirs in zip(served, engine, strict=True)),
        "kserve_codec_ms": median(codec) if codec else None,
        "kserve_absent": reason,
    }


def _call(target: Target) -> bytes:
    tensor: Any = pixel_tensor()
    return encode_tensor(target, MODEL, "pixels", datatype="FP32", shape=tensor.shape, raw=tensor.tobytes())


def _kserve_codec(call: bytes, seconds: float) -> float:
    head, _, body = call.partition(b"\r\n\r\n")
    length = head.lower().partition(b"inference-header-content-length: ")[2].split()[0].decode()
    path: Path = SCRATCH / "run" / "tensor.bin"
    path.write_bytes(body)
    script = str(PEERS / "kserve" / "codec.py")
    command = [str(KSERVE.python()), script, str(path), length, str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


def claims(result: Result) -> Sequence[Claim]:
    """Everything but the engine."""
    text = "tensor over V2 binary, one caller's median beyond the engine's"
    return [Claim(text, result["beyond_engine_ms"], _MOST_MS, unit=" ms")]


def table(result: Result) -> Sequence[str]:
    """One table."""
    codec = result["kserve_codec_ms"]
    rows = [
        ["modelserve, one caller's median", f"{result['served_ms']:.2f}"],
        ["the engine alone", f"{result['engine_ms']:.2f}"],
        ["modelserve beyond the engine", f"{result['beyond_engine_ms']:.2f}"],
        [
            "KServe: reading the request alone",
            f"{codec:.2f}" if codec else f"not measured: {result['kserve_absent']}",
        ],
    ]
    return table_of(["", "ms"], rows)
