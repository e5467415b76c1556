from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from http_servers import Request, answering, free_ports

from modelserve.errors import Overloaded, Unavailable
from modelserve.pipelines.course import Outcome, Status, Unit, Work
from modelserve.pipelines.definition.models import Model, Retry, Step
from modelserve.pipelines.running.calling import Caller, pause_seconds
from modelserve.pipelines.running.reaching import ON_A_CLUSTER, Models

QUICK = {"limit": 3, "initialSeconds": 0.01}

Answer = tuple[int, bytes] | tuple[int, bytes, Mapping[str, str]]


def answer_of(text: str) -> tuple[int, bytes]:
    output = {"name": "said", "shape": [1], "datatype": "BYTES", "data": [text]}
    return 200, json.dumps({"model_name": "m", "outputs": [output]}).encode()


@dataclass
class Server:
    """Answers with what is next in its list, the last for ever."""

    answers: list[Answer] = field(default_factory=lambda: [answer_of("yes")])
    asked: list[Request] = field(default_factory=list)
    pause_seconds: float = 0.0
    together: threading.Barrier | None = None
    port: int = 0

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        time.sleep(self.pause_seconds)
        if self.together is not None:
            self.together.wait(30)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    @property
    def model(self) -> Model:
        return Model(url=f"http://127.0.0.1:{self.port}", model_name="m")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with answering(made.answer) as made.port:
        yield made


def do(step: dict[str, Any], models: Mapping[str, Model], inputs: Mapping[str, Any] | None = None) -> Outcome:
    whole = Step.model_validate({"name": "s", "model": "m", **step})
    work = Work(Unit("s"), inputs or {"text": "Ada"}, {})

    def failed(why: str, tries: int) -> Outcome:
        return Outcome(Status.FAILED, None, why, tries)

    async def done() -> Outcome:
        reach = Models(ways=ON_A_CLUSTER)
        try:
            return await Caller(models, reach, "run-1").do(whole, work, failed=failed)
        finally:
            await reach.close()

    return asyncio.run(done())


def test_a_model_is_asked_over_v2(server: Server) -> None:
    assert do({}, {"m": server.model}) == Outcome(Status.SUCCEEDED, {"said": ["yes"]}, tries=1)
    (asked,) = server.asked
    assert asked.path == "/v2/models/m/infer"
    assert json.loads(asked.body)["inputs"][0]["data"] == ["Ada"]
    assert asked.headers["X-Request-Timeout-Ms"] == "60000"


REFUSED = (503, b'{"error": "the model is not loaded"}')
NO_BACKEND = (502, b"Bad Gateway")


@pytest.mark.parametrize("refusal", [REFUSED, NO_BACKEND, (504, b""), (429, b"", {"Retry-After": "0"})])
def test_what_may_pass_is_tried_again_with_one_key(server: Server, refusal: Answer) -> None:
    server.answers = [refusal, refusal, answer_of("at last")]
    outcome = do({"retry": {**QUICK, "limit": 2}}, {"m": server.model})
    assert (outcome.status, outcome.tries) == (Status.SUCCEEDED, 3)
    assert {one.headers["Idempotency-Key"] for one in server.asked} == {"run-1-s-m"}


def test_after_the_last_try_the_reason_is_the_models(server: Server) -> None:
    server.answers = [REFUSED]
    outcome = do({"retry": QUICK}, {"m": server.model})
    assert outcome.status is Status.FAILED
    assert (outcome.tries, len(server.asked)) == (4, 4)
    assert "the model is not loaded" in outcome.error


@pytest.mark.parametrize("status", [400, 404, 413, 500])
def test_what_will_not_pass_is_asked_once(server: Server, status: int) -> None:
    server.answers = [(status, b'{"error": "no"}')]
    outcome = do({"retry": QUICK}, {"m": server.model})
    assert (outcome.status, outcome.tries) == (Status.FAILED, 1)
    assert "no" in outcome.error


def test_an_answer_that_is_none_is_told(server: Server) -> None:
    server.answers = [(200, b"<html>")]
    assert "is no JSON" in do({}, {"m": server.model}).error
    server.answers = [(200, b"{}")]
    assert "no list of outputs" in do({}, {"m": server.model}).error


