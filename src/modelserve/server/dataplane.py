"""What the server does, whichever protocol asks: one implementation behind REST and gRPC."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import modelserve
from modelserve.errors import ModelLoadError, NotFound, RequestError, Unavailable
from modelserve.server.admission import Admission
from modelserve.server.metrics import Metrics
from modelserve.server.statistics import ModelStatistics
from modelserve.serving import ServedModel, describe

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")


class DataPlane:
    """Models by name, and the calls on them.

    Args:
        models: the models to serve; they need not be loaded yet.
        revision: the revision that metrics are labelled with.
        places: calls that are computed at once, each on a thread of its own.
        max_queue: calls that wait for a place.
    """

    def __init__(
        self, models: Sequence[ServedModel], *, revision: str, places: int = 2, max_queue: int = 256
    ) -> None:
        self._models = {model.name: model for model in models}
        self._statistics = {model.name: ModelStatistics() for model in models}
        self._admission = Admission(places=places, max_queue=max_queue)
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="compute")
        self._loaders = ThreadPoolExecutor(1, thread_name_prefix="load")
        self.revision = revision
        self.metrics = Metrics(revision, queue_depth=lambda: self.waiting)
        self.draining = False
        for name in self._models:
            self.metrics.loaded(model=name, is_loaded=False)

    # Models and their state

    def model(self, name: str, version: str | None = None) -> ServedModel:
        """The model of that name and, where one is given, version.

        Raises:
            NotFound: there is none; the sentence names those that there are.
        """
        model = self._models.get(name)
        if model is None:
            raise NotFound(f"model {name!r} is unknown; this server has {', '.join(sorted(self._models))}")
        if version and version != model.version:
            raise NotFound(f"model {name} has no version {version!r}; it has version {model.version}")
        return model

    @property
    def names(self) -> list[str]:
        """The names of all models, loaded or not."""
        return list(self._models)

    @property
    def ready(self) -> bool:
        """Whether every model takes calls and the server is not draining."""
        return not self.draining and all(model.ready for model in self._models.values())

    def model_ready(self, name: str, version: str | None = None) -> bool:
        """Whether that model takes calls."""
        return bool(self.model(name, version).ready) and not self.draining

    @property
    def waiting(self) -> int:
        """Calls that wait for a place."""
        return self._admission.waiting

    def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "modelserve", "version": modelserve.__version__, "extensions": list(EXTENSIONS)}

    def model_metadata(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Inputs and outputs of a model.

        Raises:
            Unavailable: it is not loaded, so that they are not known.
        """
        model = self.model(name, version)
        task = model.task
        return {
            "name": model.name,
            "versions": [model.version],
            "platform": "modelserve",
            "inputs": describe(task.inputs),
            "outputs": describe(task.outputs),
        }

    def statistics(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Counts and times of a model."""
        model = self.model(name, version)
        return {"model_stats": [self._statistics[name].as_json(name, model.version)]}

    def index(self, *, ready_only: bool) -> list[dict[str, str]]:
        """The repository's models and their states."""
        return [
            {
                "name": model.name,
                "version": model.version,
                "state": "READY" if model.ready else "UNAVAILABLE",
                "reason": "" if model.ready else "unloaded",
            }
            for model in self._models.values()
            if model.ready or not ready_only
        ]

    async def load(self, name: str) -> None:
        """Load a model, or load it again from its folder.

        Raises:
            Unavailable: its folder cannot be served; what served before goes on.
        """
        model = self.model(name)
        try:
            await asyncio.get_running_loop().run_in_executor(self._loaders, model.load)
        except ModelLoadError as error:
            raise Unavailable(f"model {name} cannot be loaded: {error}") from error
        finally:
            self.metrics.loaded(model=name, is_loaded=model.ready)

    async def unload(self, name: str) -> None:
        """Free a model's weights; calls to it are refused until it is loaded again."""
        model = self.model(name)
        await asyncio.get_running_loop().run_in_executor(self._loaders, model.stop)
        self.metrics.loaded(model=name, is_loaded=False)

    # Calls

    async def call(
        self,
        name: str,
        version: str | None,
        work: Callable[[ServedModel], ResultT],
        *,
        protocol: str,
        size: int,
        timeout_seconds: float | None,
    ) -> ResultT:
        """Do a call's work on a thread, when there is a place, and account for it.

        Args:
            name: the model.
            version: its version, or None or empty for the one it has.
            work: decodes, computes and encodes; it may block.
            protocol: the metrics' label: ``v1``, ``v2`` or ``grpc``.
            size: bytes of the call's body.
            timeout_seconds: what is left until the caller's deadline; None where there is none.

        Raises:
            RequestError: whatever the caller has to be told.
        """
        began = time.perf_counter()
        outcome = "internal"
        try:
            model = self.model(name, version)
            if self.draining:
                raise Unavailable("the server is draining; send the call to another replica")
            async with self._admission.place(timeout_seconds):
                self._statistics[name].queue.add(time.perf_counter() - began)
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._threads, partial(work, model))
            outcome = "ok"
            return result
        except RequestError as error:
            outcome = _snake_case(type(error).__name__)
            raise
        finally:
            self._account(name, protocol, outcome, time.perf_counter() - began, size)

    def _account(self, name: str, protocol: str, outcome: str, seconds: float, size: int) -> None:
        known = name if name in self._models else ""
        self.metrics.answered(model=known, protocol=protocol, outcome=outcome, seconds=seconds, size=size)
        if known:
            self._statistics[name].record(succeeded=outcome == "ok", seconds=seconds)
        logger.debug(
            "answered",
            extra={"model": name, "protocol": protocol, "outcome": outcome, "seconds": seconds},
        )

    def close(self) -> None:
        """Free every model and thread; no call may be in progress."""
        for model in self._models.values():
            model.stop()
        self._threads.shutdown()
        self._loaders.shutdown()


def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
