"""KServe's ``Model`` around a codec; with ``protocol``'s converters, all that is imported of KServe.

A ``ServedModel`` is a KServe model: KServe's own ``ModelServer`` runs it. This package's server
runs it too, and takes the shorter way through ``answer``, which skips KServe's decoding. What computes
is a ``modelserve.task_model.TaskModel``; what asks another server, a
``modelserve.forwarding.ForwardingModel``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NoReturn, TypeVar

from kserve.errors import InferenceError
from kserve.errors import InvalidInput as KServeInvalidInput
from kserve.model import Model
from kserve.protocol.infer_type import InferRequest, InferResponse

from modelserve.batching.batcher import Observer
from modelserve.cache import ResponseCache
from modelserve.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    RequestError,
    TooLarge,
    Unavailable,
)
from modelserve.exchange import AnyCodec, Exchange, V1Exchange, V2Exchange
from modelserve.execution import Timeline
from modelserve.protocol.kserve_types import from_kserve, to_kserve
from modelserve.protocol.messages import TensorSpec
from modelserve.settings import current_revision

AnswerT = TypeVar("AnswerT")


class ServedModel(Model):  # type: ignore[misc]
    """A KServe model whose calls a ``Codec`` reads and writes; a subclass says what is between.

    ``observe`` is told of each batch that is computed, and ``cache`` keeps results; a model that
    computes nothing uses neither.

    Args:
        name: of the model.
        version: in the URL and in metadata.
        max_queue: calls that may wait, those being decoded included.
    """

    def __init__(self, name: str, *, version: str = "1", max_queue: int = 256) -> None:
        super().__init__(name)
        self.version = version
        self.revision = current_revision()
        self._max_queue = max_queue
        self.observe: Observer | None = None
        self.cache: ResponseCache | None = None

    @abstractmethod
    def load(self) -> bool:
        """Make ready to take calls, or do it again while calls are answered.

        Raises:
            ModelLoadError: there is something that cannot be served.
        """

    def give_up_loading(self) -> None:
        """End a ``load`` that waits for another server; called from another thread, when the server ends."""

    def start(self) -> None:
        """Load the model if that has not happened; KServe's server calls this before it serves."""
        if not self.ready:
            self.load()

    async def close(self) -> None:
        """Free what the model holds; no call may be in progress."""
        self.stop()

    @property
    @abstractmethod
    def codec(self) -> AnyCodec:
        """What reads and writes the calls.

        Raises:
            Unavailable: the model is not loaded.
        """

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Calls that are accepted and of which nothing is computed yet."""

    @property
    @abstractmethod
    def expected_wait_seconds(self) -> float:
        """How long a call that came now would wait; 0 where that is not known."""

    @abstractmethod
    async def _answer(
        self, exchange: Exchange[AnswerT], timeline: Timeline, *, timeout_seconds: float | None
    ) -> AnswerT:
        """Answer a call for which there is room."""

    @property
    def is_full(self) -> bool:
        """Whether a further call would be refused."""
        return self.waiting >= self._max_queue

    def refuse(self) -> NoReturn:
        """Refuse a call because the queue is full.

        Raises:
            Overloaded: always; it says when to try again, by the recent speed.
        """
        seconds = min(60, max(1, math.ceil(self.expected_wait_seconds)))
        raise Overloaded(
            f"the queue is full with {self._max_queue} calls; try again after {seconds} s",
            retry_after_seconds=seconds,
        )

    def unavailable(self) -> Unavailable:
        """The error of a model that is not loaded."""
        return Unavailable(f"model {self.name} is not loaded; load it, or try again when it is")

    async def answer(
        self,
        exchange: Exchange[AnswerT],
        *,
        timeline: Timeline | None = None,
        timeout_seconds: float | None = None,
    ) -> AnswerT:
        """Answer one call.

        Args:
            exchange: the call.
            timeline: is filled in with what became of it.
            timeout_seconds: what is left until the caller's deadline; None where there is none.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        if timeout_seconds is not None and timeout_seconds <= 0:
            raise DeadlineExceeded("the caller's deadline had passed when the call arrived")
        if self.is_full:
            self.refuse()
        return await self._answer(exchange, timeline or Timeline(), timeout_seconds=timeout_seconds)

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | InferResponse:
        """Answer a call that KServe's own server has decoded, off its event loop."""
        try:
            if isinstance(payload, InferRequest):
                return await self.answer(
                    V2Exchange(
                        lambda: from_kserve(payload),
                        to_kserve,
                        version=self.version,
                        revision=self.revision,
                    )
                )
            instances = payload.get("instances", payload.get("inputs"))
            if not isinstance(instances, list):
                raise InvalidInput('the body must be {"instances": [...]}')
            return await self.answer(
                V1Exchange(lambda: instances, lambda predictions: {"predictions": predictions})
            )
        except (InvalidInput, TooLarge, NotFound) as error:
            raise KServeInvalidInput(str(error)) from error
        except RequestError as error:
            raise InferenceError(str(error)) from error

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs, in the form of V2 metadata; empty while the model is not loaded."""
        return describe(self.codec.inputs) if self.ready else []

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs, in the form of V2 metadata; empty while the model is not loaded."""
        return describe(self.codec.outputs) if self.ready else []


def describe(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    """Tensor specs as the JSON of V2 metadata."""
    return [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
