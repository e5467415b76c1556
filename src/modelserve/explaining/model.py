"""A served model that explains what a predictor answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from kserve.errors import InferenceError
from kserve.errors import InvalidInput as KServeInvalidInput

from modelserve.concurrency import seconds_left, together
from modelserve.errors import DeadlineExceeded, InvalidInput, NotFound, RequestError, TooLarge
from modelserve.exchange import Exchange
from modelserve.execution import Timeline, on_decoders, on_encoders
from modelserve.explaining.asking import TOO_LATE, Asking, Link
from modelserve.explaining.explainer import AnyExplainer, ExplainExchange
from modelserve.explaining.settings import ExplainerSettings
from modelserve.protocol.checks import check_parameters
from modelserve.remote.model import RemoteModel
from modelserve.remote.opening import open_predictor

AnswerT = TypeVar("AnswerT")


class ExplainingModel(RemoteModel):
    """A served model behind which a predictor is asked what an ``Explainer`` has to know.

    Args:
        name: of the model, here and at the predictor.
        explainer: what is asked.
        settings: where the predictor is, and the limits.
        version: in the URL and in metadata.
    """

    def __init__(
        self, name: str, explainer: AnyExplainer, settings: ExplainerSettings, *, version: str = "1"
    ) -> None:
        super().__init__(name, settings, version=version)
        self._explainer = explainer
        self._settings = settings
        self._link: Link | None = None

    async def _disconnect(self) -> None:
        if self._link is not None:
            await self._link.predictor.close()
            self._link = None

    @property
    def codec(self) -> AnyExplainer:
        """The explainer; nothing has to be loaded for it."""
        return self._explainer

    async def explain(self, payload: dict[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        """Answer a call of ``:explain`` that KServe's own server has decoded."""
        instances = payload.get("instances", payload.get("inputs"))
        try:
            if not isinstance(instances, list):
                raise InvalidInput('the body must be {"instances": [...]}')
            return await self.answer(
                ExplainExchange(
                    lambda: (instances, check_parameters(payload.get("parameters"), owner="the request")),
                    lambda explanations: {"explanations": explanations},
                    model=self.name,
                )
            )
        except (InvalidInput, TooLarge, NotFound) as error:
            raise KServeInvalidInput(str(error)) from error
        except RequestError as error:
            raise InferenceError(str(error)) from error

    async def _answer_by(
        self, exchange: Exchange[AnswerT], timeline: Timeline, deadline: float | None
    ) -> AnswerT:
        try:
            return await asyncio.wait_for(self._explain(exchange, timeline, deadline), seconds_left(deadline))
        except asyncio.TimeoutError as error:
            raise DeadlineExceeded(TOO_LATE) from error

    async def _explain(
        self, exchange: Exchange[AnswerT], timeline: Timeline, deadline: float | None
    ) -> AnswerT:
        explainer, link, began = self._explainer, self._reach(), time.time_ns()
        call = await on_decoders(lambda: exchange.decode(explainer))
        asked = time.time_ns()
        timeline.phases.append(("preprocess", began, asked))
        results = await together(
            explainer.explain(
                item,
                position,
                call.options,
                Asking(link, most=call.options.evaluations, deadline=deadline),
            )
            for position, item in enumerate(call.items)
        )
        answered = time.time_ns()
        timeline.phases.append(("predictor", asked, answered))
        timeline.labels, timeline.scores = explainer.predictions(results)
        answer = await on_encoders(lambda: exchange.encode(explainer, results, call, parameters={}))
        timeline.phases.append(("postprocess", answered, time.time_ns()))
        return answer

    def _reach(self) -> Link:
        if self._link is None:
            settings = self._settings
            self._link = Link(
                open_predictor(settings),
                self.name,
                asyncio.Semaphore(settings.requests_at_once),
                settings.request_items,
            )
        return self._link
