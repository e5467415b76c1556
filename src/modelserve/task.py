"""What a unit implements to be served: decode, run, encode.

A ``Task`` knows nothing of HTTP, gRPC or KServe. A call is decoded into items that are independent
of each other, so that the server may run items of several calls together and one bad item fails
alone; the results are encoded call by call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec

ItemT = TypeVar("ItemT")
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


class Task(Protocol[ItemT, ResultT, OptionsT]):
    """One kind of model, from decoded messages to encoded answers.

    Every method may be called from several threads at once, and raises only
    ``modelserve.errors.RequestError`` for what a caller sent. A task has no end of its own: a model
    that is loaded again drops it, and it lives until its last call is answered.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that the model's metadata names."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that the model's metadata names."""
        ...

    @property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the weights that are loaded."""
        ...

    def decode(self, request: InferenceRequest) -> Call[ItemT, OptionsT]:
        """Check a V2 request and take its items out."""
        ...

    def decode_v1(self, instances: Sequence[Any]) -> Call[ItemT, OptionsT]:
        """Check the instances of a V1 request and take its items out."""
        ...

    def run(self, items: Sequence[ItemT]) -> list[ResultT]:
        """Compute the results of items, in their order; the only call that costs much."""
        ...

    def encode(
        self, results: Sequence[ResultT], call: Call[ItemT, OptionsT], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        """Make the outputs that the request asks for."""
        ...

    def encode_v1(self, results: Sequence[ResultT], call: Call[ItemT, OptionsT]) -> list[Any]:
        """Make the predictions of a V1 answer, one for each instance."""
        ...
