"""gRPC's health service, asked with the stubs that gRPC's own package generates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
SERVICE = "inference.GRPCInferenceService"


@pytest.fixture
async def served(echo: Any, serve: Any) -> Any:
    return await serve(echo)


@pytest.fixture
async def health(served: Any) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(served.host("grpc-v2")) as channel:
        yield HealthStub(channel)


async def is_ready(served: Any) -> bool:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, verify=False) as client:
        return (await client.get("/v2/health/ready")).status_code == 200


@pytest.mark.parametrize("service", ["", SERVICE, "grpc.health.v1.Health"])
async def test_a_check_says_what_rest_says(health: Any, served: Any, service: str) -> None:
    async def both() -> tuple[bool, Any]:
        answer = await health.Check(HealthCheckRequest(service=service), timeout=20)
        return await is_ready(served), answer.status

    assert await both() == (True, SERVING)
    await served.plane.unload("echo")
    assert await both() == (False, NOT_SERVING)
    await served.plane.load("echo")
    assert await both() == (True, SERVING)
    served.plane.leaving = True
    assert await both() == (False, NOT_SERVING)


async def test_an_unknown_service_is_not_found(health: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await health.Check(HealthCheckRequest(service="nobody"), timeout=20)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert SERVICE in str(raised.value.details())


@pytest.mark.parametrize("method", ["Check", "Watch"])
async def test_a_malformed_message_is_the_callers_mistake(served: Any, method: str) -> None:
    async with grpc.aio.insecure_channel(served.host("grpc-v2")) as channel:
        ask: Any = channel.unary_stream(f"/grpc.health.v1.Health/{method}")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ask(b"\xff", timeout=20).read()
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_watch_tells_every_change_and_ends_with_the_server(health: Any, served: Any) -> None:
    watch = health.Watch(HealthCheckRequest(), timeout=20)
    assert (await watch.read()).status == SERVING
    await served.plane.unload("echo")
    assert (await watch.read()).status == NOT_SERVING
    await served.plane.load("echo")
    assert (await watch.read()).status == SERVING
    served.plane.draining = True
    assert (await watch.read()).status == NOT_SERVING
    assert await watch.read() is grpc.aio.EOF
    assert await watch.code() is grpc.StatusCode.OK


async def test_a_watch_of_an_unknown_service_stays(health: Any, served: Any) -> None:
    watch = health.Watch(HealthCheckRequest(service="nobody"), timeout=20)
    assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    following = asyncio.ensure_future(watch.read())
    assert not (await asyncio.wait([following], timeout=0.5))[0]
    watch.cancel()
    await asyncio.wait([following])


def test_a_watch_does_not_hold_up_the_end_of_a_server(start_server: Any) -> None:
    server = start_server("bert_ner", "--model_dir", "samples/bert-ner", "--grace_seconds", "50")
    with grpc.insecure_channel(server.grpc_target) as channel:
        watch = HealthStub(channel).Watch(HealthCheckRequest(), timeout=40)
        assert next(watch).status == SERVING
        assert server.stop() == 0
        assert [answer.status for answer in watch] == [NOT_SERVING]
