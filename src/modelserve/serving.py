"""KServe's ``Model`` around a task; with ``protocol``'s converters, all that is imported of KServe.

A ``ServedModel`` is a KServe model: KServe's own ``ModelServer`` runs it. This package's server
runs it too, and takes the shorter way through ``compute``, which skips KServe's decoding.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import abstractmethod
from pathlib import Path
from typing import Any

from kserve import InferRequest, InferResponse, Model
from kserve.errors import InferenceError
from kserve.errors import InvalidInput as KServeInvalidInput

from modelserve.errors import InvalidInput, NotFound, RequestError, TooLarge, Unavailable
from modelserve.protocol.kserve_types import from_kserve, to_kserve
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, TensorSpec
from modelserve.settings import ServerSettings, current_revision
from modelserve.task import Task

logger = logging.getLogger(__name__)

AnyTask = Task[Any, Any, Any]


class ServedModel(Model):  # type: ignore[misc]
    """A KServe model whose work is a ``Task``.

    A subclass says how the task is built; everything else is the same for every model.
    """

    def __init__(self, name: str, *, version: str = "1") -> None:
        super().__init__(name)
        self.version = version
        self._revision = current_revision()
        self._task: AnyTask | None = None
        self._loading = threading.Lock()

    @abstractmethod
    def build_task(self) -> AnyTask:
        """Read the model's folder and make its task.

        Raises:
            ModelLoadError: the folder cannot be served.
        """

    def load(self) -> bool:
        """Load the model, or load it again, and take calls.

        The old weights serve until then, and calls that are in them end with them.
        """
        with self._loading:
            task = self._task = self.build_task()
            self.ready = True
        logger.info("loaded model %s, %s", self.name, task.digest)
        return True

    def start(self) -> None:
        """Load the model if that has not happened; KServe's server calls this before it serves."""
        if not self.ready:
            self.load()

    def stop(self) -> None:
        """Take no more calls; the weights are freed when those in progress are answered."""
        with self._loading:
            self.ready = False
            self._task = None

    @property
    def task(self) -> AnyTask:
        """The loaded task.

        Raises:
            Unavailable: the model is not loaded.
        """
        task = self._task
        if task is None:
            raise Unavailable(f"model {self.name} is not loaded; load it, or try again when it is")
        return task

    def compute(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one V2 call; blocks, and may be called from several threads."""
        task = self.task
        call = task.decode(request)
        outputs = task.encode(task.run(call.items), call, request)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            id=request.id,
            outputs=outputs,
            parameters={"revision": self._revision, "model_digest": task.digest},
        )

    def compute_v1(self, instances: list[Any]) -> list[Any]:
        """Answer one V1 call with a prediction for each instance; blocks, as ``compute`` does."""
        task = self.task
        call = task.decode_v1(instances)
        return task.encode_v1(task.run(call.items), call)

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | InferResponse:
        """Answer a call that KServe's own server has decoded, off its event loop."""
        try:
            if isinstance(payload, InferRequest):
                request = from_kserve(payload)
                return to_kserve(await asyncio.to_thread(self.compute, request), request)
            instances = payload.get("instances", payload.get("inputs"))
            if not isinstance(instances, list):
                raise InvalidInput('the body must be {"instances": [...]}')
            return {"predictions": await asyncio.to_thread(self.compute_v1, instances)}
        except (InvalidInput, TooLarge, NotFound) as error:
            raise KServeInvalidInput(str(error)) from error
        except RequestError as error:
            raise InferenceError(str(error)) from error

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs, in the form of V2 metadata; empty while the model is not loaded."""
        return [] if self._task is None else describe(self._task.inputs)

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs, in the form of V2 metadata; empty while the model is not loaded."""
        return [] if self._task is None else describe(self._task.outputs)


class FolderModel(ServedModel):
    """A model that is read from a folder, anew each time it is loaded.

    Args:
        name: of the model.
        model_dir: the folder.
        settings: the engine and the limits.
        version: in the URL and in metadata.
    """

    def __init__(self, name: str, model_dir: Path, settings: ServerSettings, *, version: str = "1") -> None:
        super().__init__(name, version=version)
        self.model_dir = model_dir
        self.settings = settings

    @staticmethod
    @abstractmethod
    def accepts(model_dir: Path) -> bool:
        """Whether a folder looks like one of this kind."""


def describe(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    """Tensor specs as the JSON of V2 metadata."""
    return [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
