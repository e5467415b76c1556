"""The page that shows a run: what was met, the tables, and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, table_of
from benchmarks.measures import MEASURES

_INTRODUCTION = """\
# Benchmarks

Written by `make bench`; it measures again, writes this page and fails where a ratio is not met.

Generator, server and direct baseline share the same {cores} cores. Every server serves the same float32
weights with {threads} threads in one process or worker, with its own batching switched on where it has any
(plain KServe has none in its process), tokenizers or Pillow before the engine and numpy after it. Each is
measured twice: as its documentation has it, with torch, transformers and torchvision; and, *our graph*, given
what modelserve makes of the weights, on ONNX Runtime with modelserve's session options. The first tells what
choosing modelserve gains, and counts in the ratio; the second tells what its serving alone gains, which on
equal engines is what the engine leaves over.

Servers are up side by side, each in an environment of its own, and are measured in turn, round after round;
all but the one whose turn it is are held (SIGSTOP), as even an idle server takes some of the cores.
A figure is the median over the rounds; a ratio or a difference is the median of those within a round, as the
machine's speed drifts from one to the next. Before anything is timed, the answers to {checked} inputs have to
be those of the direct call: the same entities at the same places, the same class.

*Direct* is modelserve's own pre- and postprocessing and engine, called in a process without a server, one
batch after another in the best of several sizes. The ResNet-50 has random weights, which cost what trained
ones cost; its inputs are JPEGs of about 500 x 375 pixels. The token classifier is the sample model, its
inputs are sentences of 8 to 60 words.

A caller's wait counts from when the call was due, and every call's outcome is counted: a status, or

- `refused`: no connection could be made;
- `unread`: the connection closed before the server had read all of the call;
- `lost`: the server had read it, and closed without a whole answer;
- `timeout`, `malformed`, and, of an open loop, `unsent`.
"""


def write(folder: Path, results: Mapping[str, Any], claims: Sequence[Claim]) -> None:
    """Write ``README.md`` and ``results.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(f"{text}\n", "utf-8")
    (folder / "README.md").write_text("\n".join(_page(results, claims)) + "\n", "utf-8")


def _page(results: Mapping[str, Any], claims: Sequence[Claim]) -> list[str]:
    machine, threads = results["machine"], results["threads"]
    lines = [_INTRODUCTION.format(cores=machine["cores"].split()[0], threads=threads, checked=16)]
    if results["quick"]:
        lines += ["**A quick run, to see that the suite works: its figures mean nothing.**", ""]
    lines += ["## What is held", ""]
    lines += table_of(["", "measured", "bound", ""], [_claim_row(claim) for claim in claims])
    for name in (name for name in MEASURES if name in results["measures"]):
        result = results["measures"][name]
        lines += ["", f"## {MEASURES[name].TITLE}", ""]
        if name in _PLOTS:
            lines += [f"![{MEASURES[name].TITLE}]({name}.png)", ""]
        lines += MEASURES[name].table(result)
    lines += ["", "## Where and how", ""]
    lines += table_of(
        ["", ""],
        [
            ["dates", _dates(results["measured"])],
            ["last command", f"`{results['command']}`"],
            ["processor", machine["processor"]],
            ["cores used", machine["cores"]],
            ["load before the run", machine["load_before"]],
            ["system", machine["system"]],
            ["Python", machine["python"]],
            ["intra-op threads", str(threads)],
        ],
    )
    lines += ["", "| server | versions |", "| --- | --- |"]
    for title, versions in results["versions"].items():
        found = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(f"| {title} | {found} |")
    lines += [
        "",
        "`make bench` repeats it, and makes the environments of the peers from the locks in",
        "`benchmarks/peers/` the first time (torch among them: 6 GB on disk).",
        "`.venv/bin/python -m benchmarks --only cold_start` measures one thing; `--quick` just tries it out.",
    ]
    return lines


def _dates(measured: Mapping[str, str]) -> str:
    dates = sorted(set(measured.values()))
    if len(dates) == 1:
        return dates[0]
    return "; ".join(
        f"{date}: {', '.join(name for name, of in measured.items() if of == date)}" for date in dates
    )


_PLOTS = frozenset({"throughput", "latency", "cold_start", "memory", "overload"})
"""The measures that ``benchmarks/plots.py`` draws."""


def _claim_row(claim: Claim) -> list[str]:
    value = "not measured" if claim.value is None else f"{claim.value:.3g}{claim.unit}"
    sign = "at least" if claim.at_least else "at most"
    return [
        claim.text,
        value,
        f"{sign} {claim.bound:g}{claim.unit}",
        "met" if claim.is_met else "**not met**",
    ]
