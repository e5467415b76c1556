"""The detector's process with alibi-detect: embeddings are compared, and a change is told at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelserve.events import Event, write_event

Logged = Callable[..., list[Event]]

TOKENIZER_DIR = Path(__file__).parents[3] / "samples" / "bert-ner"
ONLINE = "reference (online)"


@pytest.fixture(scope="module")
def with_embeddings(make_reference: Callable[..., Path]) -> Path:
    """A reference of a model whose tokenizer is there."""
    return make_reference("--model_dir", TOKENIZER_DIR)


def test_a_change_is_told_before_its_window_is_full(
    start_detector: Callable[..., Any], with_embeddings: Path, logged: Logged, wait_until: Any
) -> None:
    detector = start_detector(f"--references={with_embeddings}", "--online_run_time=1000")
    sent = 0

    def send(events: list[Event]) -> None:
        nonlocal sent
        for event in events:
            headers, body = write_event(event)
            assert httpx.post(detector.url, headers=headers, content=body).status_code == 202
        sent += len(events)
        wait_until(lambda: detector.events() == {"paired": sent})

    send(logged(10))
    wait_until(lambda: any("embedding of names is watched" in line for line in detector.lines))
    for _ in range(2):
        send(logged(10))
    assert detector.get("/verdicts").json() == []
    for _ in range(4):
        send(logged(10, changed=True))
    (online,) = wait_until(lambda: detector.get("/verdicts").json())
    assert (online["baseline"], online["outcome"], online["alarm"]) == (ONLINE, "drift", True)
    assert online["samples"] < 70
    (found,) = online["features"]
    assert (found["feature"], found["detector"], found["p_value"]) == ("embedding", "online_mmd", 0.001)
    send(logged(30, changed=True))
    verdicts = wait_until(lambda: (said := detector.get("/verdicts").json()) and len(said) == 2 and said)
    features = {found["feature"]: found for found in verdicts[1]["features"]}
    assert (verdicts[1]["baseline"], features["embedding"]["detector"]) == ("reference", "mmd")
    assert features["embedding"]["drifted"]
    assert f'modelserve_drift_detected{{baseline="{ONLINE}"' in detector.get("/metrics").text
    assert f"against {ONLINE}" in " ".join(detector.get("/report").text.split())
    assert detector.end(signal.SIGTERM) == 0
