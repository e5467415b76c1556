"""Draws the results, with matplotlib from an environment of its own; usage: plots.py FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the backend is chosen

_OURS, _DIRECT, _OTHER = "#1b6ca8", "#8a8a8a", "#c8b28a"


def _colour(title: str) -> str:
    return {"modelserve": _OURS, "direct": _DIRECT}.get(title, _OTHER)


def _bars(axis: Any, values: dict[str, float], label: str, title: str) -> None:
    names = sorted(values, key=lambda name: values[name])
    bars = axis.barh(names, [values[name] for name in names], color=[_colour(name) for name in names])
    axis.bar_label(bars, fmt="%.3g", padding=3)
    axis.margins(x=0.15)
    axis.set_xlabel(label)
    axis.set_title(title)
    axis.spines[["top", "right"]].set_visible(False)


def _by_model(result: dict[str, Any], key: str, label: str) -> Any:
    figure, axes = plt.subplots(1, len(result), figsize=(11, 3.4), layout="constrained")
    for axis, of in zip(axes, result.values(), strict=True):
        _bars(axis, of[key], label, of["title"])
    return figure


def draw_throughput(result: dict[str, Any]) -> Any:
    """Bars for each model."""
    return _by_model(result, "per_second", "answers per second, 32 callers")


def draw_latency(result: dict[str, Any]) -> Any:
    """Bars for each model."""
    return _by_model(result, "p50_ms", "median wait of one caller, ms")


def draw_cold_start(result: dict[str, Any]) -> Any:
    """Bars."""
    figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
    _bars(axis, result["seconds"], "seconds", "From the start of the process to the first answer")
    return figure


def draw_memory(result: dict[str, Any]) -> Any:
    """A line for each model."""
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    for of in result.values():
        axis.plot(of["requests"], of["megabytes"], label=of["title"])
    axis.set_ylim(bottom=0)
    axis.set_xlabel("requests")
    axis.set_ylabel("resident memory, MB")
    axis.legend(loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_overload(result: dict[str, Any]) -> Any:
    """Bars for each model."""
    figure, axes = plt.subplots(1, len(result), figsize=(11, 2.4), layout="constrained")
    for axis, of in zip(axes, result.values(), strict=True):
        values = {"closed loop": of["peak"], "ten times offered": of["goodput"]}
        _bars(axis, values, "good answers per second", of["title"])
    return figure


def main(folder: Path) -> None:
    """A picture for each measure that has one."""
    measures = json.loads((folder / "results.json").read_text("utf-8"))["measures"]
    for name, result in measures.items():
        draw = globals().get(f"draw_{name}")
        if draw is not None:
            draw(result).savefig(folder / f"{name}.png", dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
