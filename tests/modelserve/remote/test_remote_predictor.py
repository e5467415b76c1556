"""Both clients against this package's own server: the same call, the same answer, the same errors."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider

from modelserve.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    PredictorFailed,
    RequestError,
    TooLarge,
    Unavailable,
)
from modelserve.protocol.messages import InferenceRequest, RequestedOutput, Tensor, bytes_array
from modelserve.remote import Predictor
from modelserve.telemetry.sdk import SdkTracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

pytestmark = pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])


def numbers(*values: float) -> InferenceRequest:
    return InferenceRequest("echo", (Tensor("x", "FP32", np.array(values, "<f4")),))


async def ask(predictor: Predictor, *values: float, timeout_seconds: float | None = 20) -> list[float]:
    response = await predictor.infer(numbers(*values), timeout_seconds=timeout_seconds)
    answer: list[float] = response.outputs[0].array.tolist()
    return answer


async def until(is_true: Callable[[], object]) -> None:
    patience = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < patience
        await asyncio.sleep(0.005)


@pytest.fixture
async def served(echo: Any, serve: Any) -> Any:
    return await serve(echo)


@pytest.fixture
def predictor(served: Any, connect: Any, protocol: str) -> Any:
    return connect(served.host(protocol), protocol)


async def test_tensors_go_there_and_come_back(predictor: Any, echo: Any) -> None:
    tensors = (
        Tensor("words", "BYTES", bytes_array([b"Z\xc3\xbcrich", b"", b"\xff\x00"], (3, 1))),
        Tensor("numbers", "FP32", np.array([[np.nan, -0.0, np.inf]], "<f4")),
        Tensor("scalar", "INT64", np.array(-(2**63), "<i8")),
        Tensor("nothing", "BOOL", np.zeros((0, 4), "?")),
    )
    parameters: dict[str, Any] = {"top_k": 3, "min_score": 0.5, "strict": True, "note": "é"}
    request = InferenceRequest("echo", tensors, id="7", parameters=parameters)
    response = await predictor.infer(request, timeout_seconds=20)
    assert (response.model_name, response.model_version, response.id) == ("echo", "1", "7")
    assert response.parameters == {"revision": "predictor-1", "model_digest": "sha256:echo"}
    for ours, theirs in zip(response.outputs, tensors, strict=True):
        assert (ours.name, ours.datatype) == (theirs.name, theirs.datatype)
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)
    arrived = dict(echo.requests[0].parameters)
    arrived.pop("binary_data_output", None)
    assert arrived == parameters


async def test_the_outputs_and_the_version_that_are_asked_for(predictor: Any) -> None:
    tensors = tuple(Tensor(name, "UINT8", np.zeros(1, "u1")) for name in "abc")
    request = InferenceRequest("echo", tensors, model_version="1", outputs=(RequestedOutput("b"),))
    response = await predictor.infer(request, timeout_seconds=20)
    assert [tensor.name for tensor in response.outputs] == ["b"]
    other = InferenceRequest("echo", tensors, model_version="2")
    with pytest.raises(PredictorFailed, match="version '2'"):
        await predictor.infer(other, timeout_seconds=20)


async def test_many_calls_at_once_get_their_own_answers(predictor: Any, echo: Any) -> None:
    echo.go_on.clear()
    calls = [asyncio.create_task(ask(predictor, value, value + 1)) for value in range(100)]
    await until(lambda: len(echo.timeouts) == 100)
    echo.go_on.set()
    assert await asyncio.gather(*calls) == [[value, value + 1] for value in range(100)]


async def test_the_deadline_is_forwarded(served: Any, connect: Any, echo: Any, protocol: str) -> None:
    predictor = connect(served.host(protocol), protocol, predictor_request_timeout_seconds=30)
    await ask(predictor, 1, timeout_seconds=5)
    await ask(predictor, 1, timeout_seconds=None)
    await ask(predictor, 1, timeout_seconds=5e6)
    assert 4 < echo.timeouts[0] < 5.1
    assert 29 < echo.timeouts[1] < 31  # gRPC sends three digits, rounded up
    assert echo.timeouts[2] > 900_000


async def test_a_late_predictor_is_given_up(predictor: Any, echo: Any) -> None:
    echo.go_on.clear()
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"the predictor did not answer within 0\.15 s"):
        await ask(predictor, 1, timeout_seconds=0.15)
    assert time.monotonic() - began < 5
    await until(lambda: echo.cancelled == 1)


@pytest.mark.parametrize("seconds", [0.0004, 0.0, -1.0])
async def test_a_deadline_that_is_over_is_no_mistake_of_the_caller(
    predictor: Any, echo: Any, seconds: float
) -> None:
    echo.go_on.clear()  # gRPC's shortest deadline is long enough for a quick answer
    with pytest.raises(DeadlineExceeded):
        await ask(predictor, 1, timeout_seconds=seconds)


async def test_a_call_that_is_given_up_is_given_up_at_the_predictor(predictor: Any, echo: Any) -> None:
    assert await ask(predictor, 1) == [1]
    echo.go_on.clear()
    calls = [asyncio.create_task(ask(predictor, 1)) for _ in range(5)]
    await until(lambda: len(echo.timeouts) == 6)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await until(lambda: echo.cancelled == 5)
    assert all(call.cancelled() for call in calls)
    echo.go_on.set()
    assert await ask(predictor, 2) == [2]


# What is tried again, and what is not


async def test_a_predictor_that_is_not_ready_is_asked_again(predictor: Any, echo: Any) -> None:
    echo.failures = [Unavailable("not yet"), Unavailable("not yet")]
    assert await ask(predictor, 1, 2) == [1, 2]
    assert len(echo.timeouts) == 3


async def test_a_large_call_is_tried_again_too(predictor: Any, echo: Any) -> None:
    echo.failures = [Unavailable("not yet")]
    values = [float(number) for number in range(1_000_000)]
    assert await ask(predictor, *values) == values
    assert len(echo.timeouts) == 2


async def test_a_predictor_that_stays_unready_is_given_up(predictor: Any, echo: Any) -> None:
    echo.failures = [Unavailable("model echo is not loaded")] * 10
    with pytest.raises(Unavailable, match=r"^predictor: model echo is not loaded$"):
        await ask(predictor, 1)
    assert len(echo.timeouts) == 4


async def test_a_broken_connection_is_made_again(
    served: Any, passage: Any, connect: Any, protocol: str
) -> None:
    between = passage(served.host(protocol), broken=2)
    predictor = connect(await between.open(), protocol)
    assert await ask(predictor, 1, 2) == [1, 2]
    assert between.connections == 3


async def test_a_predictor_that_comes_back_is_found(
    echo: Any, serve: Any, connect: Any, protocol: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    predictor = connect(f"127.0.0.1:{port}", protocol)
    with pytest.raises(Unavailable, match="predictor"):
        await ask(predictor, 1)
    await serve(echo, ports=(0, port) if protocol == "grpc-v2" else (port, 0))
    assert await ask(predictor, 1) == [1]


@pytest.mark.parametrize(
    ("failure", "error", "sentence"),
    [
        (InvalidInput("input 'x' is wrong"), InvalidInput, "predictor: input 'x' is wrong"),
        (Overloaded("the queue is full", retry_after_seconds=7), Overloaded, "predictor: the queue is full"),
        (NotFound("model 'echo' is unknown"), PredictorFailed, "model 'echo' is unknown"),
        (DeadlineExceeded("the caller's deadline passed"), DeadlineExceeded, "predictor"),
        (RuntimeError("a secret"), PredictorFailed, "the server failed to answer; its log says why"),
    ],
)
async def test_refusals_mean_what_they_meant(
    predictor: Any, echo: Any, failure: Exception, error: type[RequestError], sentence: str
) -> None:
    echo.failures = [failure]
    with pytest.raises(error) as raised:
        await ask(predictor, 1)
    assert type(raised.value) is error
    assert sentence in str(raised.value)
    assert "secret" not in str(raised.value)
    assert len(echo.timeouts) == 1


async def test_when_to_come_back_is_passed_on(predictor: Any, echo: Any, protocol: str) -> None:
    echo.failures = [Overloaded("full", retry_after_seconds=7)]
    with pytest.raises(Overloaded) as raised:
        await ask(predictor, 1)
    assert raised.value.retry_after_seconds == (1 if protocol == "grpc-v2" else 7)  # gRPC has no header


async def test_a_call_over_the_predictors_limit(echo: Any, serve: Any, connect: Any, protocol: str) -> None:
    predictor = connect((await serve(echo, max_body_bytes=1000)).host(protocol), protocol)
    values = [0.0] * 2000
    with pytest.raises(
        TooLarge, match=r"at most|larger than max"
    ):  # gRPC's own words, at four times the bound
        await ask(predictor, *values)
    values = [0.0] * 300
    with pytest.raises((TooLarge, InvalidInput), match="at most 1000 bytes"):
        await ask(predictor, *values)
    assert await ask(predictor, 1) == [1]


# Who is asked, and on whose behalf


async def test_the_trace_goes_on_at_the_predictor(predictor: Any, served: Any) -> None:
    tracing = SdkTracing(TracerProvider(shutdown_on_exit=False), "transformer-1")
    call = tracing.start("POST /", carrier={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    with call.active():
        await ask(predictor, 1)
    await ask(predictor, 1)
    inside, outside = served.carriers
    assert inside["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    assert "traceparent" not in outside


async def test_an_unknown_host_is_unavailable(connect: Any, protocol: str) -> None:
    predictor = connect("nowhere.invalid", protocol)
    with pytest.raises((Unavailable, DeadlineExceeded), match="predictor"):
        await ask(predictor, 1, timeout_seconds=3)
