"""A full queue, a passed deadline and a draining server, over REST and gRPC.

The models here are real ``TaskModel``s whose task holds each call until the test lets it go.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import ANY

import grpc
import httpx
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from modelserve.batching.planner import BatchPolicy, Unit
from modelserve.execution import AnyTask
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec
from modelserve.server.dataplane import DataPlane
from modelserve.server.front import Front
from modelserve.server.grpc import build_server
from modelserve.server.rest import build_app
from modelserve.task import Call, Prepared, Task
from modelserve.task_model import TaskModel

BODY = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}]}
PATH = "/v2/models/gate/infer"


class GateTask(Task[int, int, int, int, None]):
    """Answers one item at a time, when its gate is opened."""

    inputs = (TensorSpec("x", "INT32", (-1,)),)
    outputs = (TensorSpec("x", "INT32", (-1,)),)
    digest = "sha256:0"
    fingerprint = "gate"
    policy = BatchPolicy(budget=1)

    def __init__(self, gate: threading.Event, fails: bool) -> None:
        self._gate = gate
        self._fails = fails
        self.prepared = 0

    def decode(self, request: InferenceRequest) -> Call[int, None]:
        return Call([1], None)

    def decode_v1(self, instances: Sequence[Any]) -> Call[int, None]:
        return Call([1] * len(instances), None)

    def prepare(self, items: Sequence[int]) -> list[Prepared[int, int, int]]:
        self.prepared += 1
        return [Prepared((Unit(item, 1),), lambda outputs: outputs[0]) for item in items]

    def compute(self, batch: Sequence[int]) -> Sequence[int]:
        if self._fails:
            raise ZeroDivisionError("a fault of the server with a secret in it")
        assert self._gate.wait(30)
        return batch

    def encode(
        self, results: Sequence[int], call: Call[int, None], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        return (Tensor("x", "INT32", np.array(results, np.int32)),)

    def encode_v1(self, results: Sequence[int], call: Call[int, None]) -> list[int]:
        return list(results)

    def sample(self) -> InferenceRequest:
        return InferenceRequest("gate", ())

    def predictions(self, results: Sequence[int]) -> tuple[list[str], list[float]]:
        return [], []

    def item_bytes(self, item: int) -> bytes:
        return bytes([item])

    def pack(self, result: int) -> bytes:
        return bytes([result])

    def unpack(self, packed: bytes) -> int:
        return packed[0]


class GateModel(TaskModel):
    """A model that is as slow as the test wants."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__("gate", max_queue=1)
        self.gate = threading.Event()
        self._fails = fails

    def build_task(self) -> AnyTask:
        return GateTask(self.gate, self._fails)

    @property
    def gate_calls(self) -> int:
        """Calls that have been decoded."""
        task = self.codec
        assert isinstance(task, GateTask)
        return task.prepared

    def _warm_up(self, task: AnyTask) -> None:
        """Not before the gate is opened."""


class Servers:
    """One data plane with one place and a queue of one, behind both protocols."""

    def __init__(self, model: GateModel, plane: DataPlane, rest: httpx.AsyncClient, port: int) -> None:
        self.model, self.plane, self.rest, self.port = model, plane, rest, port

    async def infer_grpc(self, timeout: float | None = None) -> pb.ModelInferResponse:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            request = pb.ModelInferRequest(model_name="gate")
            tensor = request.inputs.add(name="x", datatype="INT32", shape=[1])
            tensor.contents.int_contents.append(1)
            return await GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=timeout)

    async def empty_queue(self) -> None:
        while self.plane.waiting:
            await asyncio.sleep(0.01)

    async def fill(self) -> list[asyncio.Task[httpx.Response]]:
        """Two calls: one is computed, one waits."""
        return [await self.begin(), await self.begin(waiting=1)]

    async def begin(self, *, waiting: int = 0) -> asyncio.Task[httpx.Response]:
        """A call that is in the engine, or in the queue, when this returns."""
        before = self.model.gate_calls
        call = asyncio.create_task(self.rest.post(PATH, json=BODY))
        while self.model.gate_calls == before or self.plane.waiting != waiting:
            await asyncio.sleep(0.01)
        return call


@asynccontextmanager
async def running(*, fails: bool = False) -> AsyncIterator[Servers]:
    model = GateModel(fails=fails)
    plane = DataPlane([model], revision="r1")
    await plane.load("gate")
    server = build_server(plane, max_body_bytes=10_000)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    app = Front(build_app(plane, max_body_bytes=10_000), plane, max_body_bytes=10_000)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as rest:
        yield Servers(model, plane, rest, port)
        model.gate.set()
    await server.stop(None)
    await plane.close()


