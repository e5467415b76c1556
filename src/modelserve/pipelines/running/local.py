"""A predictor in the process that runs the pipeline: one machine, no server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from modelserve.errors import InvalidInput
from modelserve.exchange import V2Exchange
from modelserve.installed import predictors
from modelserve.pipelines.definition.expressions import Json
from modelserve.protocol.rest import decode_request, encode_response
from modelserve.settings import EngineSettings, parse_settings

if TYPE_CHECKING:
    from modelserve.task_model import FolderModel


class LocalAsker:
    """``Asker`` of a predictor that is loaded when it is first asked.

    Args:
        predictor: its name among the entry points ``modelserve.predictors``.
        folder: that it loads.
    """

    def __init__(self, predictor: str, folder: Path) -> None:
        self._predictor, self._folder = predictor, folder
        self._lock = asyncio.Lock()
        self._model: FolderModel | None = None

    async def ask(self, body: dict[str, Json], *, key: str, timeout_seconds: float) -> Json:
        """See ``Asker.ask``; the key is of no use to a model without effects.

        Raises:
            ModelLoadError: the folder cannot be served.
        """
        async with self._lock:
            if self._model is None:
                self._model = await asyncio.to_thread(self._loaded)
        model, data = self._model, orjson.dumps(body)
        answer = await model.answer(
            V2Exchange(
                lambda: decode_request(data, model_name=model.name, model_version=None, header_length=None),
                encode_response,
                version=model.version,
                revision=model.revision,
            ),
            timeout_seconds=timeout_seconds,
        )
        return orjson.loads(answer.body)

    async def close(self) -> None:
        """See ``Asker.close``."""
        if self._model is not None:
            await self._model.close()

    def _loaded(self) -> FolderModel:
        found = predictors()
        if self._predictor not in found:
            raise InvalidInput(
                f"there is no predictor {self._predictor}; one of {', '.join(found)} is accepted"
            )
        settings = parse_settings(EngineSettings, [], program="modelserve pipeline")  # the environment's
        model: FolderModel = found[self._predictor].load()(self._predictor, self._folder, settings)
        model.start()
        return model
