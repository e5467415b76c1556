"""KServe's ``Model`` around a task; with ``protocol``'s converters, all that is imported of KServe.

A ``ServedModel`` is a KServe model: KServe's own ``ModelServer`` runs it. This package's server
runs it too, and takes the shorter way through ``answer``, which skips KServe's decoding.
"""

from __future__ import annotations

import logging
import math
import threading
from abc import abstractmethod
from pathlib import Path
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
from modelserve.exchange import AnyTask, Exchange, V1Exchange, V2Exchange
from modelserve.execution import Execution, Timeline
from modelserve.memory import give_back_freed
from modelserve.protocol.kserve_types import from_kserve, to_kserve
from modelserve.protocol.messages import TensorSpec
from modelserve.protocol.rest import encode_response
from modelserve.settings import ServerSettings, current_revision

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")


class ServedModel(Model):  # type: ignore[misc]
    """A KServe model whose work is a ``Task``.

    A subclass says how the task is built; everything else is the same for every model.

    Args:
        name: of the model.
        version: in the URL and in metadata.
        max_queue: calls that may wait for the engine, those being decoded included.
        window_seconds: the longest wait of the batcher for company.
    """

    def __init__(
        self, name: str, *, version: str = "1", max_queue: int = 256, window_seconds: float = 0.0
    ) -> None:
        super().__init__(name)
        self.version = version
        self.revision = current_revision()
        self._max_queue = max_queue
        self._window_seconds = window_seconds
        self._execution: Execution | None = None
        self._loading = threading.Lock()
        self.observe: Observer | None = None
        self.cache: ResponseCache | None = None

    @abstractmethod
    def build_task(self) -> AnyTask:
        """Read the model's folder and make its task.

        Raises:
            ModelLoadError: the folder cannot be served.
        """

    def load(self) -> bool:
        """Load the model, or load it again, warm it up, and take calls.

        The old weights serve until then, and calls that are in them end with them.
        """
        with self._loading:
            task = self.build_task()
            self._warm_up(task)
            execution = Execution(
                task, name=self.name, window_seconds=self._window_seconds, observe=self.observe
            )
            self._replace(execution)
            self.ready = True
        give_back_freed()
        logger.info("loaded model %s, %s", self.name, task.digest)
        return True

    def _warm_up(self, task: AnyTask) -> None:
        """Take one call through all that is slow the first time."""
        request = task.sample()
        exchange = V2Exchange(lambda: request, encode_response, version=self.version, revision=self.revision)
        call = exchange.decode(task)
        exchange.encode(task, task.run(call.items), call)

    def _replace(self, execution: Execution | None) -> None:
        before, self._execution = self._execution, execution
        if before is not None:
            before.batcher.close()

    def start(self) -> None:
        """Load the model if that has not happened; KServe's server calls this before it serves."""
        if not self.ready:
            self.load()

    def stop(self) -> None:
        """Take no more calls; the weights are freed when those in progress are answered."""
        with self._loading:
            self.ready = False
            self._replace(None)

    @property
    def task(self) -> AnyTask:
        """The loaded task.

        Raises:
            Unavailable: the model is not loaded.
        """
        return self._loaded().task

    @property
    def waiting(self) -> int:
        """Calls that are accepted and of which nothing is computed yet."""
        execution = self._execution
        return 0 if execution is None else execution.batcher.waiting

    @property
    def is_full(self) -> bool:
        """Whether a further call would be refused."""
        return self.waiting >= self._max_queue

    def refuse(self) -> NoReturn:
        """Refuse a call because the queue is full.

        Raises:
            Overloaded: always; it says when to try again, by the engine's recent speed.
        """
        execution = self._execution
        expected = 0.0 if execution is None else execution.batcher.expected_wait_seconds
        seconds = min(60, max(1, math.ceil(expected)))
        raise Overloaded(
            f"the queue is full with {self._max_queue} calls; try again after {seconds} s",
            retry_after_seconds=seconds,
        )

    async def answer(
        self,
        exchange: Exchange[AnswerT],
        *,
        timeline: Timeline | None = None,
        timeout_seconds: float | None = None,
    ) -> AnswerT:
        """Answer one call, computed together with others that are there.

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
        execution = self._loaded()
        while not execution.batcher.enter():  # it was replaced a moment ago
            execution = self._loaded()
        return await execution.answer(
            exchange, timeline or Timeline(), timeout_seconds=timeout_seconds, cache=self.cache
        )

    def _loaded(self) -> Execution:
        execution = self._execution
        if execution is None:
            raise Unavailable(f"model {self.name} is not loaded; load it, or try again when it is")
        return execution

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
        execution = self._execution
        return [] if execution is None else describe(execution.task.inputs)

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs, in the form of V2 metadata; empty while the model is not loaded."""
        execution = self._execution
        return [] if execution is None else describe(execution.task.outputs)


class FolderModel(ServedModel):
    """A model that is read from a folder, anew each time it is loaded.

    Args:
        name: of the model.
        model_dir: the folder.
        settings: the engine and the limits.
        version: in the URL and in metadata.
    """

    def __init__(self, name: str, model_dir: Path, settings: ServerSettings, *, version: str = "1") -> None:
        super().__init__(
            name,
            version=version,
            max_queue=settings.max_queue,
            window_seconds=settings.batch_window_ms / 1000,
        )
        self.model_dir = model_dir
        self.settings = settings

    @staticmethod
    @abstractmethod
    def accepts(model_dir: Path) -> bool:
        """Whether a folder looks like one of this kind."""


def describe(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    """Tensor specs as the JSON of V2 metadata."""
    return [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