async def test_a_full_queue_is_429_and_what_was_accepted_is_answered() -> None:
    async with running() as servers:
        accepted = await servers.fill()
        metrics = (await servers.rest.get("/metrics")).text
        assert 'modelserve_queue_depth{revision="r1"} 1.0' in metrics
        refused = await servers.rest.post(PATH, json=BODY)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "queue is full" in refused.json()["error"]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await servers.infer_grpc()
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        servers.model.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*accepted)] == [200, 200]


async def test_a_deadline_that_passes_in_the_queue_is_504() -> None:
    async with running() as servers:
        computing = await servers.begin()
        late = await servers.rest.post(PATH, json=BODY, headers={"X-Request-Timeout-Ms": "50"})
        assert late.status_code == 504
        assert "deadline" in late.json()["error"]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await servers.infer_grpc(timeout=0.1)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(servers.empty_queue(), 10)  # the caller may know first
        servers.model.gate.set()
        assert (await computing).status_code == 200


async def test_a_draining_server_is_not_ready_and_refuses_new_calls() -> None:
    async with running() as servers:
        accepted = await servers.fill()
        servers.plane.draining = True
        ready = await servers.rest.get("/v2/health/ready")
        assert ready.status_code == 503
        refused = await servers.rest.post(PATH, json=BODY)
        assert refused.status_code == 503
        assert "draining" in refused.json()["error"]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await servers.infer_grpc()
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        servers.model.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*accepted)] == [200, 200]


async def test_a_server_that_is_about_to_end_answers_and_closes_the_connection() -> None:
    async with running() as servers:
        servers.model.gate.set()
        assert "connection" not in (await servers.rest.post(PATH, json=BODY)).headers
        servers.plane.leaving = True
        assert (await servers.rest.get("/v2/health/ready")).status_code == 503
        answer = await servers.rest.post(PATH, json=BODY)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", [PATH, "/v1/models/gate:predict"])
async def test_a_refusal_is_the_same_before_and_behind_the_routes(path: str) -> None:
    async with running() as servers:
        calls = await servers.fill()
        refused = await servers.rest.post(path, json=BODY)
        behind = httpx.ASGITransport(build_app(servers.plane, max_body_bytes=10_000))
        async with httpx.AsyncClient(transport=behind, base_url="http://server") as rest:
            same = await rest.post(path, json=BODY)
        assert (refused.status_code, refused.json()) == (same.status_code, same.json()) == (429, ANY)
        assert refused.headers == same.headers
        metrics = (await servers.rest.get("/metrics")).text
        protocol = path[1:3]
        assert (
            'modelserve_requests_total{model="gate",outcome="overloaded",'
            f'protocol="{protocol}",revision="r1"}} 2.0'
        ) in metrics
        servers.model.gate.set()
        await asyncio.gather(*calls)


async def test_a_caller_that_hangs_up_leaves_the_queue() -> None:
    async with running() as servers:
        computing = await servers.begin()
        waiting = await servers.begin(waiting=1)
        waiting.cancel()
        await asyncio.wait_for(servers.empty_queue(), 10)
        call = asyncio.create_task(servers.infer_grpc())
        while not servers.plane.waiting:
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait_for(servers.empty_queue(), 10)
        servers.model.gate.set()
        assert (await computing).status_code == 200


async def test_health_answers_while_every_place_is_taken() -> None:
    async with running() as servers:
        calls = await servers.fill()
        assert (await servers.rest.get("/v2/health/live")).status_code == 200
        assert (await servers.rest.get("/v2/health/ready")).status_code == 200
        servers.model.gate.set()
        await asyncio.gather(*calls)


async def test_a_fault_of_the_server_is_500_and_tells_nothing_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(fails=True) as servers:
        answer = await servers.rest.post(PATH, json=BODY)
        assert answer.status_code == 500
        assert list(answer.json()) == ["error"]
        assert "secret" not in answer.text
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await servers.infer_grpc()
        assert raised.value.code() == grpc.StatusCode.INTERNAL
        assert "secret" not in str(raised.value.details())
        assert "secret" in caplog.text
        metrics = (await servers.rest.get("/metrics")).text
        assert 'outcome="internal"' in metrics
