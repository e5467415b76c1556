"""Windows whose samples make no whole, as of a model swapped under its name: they hold nothing back."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image

from modelserve.drift.assessing import Assessor
from modelserve.drift.baselines import References
from modelserve.drift.building import build_reference
from modelserve.drift.detectors import available_detectors
from modelserve.drift.judging import AlarmRule, Judge
from modelserve.drift.monitor import Monitor, MonitorOptions, local_monitor
from modelserve.drift.shared.monitor import shared_monitor
from modelserve.drift.shared.redis import SharedRedis
from modelserve.drift.store import Store
from modelserve.drift.verdicts import Outcome, Verdict
from modelserve.events import Component, LoggedMessage, Side
from modelserve.events.calls import Classification, ImageCall

SIZE = 60
DIGEST = "sha256:a"
OPTIONS = MonitorOptions(window_samples=SIZE, window_seconds=1000.0, flush_seconds=0.0)
numbers = count()


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (40, 80, 120)).save(stream, "PNG")
    return stream.getvalue()


def halves(service: str, revision: str, length: int) -> list[LoggedMessage]:
    """A call about an image, answered with an embedding of so many numbers."""
    call = f"call-{next(numbers)}"
    request = {
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(png()).decode()]}
        ]
    }
    outputs = (("label", "BYTES", ["cat"]), ("score", "FP32", [0.75]), ("embedding", "FP32", [0.5] * length))
    response = {
        "model_name": service,
        "parameters": {"revision": revision, "model_digest": DIGEST},
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [1, len(data)], "data": data}
            for name, datatype, data in outputs
        ],
    }
    whose = Component("default", service, "predictor")
    return [
        LoggedMessage(whose, call, side, time.time(), orjson.dumps(body))
        for side, body in ((Side.REQUEST, request), (Side.RESPONSE, response))
    ]


class Bench:
    """A monitor that may be started again, on the state that it left."""

    def __init__(self, store: Store, redis: SharedRedis | None) -> None:
        self.store, self.redis = store, redis
        self.told: list[Verdict] = []
        found = Classification(["cat"], [0.75], None, np.full(8, 0.5, np.float32))
        calls = [ImageCall("pictures", "one", DIGEST, 0.1, [png()], [found]) for _ in range(200)]
        self.references = References([build_reference(calls, model="pictures", origin="a test", assets={})])
        self.begin()

    def begin(self) -> None:
        assessor = Assessor(
            Judge(available_detectors()),
            self.references,
            self.store,
            AlarmRule(needed=2, of=3),
            peer_seconds=1000.0,
            most_inputs=3,
        )
        known = (self.store, self.references, assessor, OPTIONS)
        if self.redis is None:
            self.monitor: Monitor = local_monitor(*known, tell=self.told.append)
        else:
            self.monitor = shared_monitor(self.redis, *known, tell=self.told.append)

    def send(self, number: int, length: int, *, service: str = "pictures", revision: str = "one") -> None:
        for _ in range(number):
            for half in halves(service, revision, length):
                self.monitor.take(half)

    def wait_for(self, verdicts: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.told) < verdicts:
            assert time.monotonic() < deadline, self.told
            self.monitor.idle()
            time.sleep(0.05)

    def said(self, service: str) -> list[tuple[Outcome, int]]:
        return [(one.outcome, one.samples) for one in self.told if one.source.component.service == service]


@pytest.fixture(params=["local", "shared"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "local":
        store, redis = Store(f"sqlite:///{tmp_path}/drift.db"), None
    else:
        store = Store(request.getfixturevalue("postgres").url)
        redis = SharedRedis(request.getfixturevalue("redis_server").url)
    yield Bench(store, redis)
    store.close()
    if redis is not None:
        redis.close()


@pytest.mark.parametrize("is_written_between", [True, False])
def test_two_lengths_in_one_window_are_no_verdict(bench: Bench, *, is_written_between: bool) -> None:
    bench.send(SIZE // 2 - 3, 8)
    if is_written_between:
        bench.monitor.idle()
    bench.send(3, 16)
    bench.send(SIZE // 2, 8, service="others")
    bench.send(SIZE // 2, 16)
    bench.send(SIZE // 2, 8, service="others")
    bench.wait_for(2)
    assert bench.said("pictures") == [(Outcome.NO_VERDICT, SIZE)]
    assert bench.said("others") == [(Outcome.STEADY, SIZE)], "it waits for no other's window"
    (verdict,) = (one for one in bench.told if one.outcome is Outcome.NO_VERDICT)
    assert verdict.reason == (
        "the samples of this window cannot be judged together: feature 'model_embedding' has vectors of "
        "different lengths: 8, 16"
    )
    bench.send(SIZE, 16)
    bench.wait_for(3)
    assert bench.said("pictures")[1:] == [(Outcome.STEADY, SIZE)], "by the features that both models have"
    assert [one.verdict.reason for one in bench.store.verdicts()] == [one.reason for one in bench.told]
    assert bench.monitor.outcomes == {"paired": 2 * 3 * SIZE}, "every sample is in one window"


def test_a_restart_changes_nothing_about_it(bench: Bench) -> None:
    bench.send(SIZE // 2, 8)
    bench.monitor.idle()
    bench.send(SIZE // 4, 16)
    bench.monitor.close()
    bench.begin()
    bench.send(SIZE // 4, 16)
    bench.wait_for(1)
    assert bench.said("pictures") == [(Outcome.NO_VERDICT, SIZE)]


def test_no_revision_is_compared_with_such_a_window(bench: Bench) -> None:
    bench.send(SIZE // 2, 8)
    bench.send(SIZE // 2, 16)
    bench.wait_for(1)
    bench.send(SIZE, 8, revision="two")
    bench.wait_for(2)
    assert [(one.baseline, one.outcome) for one in bench.told[1:]] == [("reference", Outcome.STEADY)]
