"""Servers in the test's own event loop, and a model behind them that does what the test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import uvicorn

from modelserve.exchange import Exchange
from modelserve.execution import Timeline
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec
from modelserve.server.dataplane import DataPlane
from modelserve.server.grpc import build_server
from modelserve.server.mirror import Mirror
from modelserve.server.runner import rest_config
from modelserve.serving import ServedModel
from modelserve.task import Call, Codec
from modelserve.telemetry import NO_CALL, Tracing

AnswerT = TypeVar("AnswerT")

DIGEST = "sha256:echo"


class _EchoCodec(Codec[Tensor, Tensor, None]):
    """A call's inputs are its outputs."""

    inputs = outputs = (TensorSpec("x", "FP32", (-1,)),)

    def __init__(self) -> None:
        self.requests: list[InferenceRequest] = []

    def decode(self, request: InferenceRequest) -> Call[Tensor, None]:
        self.requests.append(request)
        return Call(request.inputs, None)

    def decode_v1(self, instances: Sequence[Any]) -> Call[Tensor, None]:
        raise NotImplementedError

    def encode(
        self, results: Sequence[Tensor], call: Call[Tensor, None], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        asked = {output.name for output in request.outputs}
        return tuple(tensor for tensor in results if not asked or tensor.name in asked)

    def encode_v1(self, results: Sequence[Tensor], call: Call[Tensor, None]) -> list[Any]:
        raise NotImplementedError

    def predictions(self, results: Sequence[Tensor]) -> tuple[list[str], list[float]]:
        return [], []


class EchoModel(ServedModel):
    """Answers a V2 call with its own inputs, when the test lets it.

    ``failures`` are raised first, one a call; then a call waits for ``go_on``. ``timeouts`` are the
    deadlines of the calls that have come, ``cancelled`` counts those that their callers gave up, and
    ``most_at_once`` is how many were there together.
    """

    def __init__(self, name: str = "echo") -> None:
        super().__init__(name)
        self.failures: list[Exception] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.timeouts: list[float | None] = []
        self.cancelled = self.most_at_once = self._now = 0
        self._codec = _EchoCodec()

    def load(self) -> bool:
        self.ready = True
        return True

    def stop(self) -> None:
        self.ready = False

    @property
    def codec(self) -> _EchoCodec:
        return self._codec

    @property
    def requests(self) -> list[InferenceRequest]:
        """The calls that were answered, oldest first."""
        return self._codec.requests

    @property
    def waiting(self) -> int:
        return 0

    @property
    def expected_wait_seconds(self) -> float:
        return 0.0

    async def _answer(
        self, exchange: Exchange[AnswerT], timeline: Timeline, *, timeout_seconds: float | None
    ) -> AnswerT:
        self.timeouts.append(timeout_seconds)
        if self.failures:
            raise self.failures.pop(0)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._now -= 1
        call = exchange.decode(self._codec)
        return exchange.encode(self._codec, call.items, call, parameters={"model_digest": DIGEST})


@pytest.fixture
def echo() -> EchoModel:
    """A predictor's model that answers with its inputs."""
    return EchoModel()


class _Heard:
    """Tracing that only keeps the headers and the metadata which calls come with."""

    enabled = False

    def __init__(self, carriers: list[dict[str, str]]) -> None:
        self._carriers = carriers

    def start(self, name: str, *, carrier: Any = (), attributes: Any = None, start_ns: Any = None) -> Any:
        pairs = carrier.items() if isinstance(carrier, Mapping) else carrier
        self._carriers.append(dict(pairs))
        return NO_CALL

    def shutdown(self, *, timeout_seconds: float) -> bool:
        return True


@dataclass
class Served:
    """A server that takes calls; ``carriers`` are the headers of those that came."""

    plane: DataPlane
    http_port: int
    grpc_port: int
    carriers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def host(self, protocol: str) -> str:
        """What ``--predictor_host`` would be."""
        return f"127.0.0.1:{self.grpc_port if protocol == 'grpc-v2' else self.http_port}"


@contextlib.asynccontextmanager
async def _served(
    model: ServedModel,
    *,
    revision: str,
    tracing: Tracing | None,
    ports: tuple[int, int],
    max_body_bytes: int,
    mirror: Mirror | None,
) -> AsyncIterator[Served]:
    carriers: list[dict[str, str]] = []
    plane = DataPlane([model], revision=revision, tracing=tracing or _Heard(carriers))
    model.revision = revision
    await plane.load(model.name)
    rest = uvicorn.Server(rest_config(plane, max_body_bytes=max_body_bytes, grace_seconds=1, mirror=mirror))
    if mirror is not None:
        mirror.start(plane.metrics.registry, revision=revision)
    grpc_server = build_server(plane, max_body_bytes=max_body_bytes)
    grpc_port = grpc_server.add_insecure_port(f"127.0.0.1:{ports[1]}")
    await grpc_server.start()
    listener = socket.create_server(("127.0.0.1", ports[0]))
    serving = asyncio.create_task(rest.serve(sockets=[listener]))
    yield Served(plane, listener.getsockname()[1], grpc_port, carriers)
    rest.should_exit = True
    await asyncio.gather(serving, grpc_server.stop(0))
    if mirror is not None:
        await asyncio.to_thread(mirror.close)
    await plane.close()


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers of one model each, which stop with the test."""
    async with contextlib.AsyncExitStack() as servers:

        async def start(
            model: ServedModel,
            *,
            revision: str = "predictor-1",
            tracing: Tracing | None = None,
            ports: tuple[int, int] = (0, 0),
            max_body_bytes: int = 8_000_000,
            mirror: Mirror | None = None,
        ) -> Served:
            return await servers.enter_async_context(
                _served(
                    model,
                    revision=revision,
                    tracing=tracing,
                    ports=ports,
                    max_body_bytes=max_body_bytes,
                    mirror=mirror,
                )
            )

        yield start
