"""Everything dies while runs are done, and each run ends once, with one effect for each of its units."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databases import Postgres, RedisProcess
from http_servers import Request, answering

from modelserve.pipelines.course import Status, Unit
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.queueing.broker import WakeupBroker
from modelserve.pipelines.queueing.redis import RedisQueue
from modelserve.pipelines.store import RunStatus, RunStore, new_run

RUNS = 200
WORKERS = 4
KILLED = 8
ITEMS = 3
MODEL_AWAY_SECONDS = 30.0
SEED = 9


@dataclass
class Model:
    """A model with effects: what comes again with the same key is answered as it was the first time."""

    effects: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    refuses: bool = True
    away: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def answer(self, request: Request) -> tuple[int, bytes]:
        if self.away.is_set():
            return 503, b'{"error": "away"}'
        key = request.headers["Idempotency-Key"]
        (given,) = json.loads(request.body)["inputs"]
        if self.refuses and given["data"][0] == "bad":
            return 400, b'{"error": "never"}'
        with self._lock:
            self.asked[key] += 1
            if key not in self.effects:
                self.effects[key] = next(self._numbers)
            effect = self.effects[key]
            fate = random.random()
        time.sleep(0.3 * fate)
        if fate < 0.05:
            return 503, b'{"error": "it was done, and nobody is told"}'
        output = {"name": "effect", "shape": [1], "datatype": "INT64", "data": [effect]}
        return 200, json.dumps({"model_name": "m", "outputs": [output]}).encode()


@dataclass
class Hook:
    """Takes events, each third of them not before it comes again."""

    refused: set[str] = field(default_factory=set)
    heard: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def answer(self, request: Request) -> tuple[int, bytes]:
        name = request.headers["ce-id"]
        if name not in self.refused and random.random() < 1 / 3:
            self.refused.add(name)
            return 500, b""
        self.heard[name].append(json.loads(request.body)["status"])
        return 200, b""


class Worker:
    """A process of the command that users run."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)

    def has_begun(self) -> bool:
        return "ready for runs" in self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


class Workers:
    """Several of them, of which one that dies is followed by another."""

    def __init__(self, store_url: str, queue_url: str, folder: Path) -> None:
        self._command = [sys.executable, "-m", "modelserve.cli", "pipeline", "work"]
        self._command += ["--store_url", store_url, "--queue_url", queue_url]
        self._command += ["--lease_seconds", "3", "--concurrency", "16"]
        self._folder = folder
        self.killed = 0
        self._workers = [self._start(number) for number in range(WORKERS)]

    def begin(self) -> None:
        """Wait until all of them do runs."""
        for worker in self._workers:
            wait_until(worker.has_begun, seconds=60, what=worker.log.read_text)

    def kill_one(self) -> None:
        """End one that does runs without notice, where there is one, and start another."""
        ready = [place for place, worker in enumerate(self._workers) if worker.has_begun()]
        if ready:
            place = random.choice(ready)
            self._workers[place].kill()
            self.killed += 1
            self._workers[place] = self._start(WORKERS + self.killed)

    def stop(self) -> list[int]:
        """The exit statuses after SIGTERM."""
        self.begin()
        for worker in self._workers:
            worker.process.terminate()
        return [worker.process.wait(60) for worker in self._workers]

    def end(self) -> None:
        """End those that are left."""
        for worker in self._workers:
            worker.kill()

    def _start(self, number: int) -> Worker:
        return Worker(self._command, self._folder / f"worker-{number}.log")


