"""What a unit implements to be served: decode, prepare, compute, finish, encode.

A ``Task`` knows nothing of HTTP, gRPC or KServe. A call is decoded into items that are independent
of each other; each is prepared into units, which the server computes together with those of other
calls, and finished from their outputs; the results are encoded call by call. Preparing and finishing
run beside the engine, on other threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from modelserve.batching.planner import BatchPolicy, Unit, plan_batches
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec

ItemT = TypeVar("ItemT")
DataT = TypeVar("DataT")
OutputT = TypeVar("OutputT")
ResultT = TypeVar("ResultT")
OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one request may ask for.

    ``text_bytes`` and ``image_bytes`` bound one item; ``image_pixels`` bounds an image's width
    times height, read from its header before it is decoded.
    """

    batch: int = 256
    text_bytes: int = 1_000_000
    image_bytes: int = 20_000_000
    image_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Call(Generic[ItemT, OptionsT]):
    """A decoded call: its items, and the options that its encoding needs."""

    items: Sequence[ItemT]
    options: OptionsT


@dataclass(frozen=True, slots=True)
class Prepared(Generic[DataT, OutputT, ResultT]):
    """An item that is ready for the engine.

    ``finish`` makes its result from the outputs of its units. An item may need none: an empty text,
    or an image that turned out to be corrupt.
    """

    units: Sequence[Unit[DataT]]
    finish: Callable[[Sequence[OutputT]], ResultT]


class Codec(ABC, Generic[ItemT, ResultT, OptionsT]):
    """The two ends of a model: decoded messages to items, and results to encoded answers.

    Every method may be called from several threads at once, and raises only
    ``modelserve.errors.RequestError`` for what a caller sent. ``inputs`` and ``outputs`` are those that
    the model's metadata names.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @abstractmethod
    def decode(self, request: InferenceRequest) -> Call[ItemT, OptionsT]:
        """Check a V2 request and take its items out."""

    @abstractmethod
    def decode_v1(self, instances: Sequence[Any]) -> Call[ItemT, OptionsT]:
        """Check the instances of a V1 request and take its items out."""

    @abstractmethod
    def encode(
        self, results: Sequence[ResultT], call: Call[ItemT, OptionsT], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        """Make the outputs that the request asks for."""

    @abstractmethod
    def encode_v1(self, results: Sequence[ResultT], call: Call[ItemT, OptionsT]) -> list[Any]:
        """Make the predictions of a V1 answer, one for each instance."""

    @abstractmethod
    def predictions(self, results: Sequence[ResultT]) -> tuple[list[str], list[float]]:
        """What was predicted, for the metrics: labels, and the model's confidence in each."""


class Task(Codec[ItemT, ResultT, OptionsT], Generic[ItemT, DataT, OutputT, ResultT, OptionsT]):
    """One kind of model, from decoded messages to encoded answers.

    What ``Codec`` says of its methods holds for these too, but for ``compute``. A task has no end of
    its own: a model that is loaded again drops it, and it lives until its last call is answered.

    ``digest`` is ``sha256:`` and the hex digest of the weights that are loaded; ``fingerprint`` tells
    everything else that a result depends on, beside the item; ``policy`` says what a batch may hold.
    """

    digest: str
    fingerprint: str
    policy: BatchPolicy

    @abstractmethod
    def prepare(self, items: Sequence[ItemT]) -> list[Prepared[DataT, OutputT, ResultT]]:
        """Make each item ready for the engine."""

    @abstractmethod
    def compute(self, batch: Sequence[DataT]) -> Sequence[OutputT]:
        """Compute one batch; the only call that costs much, and called from one thread at a time."""

    @abstractmethod
    def sample(self) -> InferenceRequest:
        """A small call that takes the whole path, to warm it up."""

    @abstractmethod
    def item_bytes(self, item: ItemT) -> bytes:
        """An item in bytes, different for items that differ: a part of a cache's key."""

    @abstractmethod
    def pack(self, result: ResultT) -> bytes | None:
        """A result in bytes, for a cache; None for one that is not worth keeping."""

    @abstractmethod
    def unpack(self, packed: bytes) -> ResultT:
        """The result that ``pack`` made bytes of."""

    def run(self, items: Sequence[ItemT]) -> list[ResultT]:
        """Compute the results of items at once, in their order, without the server's batcher."""
        prepared = self.prepare(items)
        units = [unit for one in prepared for unit in one.units]
        outputs: list[Any] = [None] * len(units)
        for batch in plan_batches(units, self.policy):
            computed = self.compute([units[index].data for index in batch])
            for index, output in zip(batch, computed, strict=True):
                outputs[index] = output
        return self.finish(prepared, outputs)

    def finish(
        self, prepared: Sequence[Prepared[DataT, OutputT, ResultT]], outputs: Sequence[OutputT]
    ) -> list[ResultT]:
        """Make the results of prepared items from the outputs of all of their units, in order."""
        results, start = [], 0
        for one in prepared:
            end = start + len(one.units)
            results.append(one.finish(outputs[start:end]))
            start = end
        return results
