"""The same work without a server: the baseline, in a process of its own that waits for orders.

The one module of the suite that calls modelserve's models from the inside. Orders and answers are
lines of JSON on standard input and output.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import sys
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import models
from benchmarks.contenders import essence
from benchmarks.models import Kind
from modelserve.settings import EngineSettings, parse_settings

UNITS = {"bert_ner": "BertNer", "resnet_classifier": "ResNetClassifier"}


class Direct:
    """A loaded model and the instances that it is asked, over and over."""

    def __init__(self, kind: Kind, threads: int) -> None:
        unit = getattr(importlib.import_module(f"{kind.unit}.model"), UNITS[kind.unit])
        settings = parse_settings(EngineSettings, ["--threads", str(threads)], program="benchmarks.direct")
        self._task = unit("direct", kind.folder, settings).build_task()
        self._instances = [
            item if isinstance(item, str) else {"b64": base64.b64encode(item).decode()} for item in kind.items
        ]
        self._next = cycle(self._instances)
        self._folder, self._threads = kind.folder, threads

    def predict(self, instances: list[Any]) -> list[Any]:
        """Answer V1 instances as one batch."""
        call = self._task.decode_v1(instances)
        answers: list[Any] = self._task.encode_v1(self._task.run(call.items), call)
        return answers

    def answers(self, count: int) -> list[Any]:
        """What the model says to the first items, as far as that has to be equal everywhere."""
        return [essence(answer) for answer in self.predict(self._instances[:count])]

    def throughput(self, batch: int, seconds: float) -> float:
        """Items per second in batches of one size."""
        done, began = 0, perf_counter()
        while (taken := perf_counter() - began) < seconds:
            done += len(self.predict(list(islice(self._next, batch))))
        return done / taken

    def latency_ms(self, seconds: float) -> float:
        """The median time of one item alone, in milliseconds."""
        return _median_ms(lambda: self.predict([next(self._next)]), seconds)

    def engine_ms(self, seconds: float) -> float:
        """The median time of the engine alone on one 3 x 224 x 224 tensor, in milliseconds."""
        from resnet_classifier.engine import load_engine  # noqa: PLC0415  # of the image model only

        engine, _ = load_engine(self._folder, threads=self._threads)
        pixels = pixel_tensor()
        return _median_ms(lambda: engine.run({"pixels": pixels}), seconds)


def pixel_tensor() -> Any:
    """The tensor of the codec's measure: float32 [1, 3, 224, 224]."""
    return np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)


def _median_ms(work: Callable[[], Any], seconds: float) -> float:
    times: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or not times:
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return 1000 * median(times)


def main() -> None:
    """Load, say so, and do one order after another until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("ner", "image"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    direct = Direct(getattr(models, arguments.kind)(), arguments.threads)
    print(json.dumps("ready"), file=out, flush=True)
    for line in sys.stdin:
        order, *values = json.loads(line)
        print(json.dumps(getattr(direct, order)(*values)), file=out, flush=True)


if __name__ == "__main__":
    main()
