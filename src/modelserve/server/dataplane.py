"""What the server does, whichever protocol asks: one implementation behind REST and gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import modelserve
from modelserve.cache import ResponseCache
from modelserve.errors import InvalidInput, ModelLoadError, NotFound, Unavailable
from modelserve.server.metrics import Metrics
from modelserve.server.statistics import ModelStatistics
from modelserve.serving import ServedModel, describe
from modelserve.telemetry import Tracing, configure_tracing

logger = logging.getLogger(__name__)

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")


class DataPlane:
    """Models by name, and the calls on them.

    Args:
        models: the models to serve; they need not be loaded yet.
        revision: the revision that metrics are labelled with.
        cache: of results, or None.
        tracing: of calls; by default what the environment asks for.
        is_one_of_several: whether other processes serve the same models on the same ports.
    """

    def __init__(
        self,
        models: Sequence[ServedModel],
        *,
        revision: str,
        cache: ResponseCache | None = None,
        tracing: Tracing | None = None,
        is_one_of_several: bool = False,
    ) -> None:
        self._models = {model.name: model for model in models}
        self._statistics = {model.name: ModelStatistics() for model in models}
        self._loaders = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._cache = cache
        self._is_one_of_several = is_one_of_several
        self.revision = revision
        self.tracing = tracing or configure_tracing(service_name="modelserve", revision=revision)
        self.metrics = Metrics(revision, queue_depth=lambda: self.waiting)
        self.leaving = False
        self.draining = False
        for name, model in self._models.items():
            self.metrics.loaded(model=name, is_loaded=False)
            model.observe = partial(self._computed, name)
            model.cache = cache

    def _computed(self, name: str, seconds: float, batch_size: int) -> None:
        self.metrics.computed(model=name, seconds=seconds, batch_size=batch_size)
        self._statistics[name].computed()

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
        """Whether every model takes calls and the server is not about to end."""
        return not (self.leaving or self.draining) and all(model.ready for model in self._models.values())

    def model_ready(self, name: str, version: str | None = None) -> bool:
        """Whether that model takes calls."""
        return bool(self.model(name, version).ready) and not (self.leaving or self.draining)

    @property
    def waiting(self) -> int:
        """Calls that are accepted and of which nothing is computed yet."""
        return sum(model.waiting for model in self._models.values())

    def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "modelserve", "version": modelserve.__version__, "extensions": list(EXTENSIONS)}

    def model_metadata(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Inputs and outputs of a model.

        Raises:
            Unavailable: it is not loaded, so that they are not known.
        """
        model = self.model(name, version)
        codec = model.codec
        return {
            "name": model.name,
            "versions": [model.version],
            "platform": "modelserve",
            "inputs": describe(codec.inputs),
            "outputs": describe(codec.outputs),
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

    async def load_again(self, name: str) -> None:
        """Load a model because a caller asks for it.

        Raises:
            Unavailable: its folder cannot be served; what served before goes on.
            InvalidInput: other workers, which this call does not reach, serve it too.
        """
        self._refuse_one_of_several(name)
        await self.load(name)

    async def unload(self, name: str) -> None:
        """Free a model's weights; calls to it are refused until it is loaded again.

        Raises:
            InvalidInput: other workers, which this call does not reach, serve it too.
        """
        self._refuse_one_of_several(name)
        model = self.model(name)
        await asyncio.get_running_loop().run_in_executor(self._loaders, model.stop)
        self.metrics.loaded(model=name, is_loaded=False)

    def _refuse_one_of_several(self, name: str) -> None:
        self.model(name)
        if self._is_one_of_several:
            raise InvalidInput(
                f"model {name} is served by several workers, which load it when they start; "
                "loading and unloading by a call are accepted by a server with --workers 1"
            )

    # Calls

    def admit(self, name: str, version: str | None = None) -> ServedModel:
        """The model for a call that may be taken now.

        Raises:
            NotFound: there is no such model.
            Unavailable: the server is draining.
            Overloaded: the model's queue is full.
        """
        model = self.model(name, version)
        if self.draining:
            raise Unavailable("the server is draining; send the call to another replica")
        if model.is_full:
            model.refuse()
        return model

    def has(self, name: str) -> bool:
        """Whether there is a model of that name; others make no series in the metrics."""
        return name in self._models

    def answered(self, name: str, *, succeeded: bool, seconds: float, queue_seconds: float | None) -> None:
        """Count a call in its model's statistics."""
        statistics = self._statistics[name]
        statistics.record(succeeded=succeeded, seconds=seconds)
        if queue_seconds is not None:
            statistics.queue.add(queue_seconds)

    async def close(self) -> None:
        """Free every model and thread; no call may be in progress."""
        for model in self._models.values():
            await model.close()
        self._loaders.shutdown()
        if self._cache is not None:
            await self._cache.close()
        await asyncio.to_thread(self.tracing.shutdown, timeout_seconds=5)
