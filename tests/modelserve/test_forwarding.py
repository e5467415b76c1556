"""A transformer of this package in front of a predictor, both as real servers, asked by real clients."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from opentelemetry.sdk.trace import TracerProvider

from modelserve.errors import InvalidInput, NotFound, Overloaded, PredictorFailed
from modelserve.forwarding import ForwardingModel, Transformation
from modelserve.inputs import bytes_items, check_names
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Tensor, TensorSpec, bytes_array
from modelserve.settings import RemoteSettings
from modelserve.task import Call
from modelserve.telemetry.sdk import SdkTracing

V1, V2 = "/v1/models/echo:predict", "/v2/models/echo/infer"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Lengths(Transformation[str, list[float], None]):
    """The lengths of every text's words, which the predictor is asked for text by text.

    A text that begins with ``@`` is fetched: it waits for ``fetched``.
    """

    inputs = (TensorSpec("text", "BYTES", (-1,)),)
    outputs = (TensorSpec("lengths", "BYTES", (-1,)),)

    def __init__(self) -> None:
        self.fetched = asyncio.Event()
        self.fetched.set()

    def decode(self, request: InferenceRequest) -> Call[str, None]:
        check_names(request, self.inputs)
        texts = bytes_items(request.inputs[0], limits_batch=64)
        return Call([text.decode() for text in texts], None)

    def decode_v1(self, instances: Sequence[Any]) -> Call[str, None]:
        return Call([str(instance) for instance in instances], None)

    async def fetch(self, call: Call[str, None]) -> Call[str, None]:
        if any(text.startswith("@") for text in call.items):
            await self.fetched.wait()
        return Call([text.removeprefix("@") for text in call.items], None)

    def requests(self, call: Call[str, None], model: str) -> list[InferenceRequest]:
        lengths = [np.array([len(word) for word in text.split()], "<f4") for text in call.items]
        return [InferenceRequest(model, (Tensor("x", "FP32", one),)) for one in lengths if len(one)]

    def results(self, call: Call[str, None], responses: Sequence[InferenceResponse]) -> list[list[float]]:
        answers = iter(responses)
        found = []
        for text in call.items:
            tensor = next(answers).outputs[0] if text.split() else None
            if tensor is not None and tensor.datatype != "FP32":
                raise PredictorFailed("the predictor's lengths are no FP32")
            found.append([] if tensor is None else tensor.array.tolist())
        return found

    def encode(
        self, results: Sequence[list[float]], call: Call[str, None], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        values = [json.dumps(result).encode() for result in results]
        return (Tensor("lengths", "BYTES", bytes_array(values, (len(values),))),)

    def encode_v1(self, results: Sequence[list[float]], call: Call[str, None]) -> list[Any]:
        return list(results)

    def predictions(self, results: Sequence[list[float]]) -> tuple[list[str], list[float]]:
        return ["word"] * sum(map(len, results)), []


class Transformer:
    """A transformer's model, its server and a client of it."""

    def __init__(self, serve: Any, protocol: str, client: httpx.AsyncClient) -> None:
        self._serve, self._protocol = serve, protocol
        self.client = client
        self.lengths = Lengths()

    async def start(self, predictor: Any, *, tracing: Any = None, **settings: Any) -> None:
        """Serve in front of a server, or of a host and port where there may be none."""
        host = predictor if isinstance(predictor, str) else predictor.host(self._protocol)
        settings = {"predictor_host": host, "predictor_protocol": self._protocol, **settings}
        self.model = ForwardingModel("echo", self.lengths, RemoteSettings(**settings))
        self.served = await self._serve(self.model, revision="transformer-1", tracing=tracing)
        self.client.base_url = self.served.url

    async def post(self, *texts: str, path: str = V1, **headers: str) -> httpx.Response:
        tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
        body: Any = {"instances": texts} if path == V1 else {"inputs": [tensor], "id": "7"}
        return await self.client.post(path, json=body, headers=headers)


@pytest.fixture(params=["v2", "grpc-v2"])
async def transformer(serve: Any, request: pytest.FixtureRequest) -> AsyncIterator[Transformer]:
    async with httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as client:
        yield Transformer(serve, request.param, client)


