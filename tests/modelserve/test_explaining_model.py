"""A server that explains, before a predictor that does what the test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from kserve.errors import InferenceError
from kserve.errors import InvalidInput as KServeInvalidInput

from modelserve.errors import InvalidInput, Overloaded, Unavailable
from modelserve.explaining.asking import Asking, Contributions, Link
from modelserve.explaining.explainer import Explainer, ExplainOptions, read_options
from modelserve.explaining.model import ExplainingModel
from modelserve.explaining.owen import Masks, Values
from modelserve.explaining.partition import partition_sequence
from modelserve.explaining.settings import ExplainerSettings
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters, Tensor
from modelserve.task import Call

PATH = "/v1/models/echo:explain"


@dataclass
class Explained:
    contributions: Contributions
    evaluations: int
    answered: Parameters


class SumExplainer(Explainer[list[float], Explained, ExplainOptions]):
    """Instances are lists of weights, and what is explained is the sum of those that are shown.

    The predictor is sent what is shown and says it again; a test sees what was asked.
    """

    def decode_explain(
        self, instances: Sequence[Any], parameters: Parameters
    ) -> Call[list[float], ExplainOptions]:
        return Call(instances, read_options(parameters, items=len(instances), most=200, picture="png"))

    async def explain(
        self, item: list[float], position: int, options: ExplainOptions, asking: Asking
    ) -> Explained:
        def vary(masks: Masks) -> InferenceRequest:
            return InferenceRequest("echo", (Tensor("x", "FP32", masks.astype(np.float32)),))

        def read(response: InferenceResponse, masks: Masks) -> Values:
            np.testing.assert_array_equal(response.outputs[0].array, masks)
            return np.asarray(response.outputs[0].array.astype(np.float64) @ np.array([item]).T)

        made = await asking.explain(
            partition_sequence([0.0] * (len(item) - 1)), np.array([sum(item)]), vary=vary, read=read
        )
        return Explained(made, asking.evaluations, asking.answered)

    def encode_v1(self, results: Sequence[Explained], call: Call[list[float], ExplainOptions]) -> list[Any]:
        return [
            {
                "values": one.contributions.values[0],
                "complete": one.contributions.is_complete,
                "evaluations": one.evaluations,
                **one.answered,
            }
            for one in results
        ]

    def predictions(self, results: Sequence[Explained]) -> tuple[list[str], list[float]]:
        return ["sum" for _ in results], [0.5 for _ in results]


Explain = Callable[..., Awaitable[httpx.Response]]


@dataclass
class Explaining:
    """A server of ``SumExplainer`` before the echoing predictor."""

    url: str
    model: ExplainingModel
    served: Any

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)

    async def explain(self, *instances: list[float], **parameters: Any) -> httpx.Response:
        return await self.post(PATH, {"instances": instances, "parameters": parameters})


@pytest.fixture(params=["v2", "grpc-v2"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Start = Callable[..., Awaitable[Explaining]]


@pytest.fixture
def start(serve: Any, echo: Any) -> Start:
    """Starts both servers."""

    async def start(protocol: Any = "v2", **settings: Any) -> Explaining:
        predictor = await serve(echo)
        model = ExplainingModel(
            "echo",
            SumExplainer(),
            ExplainerSettings(
                predictor_host=predictor.host(protocol), predictor_protocol=protocol, **settings
            ),
        )
        served = await serve(model, revision="explainer-1")
        return Explaining(served.url, model, served)

    return start


async def test_it_asks_the_predictor_in_batches_and_adds_up(start: Start, echo: Any, protocol: str) -> None:
    explaining = await start(protocol, request_items=8)
    weights = [0.5, -1.0, 2.0, 0.25, 3.0, 0.0, 1.0]
    answer = await explaining.explain(weights)
    assert answer.status_code == 200
    assert answer.headers["x-modelserve-revision"] == "explainer-1"
    (told,) = answer.json()["explanations"]
    np.testing.assert_allclose(told["values"], weights, atol=1e-9)
    assert told["complete"] is True
    assert (told["model_digest"], told["predictor_revision"]) == ("sha256:echo", "predictor-1")
    sizes = [request.inputs[0].shape[0] for request in echo.requests]
    assert sum(sizes) == told["evaluations"] > 30
    assert max(sizes) == 8


async def test_a_budget_ends_it_early_and_the_answer_says_so(start: Start, echo: Any) -> None:
    explaining = await start()
    weights = [float(number) for number in range(16)]
    answer = await explaining.explain(weights, weights, max_calls=40)
    for told in answer.json()["explanations"]:
        assert told["complete"] is False
        assert told["evaluations"] <= 20
        assert sum(told["values"]) == pytest.approx(sum(weights))
    assert sum(request.inputs[0].shape[0] for request in echo.requests) <= 40


async def test_requests_at_once_are_bounded_for_all_calls_together(start: Start, echo: Any) -> None:
    explaining = await start(request_items=2, requests_at_once=3)
    weights = [[1.0] * 4] * 3
    echo.go_on.clear()
    asked = asyncio.gather(*(explaining.explain(*weights) for _ in range(3)))
    while echo.most_at_once < 3:
        await asyncio.sleep(0.005)
    echo.go_on.set()
    answers = await asked
    assert [answer.status_code for answer in answers] == [200] * 3
    assert echo.most_at_once == 3


async def test_a_deadline_ends_it(start: Start, echo: Any) -> None:
    explaining = await start()
    echo.go_on.clear()
    answer = await explaining.post(PATH, {"instances": [[1.0, 2.0]]}, **{"X-Request-Timeout-Ms": "200"})
    assert answer.status_code == 504
    assert "max_calls" in answer.json()["error"]
    assert echo.timeouts[0] is not None
    assert echo.timeouts[0] <= 0.2
    echo.go_on.set()
    assert (await explaining.explain([1.0, 2.0])).status_code == 200


async def test_a_full_queue_is_refused_before_the_body_is_read(start: Start, echo: Any) -> None:
    explaining = await start(max_queue=1)
    echo.go_on.clear()
    first = asyncio.create_task(explaining.explain([1.0, 2.0]))
    while not explaining.model.waiting:
        await asyncio.sleep(0.01)
    refused = await explaining.post(PATH)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    echo.go_on.set()
    assert (await first).status_code == 200
    assert explaining.model.waiting == 0


async def test_calls_are_counted_timed_and_labelled(start: Start) -> None:
    explaining = await start()
    await explaining.explain([1.0, 2.0])
    await explaining.explain([1.0, 2.0], max_calls=1)
    metrics = explaining.served.plane.metrics.expose("")[0].decode()
    labels = 'model="echo",outcome="{}",protocol="v1",revision="explainer-1"'
    for outcome in ("ok", "invalid_input"):
        assert f"modelserve_requests_total{{{labels.format(outcome)}}} 1.0" in metrics
    assert 'predictions_total{label="sum"' in metrics


@pytest.mark.parametrize(
    ("failure", "status"),
    [(InvalidInput("no"), 400), (Overloaded("full"), 429), (ValueError("a fault"), 502)],
)
async def test_the_predictors_refusals_are_the_callers(
    start: Start, echo: Any, failure: Exception, status: int
) -> None:
    explaining = await start()
    echo.failures.append(failure)
    answer = await explaining.explain([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert answer.status_code == status
    assert (await explaining.explain([1.0, 2.0])).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "no JSON object"),
        ({"parameters": {}}, "no list of instances"),
        ({"instances": [[1.0]], "parameters": [1]}, "an object is accepted"),
        ({"instances": [[1.0]], "parameters": {"max_calls": "many"}}, "'max_calls' is 'many'"),
        ({"instances": [[1.0]], "parameters": {"max_calls": 201}}, "4 to 200"),
        ({"instances": [[1.0]] * 2, "parameters": {"max_calls": 7}}, "too few for 2 instances"),
        ({"instances": [[1.0]], "parameters": {"picture": "svg"}}, "'png' is accepted"),
        ({"instances": [[1.0]], "parameters": {"picture": True}}, "'png' is accepted"),
    ],
)
async def test_a_callers_mistake_is_named(start: Start, echo: Any, body: Any, said: str) -> None:
    explaining = await start()
    answer = await explaining.post(PATH, body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert echo.requests == []


async def test_it_only_explains_and_a_predictor_only_predicts(start: Start, echo: Any, serve: Any) -> None:
    explaining = await start()
    tensor = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}
    for path, body in (
        ("/v1/models/echo:predict", {"instances": [1]}),
        ("/v2/models/echo/infer", {"inputs": [tensor]}),
    ):
        answer = await explaining.post(path, body)
        assert answer.status_code == 404
        assert ":explain" in answer.json()["error"]
        assert "predictor" in answer.json()["error"]
    predictor = await serve(echo)
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{predictor.url}{PATH}", json={"instances": [1]})
    assert answer.status_code == 404
    assert "explainer" in answer.json()["error"]
    assert echo.requests == []


async def test_an_explanation_is_of_one_model_alone() -> None:
    class TwoModels:
        """A predictor of which another revision answers from the second request on."""

        asked = 0

        async def infer(
            self, request: InferenceRequest, *, timeout_seconds: float | None
        ) -> InferenceResponse:
            self.asked += 1
            digest = f"sha256:{min(self.asked, 2)}"
            return InferenceResponse("echo", request.inputs, parameters={"model_digest": digest})

        async def close(self) -> None:
            raise NotImplementedError

    asking = Asking(Link(TwoModels(), "echo", asyncio.Semaphore(1), 64), most=100, deadline=None)
    with pytest.raises(Unavailable, match="rolled out"):
        await SumExplainer().explain([1.0, 2.0, 3.0], 0, ExplainOptions(100, False), asking)


async def test_kserves_own_server_can_call_it(start: Start, echo: Any) -> None:
    from kserve.model import InferenceVerb

    model = (await start()).model
    answer, _ = await model({"instances": [[1.0, 2.0]]}, {}, verb=InferenceVerb.EXPLAIN)
    (told,) = answer["explanations"]
    np.testing.assert_allclose(told["values"], [1.0, 2.0])
    with pytest.raises(KServeInvalidInput, match="instances"):
        await model.explain({"instances": 1})
    echo.failures.append(Overloaded("full"))
    with pytest.raises(InferenceError, match="full"):
        await model.explain({"instances": [[1.0, 2.0]]})
