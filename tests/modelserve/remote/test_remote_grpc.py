"""What only a predictor over gRPC can do: other servers' answers, and several pods behind a name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import pytest

from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceRequest, Tensor

CALL = InferenceRequest("echo", (Tensor("x", "FP32", np.ones(3, "<f4")),))

Answering = Callable[..., Awaitable[str]]


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """Starts servers whose every method answers with these bytes; without bytes they have no method."""
    servers: list[grpc.aio.Server] = []

    async def start(data: bytes | None) -> str:
        async def answer(_: bytes, context: Any) -> bytes | None:
            return data

        server = grpc.aio.server()
        if data is not None:
            methods: dict[str, Any] = {"ModelInfer": grpc.unary_unary_rpc_method_handler(answer)}
            handler = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)
            server.add_generic_rpc_handlers((handler,))
        host = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        servers.append(server)
        return host

    yield start
    for server in servers:
        await server.stop(0)


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"\xff", "cannot be read"), (b"", "cannot be read"), (None, "UNIMPLEMENTED")]
)
async def test_another_servers_answer_is_a_failure(
    answering: Answering, connect: Any, data: bytes | None, sentence: str
) -> None:
    predictor = connect(await answering(data), "grpc-v2")
    with pytest.raises(PredictorFailed, match=sentence):
        await predictor.infer(CALL, timeout_seconds=20)


async def test_every_pod_behind_a_name_gets_calls(echo: Any, serve: Any, connect: Any) -> None:
    ports = [(await serve(type(echo)(), revision=f"pod-{number}")).grpc_port for number in range(2)]
    # gRPC's own form of a name with several addresses; a headless Service's name resolves to such a list.
    predictor = connect(f"ipv4:127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}", "grpc-v2")
    seen: set[str] = set()
    patience = time.monotonic() + 20
    while len(seen) < 2:  # the second connection may be there a little later
        assert time.monotonic() < patience
        response = await predictor.infer(CALL, timeout_seconds=20)
        seen.add(response.parameters["revision"])
    answers = await asyncio.gather(*[predictor.infer(CALL, timeout_seconds=20) for _ in range(20)])
    counts = [[a.parameters["revision"] for a in answers].count(name) for name in seen]
    assert counts == [10, 10]