async def until(is_true: Callable[[], object]) -> None:
    patience = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < patience
        await asyncio.sleep(0.005)


async def test_v1(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo))
    answer = await transformer.post("a bcd", "", "ef")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [[1, 3], [], [2]]}
    # V1 has no parameters: the revision is that of who answered, as it is for every server.
    assert answer.headers["X-Modelserve-Revision"] == "transformer-1"


async def test_v2_tells_both_revisions(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo))
    answer = (await transformer.post("a bcd", "", "ef", path=V2)).json()
    assert answer["outputs"][0]["data"] == ["[1.0, 3.0]", "[]", "[2.0]"]
    assert (answer["model_name"], answer["id"]) == ("echo", "7")
    assert answer["parameters"] == {
        "revision": "transformer-1",
        "predictor_revision": "predictor-1",
        "model_digest": "sha256:echo",
    }


async def test_grpc(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo))
    message = pb.ModelInferRequest(model_name="echo")
    message.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"a bcd")
    async with grpc.aio.insecure_channel(transformer.served.host("grpc-v2")) as channel:
        answer = await GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
    assert list(answer.outputs[0].contents.bytes_contents) == [b"[1.0, 3.0]"]
    assert answer.parameters["predictor_revision"].string_param == "predictor-1"


async def test_a_call_that_needs_no_predictor_asks_none(
    transformer: Transformer, echo: Any, serve: Any
) -> None:
    await transformer.start(await serve(echo))
    answer = (await transformer.post("", path=V2)).json()
    assert answer["outputs"][0]["data"] == ["[]"]
    assert answer["parameters"] == {"revision": "transformer-1"}
    assert echo.timeouts == []


async def test_many_requests_of_a_call_go_a_few_at_a_time(
    transformer: Transformer, echo: Any, serve: Any
) -> None:
    await transformer.start(await serve(echo))
    texts = ["a " * (number + 1) for number in range(40)]
    echo.go_on.clear()
    asked = asyncio.create_task(transformer.post(*texts))
    await until(lambda: echo.most_at_once == 4)
    echo.go_on.set()
    answer = (await asked).json()
    assert answer["predictions"] == [[1.0] * (number + 1) for number in range(40)]
    assert echo.most_at_once == 4
    together = await asyncio.gather(*[transformer.post("a", "bc") for _ in range(20)])
    assert all(one.json() == {"predictions": [[1], [2]]} for one in together)
    assert transformer.model.waiting == 0


async def test_it_is_ready_and_known_before_its_predictor_is(transformer: Transformer, serve: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await transformer.start(f"127.0.0.1:{port}")
    assert (await transformer.client.get("/v2/health/ready")).status_code == 200
    metadata = (await transformer.client.get("/v2/models/echo")).json()
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    answer = await transformer.post("a")
    assert answer.status_code == 503
    assert "predictor" in answer.json()["error"]


@pytest.mark.parametrize(
    ("failure", "status", "sentence"),
    [
        (InvalidInput("parameter 'top_k' is 0"), 400, "predictor: parameter 'top_k' is 0"),
        (Overloaded("the queue is full", retry_after_seconds=7), 429, "predictor: the queue is full"),
        (NotFound("model 'echo' is unknown"), 502, "model 'echo' is unknown"),
        (RuntimeError("a secret"), 502, "the server failed to answer"),
    ],
)
async def test_what_the_predictor_refuses_is_refused(
    transformer: Transformer, echo: Any, serve: Any, failure: Exception, status: int, sentence: str
) -> None:
    await transformer.start(await serve(echo))
    echo.failures = [failure]
    answer = await transformer.post("a", *["b"] * 10)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert ("Retry-After" in answer.headers) is (status == 429)
    # The rest of the call was given up, and the next one is answered.
    await until(lambda: len(echo.requests) + echo.cancelled == len(echo.timeouts) - 1)
    assert len(echo.timeouts) <= 5
    assert (await transformer.post("ab")).json() == {"predictions": [[2]]}


async def test_an_answer_of_another_form_is_the_predictors_failure(
    transformer: Transformer, echo: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transformer.start(await serve(echo))
    other = (Tensor("x", "INT8", np.zeros(1, "i1")),)
    monkeypatch.setattr(echo.codec, "encode", lambda *_: other)
    answer = await transformer.post("a")
    assert (answer.status_code, answer.json()["error"]) == (502, "the predictor's lengths are no FP32")


async def test_a_full_queue(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo), max_queue=2)
    echo.go_on.clear()
    held = [asyncio.create_task(transformer.post("a")) for _ in range(2)]
    await until(lambda: len(echo.timeouts) == 2)
    refused = await transformer.post("a")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    echo.go_on.set()
    assert [(await one).status_code for one in held] == [200, 200]


async def test_the_callers_deadline_is_the_predictors(
    transformer: Transformer, echo: Any, serve: Any
) -> None:
    await transformer.start(await serve(echo))
    assert (await transformer.post("a", **{"X-Request-Timeout-Ms": "9000"})).status_code == 200
    echo.go_on.clear()
    late = await transformer.post(*["a"] * 10, **{"X-Request-Timeout-Ms": "500"})
    assert late.status_code == 504
    assert "the predictor did not answer within" in late.json()["error"]
    first, *others = echo.timeouts
    # gRPC rounds what is left up to whole milliseconds, and reads its clock as coarsely.
    assert 8 < first <= 9.01
    assert all(0 < seconds <= 0.51 for seconds in others), others
    await until(lambda: echo.cancelled == len(others) == 4)


async def test_a_fetch_ends_at_the_deadline(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo))
    assert (await transformer.post("@ab")).json() == {"predictions": [[2]]}
    transformer.lengths.fetched.clear()
    late = await transformer.post("@ab", **{"X-Request-Timeout-Ms": "100"})
    assert late.status_code == 504
    assert "fetched" in late.json()["error"]
    assert len(echo.timeouts) == 1


