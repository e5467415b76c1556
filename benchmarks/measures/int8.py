"""What 8-bit integers add to the server's throughput, said apart: no peer serves the same integers."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import OURS
from benchmarks.environments import ensure
from benchmarks.measures.rounds import medians, ratio
from benchmarks.measures.throughput import load
from benchmarks.models import Kind
from benchmarks.places import PEERS, ROOT
from benchmarks.servers import serving
from modelserve.protocol.samples import Item

TITLE = "What int8 adds"

_FP32, _INT8 = "fp32", "int8"


async def measure(options: Options) -> Result:
    """Answers per second at 32 callers, with the float32 graph and with what ``modelserve export`` makes."""
    return {kind.name: await _measure_kind(kind, options) for kind in (models.image(), models.ner())}


async def _measure_kind(kind: Kind, options: Options) -> Result:
    said = _export(kind)
    seconds, rounds = options.choose(6, 2), int(options.choose(5, 1))
    found: dict[str, list[float]] = {_FP32: [], _INT8: []}
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(serving(OURS, of, threads=options.threads))
            for name, of in ((_FP32, kind), (_INT8, dataclasses.replace(kind, folder=_folder(kind))))
        }
        for _ in range(rounds):
            for name, server in servers.items():
                found[name].append((await load(server, kind, seconds)).goodput)
    return {"title": kind.title, "per_second": medians(found), "rounds": found, "export": said}


def claims(result: Result) -> Sequence[Claim]:
    """None: it depends on the processor's instructions."""
    return []


def table(result: Result) -> Sequence[str]:
    """A table for each model, and what the export said of the answers."""
    lines: list[str] = []
    for of in result.values():
        rows = [
            [name, f"{value:.1f}", f"{ratio(of['rounds'], name, _FP32):.2f}"]
            for name, value in of["per_second"].items()
        ]
        lines += [f"**{of['title']}**", "", *table_of(["", "answers per second", "of fp32"], rows), ""]
        lines += [f"`modelserve export`: {of['export']}", ""]
    return lines


def _folder(kind: Kind) -> Path:
    return kind.folder.with_name(f"{kind.folder.name}-int8")


def _export(kind: Kind) -> str:
    """Make the int8 folder, in an environment with torch, which judges it; what the command said."""
    folder, note = _folder(kind), _folder(kind) / "said.txt"
    if note.exists():
        return note.read_text("utf-8")
    torch = ensure("torch", PEERS / "torch" / "requirements.txt")
    python = ensure("export", ROOT / "requirements" / "cpu.txt", lent=torch)
    samples = _write_samples(kind.items[:64], folder.with_name(f"{kind.folder.name}-samples"))
    # Random weights have no answers to keep: the logits of a thousand classes lie close together.
    agreement = "0" if kind.name == "image" else "0.99"
    command: list[str | Path] = [python, "-m", "modelserve.cli", "export", "--precision", "int8"]
    command += ["--model_dir", kind.folder, "--output", folder, "--samples", samples]
    done = subprocess.run(
        [*command, "--agreement", agreement],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "predictors")))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = done.stdout.strip().replace(f"{folder.parent}/", "")
    note.write_text(said, "utf-8")
    return said


def _write_samples(items: Sequence[Item], place: Path) -> Path:
    if isinstance(items[0], str):
        place.write_text("\n".join(map(str, items)), "utf-8")
        return place
    place.mkdir(exist_ok=True)
    for number, item in enumerate(items):
        assert isinstance(item, bytes)
        (place / f"{number}.jpg").write_bytes(item)
    return place
