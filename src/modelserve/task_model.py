"""A served model that computes: its task, the batcher before it, and how both are replaced."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from pathlib import Path
from typing import TypeVar

from modelserve.errors import ModelLoadError
from modelserve.exchange import Exchange, V2Exchange
from modelserve.execution import AnyTask, Execution, Timeline
from modelserve.memory import give_back_freed
from modelserve.protocol.rest import encode_response
from modelserve.serving import ServedModel
from modelserve.settings import EngineSettings

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")


class TaskModel(ServedModel):
    """A served model whose work is a ``Task``.

    A subclass says how the task is built; everything else is the same for every model. Calls are
    computed together with others that are there.

    Args:
        name: of the model.
        version: in the URL and in metadata.
        max_queue: calls that may wait for the engine, those being decoded included.
        window_seconds: the longest wait of the batcher for company.
        digest: that the weights must have, as ``Task.digest``; empty accepts any.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "1",
        max_queue: int = 256,
        window_seconds: float = 0.0,
        digest: str = "",
    ) -> None:
        super().__init__(name, version=version, max_queue=max_queue)
        self._window_seconds = window_seconds
        self._digest = digest
        self._execution: Execution | None = None
        self._loading = threading.Lock()

    @abstractmethod
    def build_task(self) -> AnyTask:
        """Read the model's folder and make its task.

        Raises:
            ModelLoadError: the folder cannot be served.
        """

    def load(self) -> bool:
        """Load the model, or load it again, warm it up, and take calls.

        The old weights serve until then, and calls that are in them end with them.

        Raises:
            ModelLoadError: the model cannot be served, or its weights are others than those expected.
        """
        with self._loading:
            task = self.build_task()
            if self._digest and task.digest != self._digest:
                raise ModelLoadError(
                    f"the weights of model {self.name} have the digest {task.digest}; "
                    f"only {self._digest} is accepted"
                )
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
        exchange.encode(task, task.run(call.items), call, parameters={"model_digest": task.digest})

    def _replace(self, execution: Execution | None) -> None:
        before, self._execution = self._execution, execution
        if before is not None:
            before.batcher.close()

    def stop(self) -> None:
        """Take no more calls; the weights are freed when those in progress are answered."""
        with self._loading:
            self.ready = False
            self._replace(None)

    @property
    def codec(self) -> AnyTask:
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
    def expected_wait_seconds(self) -> float:
        """How long a call that came now would wait, by the engine's recent speed."""
        execution = self._execution
        return 0.0 if execution is None else execution.batcher.expected_wait_seconds

    async def _answer(
        self, exchange: Exchange[AnswerT], timeline: Timeline, *, timeout_seconds: float | None
    ) -> AnswerT:
        execution = self._loaded()
        while not execution.batcher.enter():  # it was replaced a moment ago
            execution = self._loaded()
        return await execution.answer(exchange, timeline, timeout_seconds=timeout_seconds, cache=self.cache)

    def _loaded(self) -> Execution:
        execution = self._execution
        if execution is None:
            raise self.unavailable()
        return execution


class FolderModel(TaskModel):
    """A model that is read from a folder, anew each time it is loaded.

    Args:
        name: of the model.
        model_dir: the folder.
        settings: the engine and the limits.
        version: in the URL and in metadata.
        digest: that the weights must have; empty accepts any.
    """

    def __init__(
        self, name: str, model_dir: Path, settings: EngineSettings, *, version: str = "1", digest: str = ""
    ) -> None:
        super().__init__(
            name,
            version=version,
            max_queue=settings.max_queue,
            window_seconds=settings.batch_window_ms / 1000,
            digest=digest,
        )
        self.model_dir = model_dir
        self.settings = settings

    @staticmethod
    @abstractmethod
    def accepts(model_dir: Path) -> bool:
        """Whether a folder looks like one of this kind."""