@contextmanager
def chaos(workers: Workers, redis: RedisProcess, model: Model) -> Iterator[None]:
    """For as long as there is something to do: kills workers, and once Redis, and takes the model away."""
    ends = threading.Event()

    def kill_workers() -> None:
        while workers.killed < KILLED and not ends.wait(random.uniform(1.0, 3.0)):
            workers.kill_one()

    def kill_redis() -> None:
        ends.wait(4.0)
        redis.kill()
        ends.wait(3.0)
        redis.start()

    def take_the_model_away() -> None:
        ends.wait(6.0)
        model.away.set()
        ends.wait(MODEL_AWAY_SECONDS)
        model.away.clear()

    threads = [threading.Thread(target=one) for one in (kill_workers, kill_redis, take_the_model_away)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def pipeline_of(port: int) -> Pipeline:
    retry = {"limit": 100, "initialSeconds": 0.2, "maxSeconds": 1.0}
    steps: list[dict[str, Any]] = [
        {"name": "first", "inputs": {"x": "inputs.name"}},
        {"name": "items", "forEach": "inputs.items", "inputs": {"x": "item"}, "parallel": ITEMS},
        {"name": "last", "inputs": {"x": "inputs.kind"}, "needs": ["first", "items"]},
    ]
    return Pipeline.model_validate(
        {
            "metadata": {"name": "chaos"},
            "spec": {
                "inputs": {"name": {}, "items": {}, "kind": {}},
                "models": {"m": {"url": f"http://127.0.0.1:{port}"}},
                "steps": [{**step, "model": "m", "retry": retry, "timeoutSeconds": 20} for step in steps],
                "output": ["steps.first.output.effect[0]", "steps.last.output.effect[0]"],
            },
        }
    )


def submit(store: RunStore, redis: RedisProcess, pipeline: Pipeline, numbers: range, webhook: str) -> None:
    """Submit as a service does: a run is queued though Redis does not hear of it."""

    async def all_of_them() -> None:
        queue = RedisQueue(WakeupBroker(redis.url))

        async def one(number: int) -> None:
            inputs = {"name": f"n{number}", "items": list("abc")[:ITEMS], "kind": kind_of(number)}
            run = new_run(pipeline, inputs, now=time.time(), webhook=webhook)
            await asyncio.to_thread(store.add, run)
            await queue.wake(run.id)

        await asyncio.gather(*map(one, numbers))
        await queue.close()

    asyncio.run(all_of_them())


def kind_of(number: int) -> str:
    return "bad" if number % 10 == 0 else "good"


def wait_until(is_so: Callable[[], bool], *, seconds: float, what: Callable[[], Any]) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, what()
        time.sleep(0.2)


def test_every_run_ends_once(
    start_redis: Callable[..., RedisProcess], postgres: Postgres, tmp_path: Path
) -> None:
    random.seed(SEED)
    redis = start_redis("--appendonly", "yes")
    store, model, hook = RunStore(postgres.url), Model(), Hook()
    with ExitStack() as stack:
        stack.callback(store.close)
        pipeline = pipeline_of(stack.enter_context(answering(model.answer)))
        webhook = f"http://127.0.0.1:{stack.enter_context(answering(hook.answer))}"
        workers = Workers(postgres.url, redis.url, tmp_path)
        stack.callback(workers.end)
        workers.begin()
        with chaos(workers, redis, model):
            submit(store, redis, pipeline, range(RUNS // 2), webhook)
            wait_until(model.away.is_set, seconds=30, what=lambda: "the model never went away")
            submit(store, redis, pipeline, range(RUNS // 2, RUNS), webhook)
            wait_until(lambda: not store.unfinished(), seconds=120, what=store.unfinished)
        wait_until(lambda: len(hook.heard) == RUNS, seconds=60, what=lambda: len(hook.heard))
        check_ends(store, model, hook)
        resend_all(store, redis, model, hook)
        assert workers.stop() == [0] * WORKERS
        assert workers.killed >= KILLED // 2
        assert max(model.asked.values()) > 1, "no worker died while it asked the model"


def check_ends(store: RunStore, model: Model, hook: Hook) -> None:
    runs = store.runs(limit=RUNS + 1)
    assert len(runs) == RUNS
    keys = set()
    for run in runs:
        record = store.record(run.id)
        units = {Unit("first"), Unit("last"), Unit("items"), *(Unit("items", item) for item in range(ITEMS))}
        assert set(record) == units
        called = units - {Unit("items")}
        if run.inputs["kind"] == "bad":
            assert (run.status, run.error) == (RunStatus.FAILED, "step last: predictor: never")
            called -= {Unit("last")}
        else:
            assert (run.status, run.error) == (RunStatus.SUCCEEDED, "")
            assert run.output == [record[Unit(name)].output["effect"][0] for name in ("first", "last")]
        for unit in called:
            key = f"{run.id}-{unit.step}{'' if unit.index < 0 else f'-{unit.index}'}-m"
            assert record[unit].status is Status.SUCCEEDED
            assert record[unit].output == {"effect": [model.effects[key]]}
            keys.add(key)
        assert set(hook.heard[f"{run.id}-1"]) == {run.status.value}
    assert keys == set(model.effects), "no effect is without a unit that is recorded with it"
    assert len(hook.heard) == RUNS, "one id for each end"


def resend_all(store: RunStore, redis: RedisProcess, model: Model, hook: Hook) -> None:
    """The dead letters go on from the step that failed, once it can be done."""
    dead = store.runs(status=RunStatus.FAILED, limit=RUNS)
    assert len(dead) == RUNS // 10
    before = len(model.effects)
    model.refuses = False

    async def wake_all() -> None:
        queue = RedisQueue(WakeupBroker(redis.url))
        for run in dead:
            assert store.resend(run.id, now=time.time()) is not None
            await queue.wake(run.id)
        await queue.close()

    asyncio.run(wake_all())
    wait_until(lambda: not store.unfinished(), seconds=60, what=store.unfinished)
    assert store.runs(status=RunStatus.FAILED) == []
    assert len(model.effects) == before + len(dead), "what was done well is not done again"
    again = {f"{run.id}-2" for run in dead}
    wait_until(lambda: again <= set(hook.heard), seconds=60, what=lambda: again - set(hook.heard))
    assert all(set(hook.heard[name]) == {"succeeded"} for name in again)