async def test_a_caller_who_goes_takes_the_predictors_calls_along(
    transformer: Transformer, echo: Any, serve: Any
) -> None:
    await transformer.start(await serve(echo))
    echo.go_on.clear()
    call = asyncio.create_task(transformer.post(*["a"] * 10))
    await until(lambda: len(echo.timeouts) == 4)
    call.cancel()
    await until(lambda: echo.cancelled == 4)
    await until(lambda: transformer.model.waiting == 0)
    assert len(echo.timeouts) == 4
    echo.go_on.set()
    assert (await transformer.post("ab")).json() == {"predictions": [[2]]}


async def test_the_callers_trace_goes_through(transformer: Transformer, echo: Any, serve: Any) -> None:
    predictor = await serve(echo)
    provider = TracerProvider(shutdown_on_exit=False)
    await transformer.start(predictor, tracing=SdkTracing(provider, "transformer-1"))
    await transformer.post("a", "b", traceparent=f"00-{TRACE}-{PARENT}-01")
    parents = [carrier["traceparent"].split("-") for carrier in predictor.carriers]
    assert {trace for _, trace, _, _ in parents} == {TRACE}
    (span,) = {span for _, _, span, _ in parents}
    assert span != PARENT


async def test_unloaded_loaded_and_closed(transformer: Transformer, echo: Any, serve: Any) -> None:
    await transformer.start(await serve(echo))
    plane = transformer.served.plane
    assert (await transformer.post("a")).status_code == 200
    await plane.unload("echo")
    refused = await transformer.post("a")
    assert (refused.status_code, "not loaded" in refused.json()["error"]) == (503, True)
    await plane.load("echo")
    assert (await transformer.post("a")).status_code == 200
    await transformer.model.close()
    await transformer.model.close()
    assert (await transformer.post("a")).status_code == 503
    await plane.load("echo")
    assert (await transformer.post("a")).status_code == 200


@pytest.mark.parametrize("arguments", [[], ["--predictor_host", "http://p.default"], ["--no_such_flag"]])
def test_bad_usage_is_status_2(arguments: list[str]) -> None:
    entry = (
        "import sys; from modelserve.server.main import run_remote; "
        "from modelserve.settings import RemoteSettings; "
        "sys.exit(run_remote('unit.model:Unit', RemoteSettings, default_name='unit', argv=sys.argv[1:]))"
    )
    command = [sys.executable, "-c", entry, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "python -m unit: " in run.stderr
    assert "Traceback" not in run.stderr
