"""The metrics of one process, and of several that are scraped as one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from modelserve.server.metrics import MAX_LABELS, Metrics, forget_workers


def read(body: bytes | str) -> dict[str, float]:
    text = body.decode() if isinstance(body, bytes) else body
    found = {}
    for family in parse_text(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_everything_that_the_contract_names_is_exposed() -> None:
    metrics = Metrics("r1", queue_depth=lambda: 3)
    metrics.loaded(model="m", is_loaded=True)
    metrics.answered(model="m", protocol="v2", outcome="ok", seconds=0.02, size=100)
    metrics.queued(model="m", seconds=0.002)
    metrics.computed(model="m", seconds=0.2, batch_size=8)
    metrics.looked_up(model="m", is_hit=True)
    metrics.looked_up(model="m", is_hit=False)
    metrics.looked_up(model="m", is_hit=False)
    metrics.predicted(model="m", labels=["PER", "PER", "LOC"], scores=[0.99, 0.5, 0.05])
    body, content_type = metrics.expose("")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    found = read(body)
    expected = {
        "modelserve_requests_total{model=m,outcome=ok,protocol=v2,revision=r1}": 1,
        "modelserve_request_seconds_sum{model=m,protocol=v2,revision=r1}": 0.02,
        "modelserve_input_bytes_bucket{le=256.0,model=m,protocol=v2,revision=r1}": 1,
        "modelserve_input_bytes_bucket{le=64.0,model=m,protocol=v2,revision=r1}": 0,
        "modelserve_queue_seconds_sum{model=m,revision=r1}": 0.002,
        "modelserve_engine_seconds_sum{model=m,revision=r1}": 0.2,
        "modelserve_batch_size_sum{model=m,revision=r1}": 8,
        "modelserve_cache_hits_total{model=m,outcome=hit,revision=r1}": 1,
        "modelserve_cache_hits_total{model=m,outcome=miss,revision=r1}": 2,
        "modelserve_prediction_confidence_bucket{le=0.1,model=m,revision=r1}": 1,
        "modelserve_prediction_confidence_count{model=m,revision=r1}": 3,
        "modelserve_predictions_total{label=PER,model=m,revision=r1}": 2,
        "modelserve_predictions_total{label=LOC,model=m,revision=r1}": 1,
        "modelserve_model_loaded{model=m,revision=r1}": 1,
        "modelserve_queue_depth{revision=r1}": 3,
    }
    assert expected.items() <= found.items()
    assert "process_start_time_seconds{}" in found


def test_labels_beyond_the_bound_are_one_series() -> None:
    metrics = Metrics("r1", queue_depth=lambda: 0)
    names = [f"class {number}" for number in range(MAX_LABELS + 5)]
    metrics.predicted(model="m", labels=names, scores=[])
    metrics.predicted(model="m", labels=[names[0], names[-1]], scores=[])
    metrics.predicted(model="another", labels=[names[-1]], scores=[])
    found = read(metrics.expose("")[0])
    series = {key for key in found if key.startswith("modelserve_predictions_total{") and "model=m," in key}
    assert len(series) == MAX_LABELS + 1
    assert found["modelserve_predictions_total{label=other,model=m,revision=r1}"] == 6
    assert found["modelserve_predictions_total{label=class 0,model=m,revision=r1}"] == 2
    assert found[f"modelserve_predictions_total{{label={names[-1]},model=another,revision=r1}}"] == 1


def test_openmetrics_shows_the_trace_of_a_slow_call() -> None:
    metrics = Metrics("r1", queue_depth=lambda: 0)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    metrics.answered(model="m", protocol="v2", outcome="ok", seconds=7, size=1, trace_id=trace_id)
    metrics.answered(model="m", protocol="v2", outcome="ok", seconds=0.002, size=1)
    body, content_type = metrics.expose("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    exemplars = {
        sample.labels["le"]: sample.exemplar.labels
        for family in parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == "modelserve_request_seconds_bucket" and sample.exemplar
    }
    assert exemplars == {"10.0": {"trace_id": trace_id}}


WORKER = """
import sys
from modelserve.server.metrics import Metrics

depth = 0
metrics = Metrics("r1", queue_depth=lambda: depth)
metrics.loaded(model="m", is_loaded=False)
print("ready", flush=True)
for line in sys.stdin:
    command, _, value = line.strip().partition(" ")
    if command == "answer":
        for _ in range(int(value)):
            metrics.answered(model="m", protocol="v2", outcome="ok", seconds=0.02, size=100, trace_id="1")
    elif command == "load":
        metrics.loaded(model="m", is_loaded=True)
    elif command == "queue":
        depth = int(value)
        metrics.queue_changed()
    elif command == "scrape":
        print(metrics.expose(value)[0].decode())
    print("done", flush=True)
"""


class Worker:
    """A server's worker process as far as its metrics go."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._output.readline() == "ready\n"

    @property
    def _output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def do(self, command: str) -> str:
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        return "".join(iter(self._output.readline, "done\n"))

    def scrape(self) -> dict[str, float]:
        return read(self.do("scrape"))

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(tmp_path))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.returncode is None:
            worker.kill()


REQUESTS = "modelserve_requests_total{model=m,outcome=ok,protocol=v2,revision=r1}"
COUNT = "modelserve_request_seconds_count{model=m,protocol=v2,revision=r1}"
LOADED = "modelserve_model_loaded{model=m,revision=r1}"
DEPTH = "modelserve_queue_depth{revision=r1}"


def test_one_scrape_tells_of_all_workers(start_worker: Callable[[], Worker]) -> None:
    first, second = start_worker(), start_worker()
    first.do("answer 3")
    second.do("answer 4")
    first.do("load")
    first.do("queue 2")
    second.do("queue 5")
    for worker in (first, second):
        found = worker.scrape()
        assert (found[REQUESTS], found[COUNT], found[DEPTH]) == (7, 7, 7)
        assert found[LOADED] == 0  # a call may reach the worker that has not loaded it
        assert not any(key.startswith("process_") or "pid=" in key for key in found)
    second.do("load")
    second.do("queue 0")
    found = first.scrape()
    assert (found[LOADED], found[DEPTH]) == (1, 2)
    assert "# EOF" in first.do("scrape application/openmetrics-text; version=1.0.0")


def test_a_worker_that_died_is_forgotten_by_gauges_alone(
    start_worker: Callable[[], Worker], tmp_path: Path
) -> None:
    first, second = start_worker(), start_worker()
    for worker in (first, second):
        worker.do("answer 3")
    first.do("load")
    second.do("queue 5")
    second.kill()
    found = first.scrape()
    assert (found[DEPTH], found[LOADED]) == (5, 0)  # nobody has told of the death yet
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from modelserve.server.metrics import forget_worker; forget_worker({second.process.pid})",
        ],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
    )
    found = first.scrape()
    assert (found[DEPTH], found[LOADED]) == (0, 1)
    assert (found[REQUESTS], found[COUNT]) == (6, 6)
    third = start_worker()
    third.do("answer 1")
    assert first.scrape()[REQUESTS] == 7


def test_a_new_start_begins_with_no_workers(start_worker: Callable[[], Worker], tmp_path: Path) -> None:
    start_worker().kill()
    assert list(tmp_path.glob("*.db"))
    (tmp_path / "other.txt").touch()
    forget_workers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]
    forget_workers(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()