def test_inputs_that_are_no_tensors_ask_nobody(server: Server) -> None:
    outcome = do({"retry": QUICK}, {"m": server.model}, {"text": None})
    assert (outcome.status, outcome.tries, server.asked) == (Status.FAILED, 1, [])
    assert "input text holds null" in outcome.error


def test_a_try_ends_after_its_time(server: Server) -> None:
    server.pause_seconds = 0.5
    outcome = do({"timeoutSeconds": 0.1, "retry": {**QUICK, "limit": 1}}, {"m": server.model})
    assert (outcome.status, outcome.tries) == (Status.FAILED, 2)
    assert "within 0.1 s" in outcome.error


def test_nobody_there_may_pass() -> None:
    (port,) = free_ports(1)
    model = Model(url=f"http://127.0.0.1:{port}")
    outcome = do({"retry": {**QUICK, "limit": 1}}, {"m": model})
    assert (outcome.status, outcome.tries) == (Status.FAILED, 2)
    assert "cannot be reached" in outcome.error


def test_another_model_stands_in(server: Server) -> None:
    (port,) = free_ports(1)
    models = {"m": Model(url=f"http://127.0.0.1:{port}"), "other": server.model}
    outcome = do({"fallback": {"model": "other"}}, models)
    assert outcome.status is Status.FELL_BACK
    assert outcome.output == {"said": ["yes"]}
    assert "cannot be reached" in outcome.error
    assert outcome.tries == 2


def test_where_the_other_fails_too_both_reasons_are_told(server: Server) -> None:
    server.answers = [(400, b'{"error": "first"}'), (400, b'{"error": "second"}')]
    outcome = do({"fallback": {"model": "other"}}, {"m": server.model, "other": server.model})
    assert outcome.status is Status.FAILED
    assert "first" in outcome.error
    assert "second" in outcome.error


def test_an_ensemble_asks_all_at_once(server: Server) -> None:
    # None is answered before all have been asked.
    server.together = threading.Barrier(3)
    models = {"a": server.model, "b": server.model, "c": server.model}
    outcome = do({"model": None, "ensemble": ["a", "b", "c"]}, models)
    assert outcome.output == {name: {"said": ["yes"]} for name in "abc"}
    assert {one.headers["Idempotency-Key"] for one in server.asked} == {f"run-1-s-{name}" for name in "abc"}


def test_an_ensemble_is_as_good_as_its_worst(server: Server) -> None:
    (port,) = free_ports(1)
    models = {"a": server.model, "b": Model(url=f"http://127.0.0.1:{port}")}
    assert do({"model": None, "ensemble": ["a", "b"]}, models).status is Status.FAILED


def test_pauses_grow_to_the_longest_and_never_overflow() -> None:
    retry = Retry(limit=100, initial_seconds=1, factor=10, max_seconds=50)
    error = Unavailable("no")
    assert [pause_seconds(retry, tries, error, 0.0) for tries in (1, 2, 3, 101)] == [1, 10, 50, 50]
    assert pause_seconds(retry, 3, error, 1.0) == 25


def test_a_server_that_says_when_is_not_asked_before() -> None:
    retry = Retry(limit=1, initial_seconds=0.01)
    assert pause_seconds(retry, 1, Overloaded("full", retry_after_seconds=7), 1.0) == 7


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"inProcess": {"predictor": "bert_ner", "modelDir": "x"}}, "model m cannot be asked here"),
        ({"inferenceService": {"name": "bert-ner"}}, "no namespace and this is no pod"),
    ],
)
def test_a_model_that_is_not_here_is_told(model: dict[str, Any], said: str) -> None:
    from modelserve.pipelines.running.reaching import Way

    whole = Step.model_validate({"name": "s", "model": "m"})

    async def done(failed: Callable[[str, int], Outcome]) -> Outcome:
        reach = Models(ways=[Way.INFERENCE_SERVICE])
        try:
            caller = Caller({"m": Model.model_validate(model)}, reach, "run-1")
            return await caller.do(whole, Work(Unit("s"), {"text": "Ada"}, {}), failed=failed)
        finally:
            await reach.close()

    outcome = asyncio.run(done(lambda why, tries: Outcome(Status.FAILED, None, why, tries)))
    assert said in outcome.error
