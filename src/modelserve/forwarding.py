"""A served model that asks a predictor: what a transformer is.

A call is decoded, made into one or more of the predictor's, asked, and encoded from their answers. The
predictor's own batcher puts calls together; here each goes its own way.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from modelserve.concurrency import seconds_left, together
from modelserve.errors import DeadlineExceeded
from modelserve.exchange import Exchange
from modelserve.execution import Timeline, on_decoders, on_encoders
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters
from modelserve.remote import Predictor
from modelserve.remote.model import RemoteModel
from modelserve.remote.opening import open_predictor
from modelserve.settings import RemoteSettings
from modelserve.task import Call, Codec

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
OptionsT = TypeVar("OptionsT")

_CALLS_AT_ONCE = 4
"""The most calls to the predictor that one call makes at a time, so that a large one leaves room."""


class Transformation(Codec[ItemT, ResultT, OptionsT], Generic[ItemT, ResultT, OptionsT]):
    """What a transformer does to a call; ``fetch`` runs on the event loop, all else on threads."""

    async def fetch(self, call: Call[ItemT, OptionsT]) -> Call[ItemT, OptionsT]:
        """Get what the call only refers to.

        Raises:
            RequestError: it cannot be had.
        """
        return call

    @abstractmethod
    def requests(self, call: Call[ItemT, OptionsT], model: str) -> Sequence[InferenceRequest]:
        """The calls to the predictor's model of that name; none where nothing has to be asked.

        Raises:
            RequestError: whatever the caller has to be told.
        """

    @abstractmethod
    def results(
        self, call: Call[ItemT, OptionsT], responses: Sequence[InferenceResponse]
    ) -> Sequence[ResultT]:
        """The results of the call's items, from the answers in the order of the requests.

        Raises:
            PredictorFailed: an answer lacks what it should have.
        """


AnyTransformation = Transformation[Any, Any, Any]


class ForwardingModel(RemoteModel):
    """A served model behind which a predictor computes.

    Args:
        name: of the model, here and at the predictor.
        transformation: what is done to a call.
        settings: where the predictor is, and the limits.
        version: in the URL and in metadata.
    """

    def __init__(
        self,
        name: str,
        transformation: AnyTransformation,
        settings: RemoteSettings,
        *,
        version: str = "1",
    ) -> None:
        super().__init__(name, settings, version=version)
        self._transformation = transformation
        self._settings = settings
        self._predictor: Predictor | None = None

    async def _disconnect(self) -> None:
        if self._predictor is not None:
            await self._predictor.close()
            self._predictor = None

    @property
    def codec(self) -> AnyTransformation:
        """The transformation; nothing has to be loaded for it."""
        return self._transformation

    async def _answer_by(
        self, exchange: Exchange[AnswerT], timeline: Timeline, deadline: float | None
    ) -> AnswerT:
        transformation, began = self._transformation, time.time_ns()
        decoded = await on_decoders(lambda: exchange.decode(transformation))
        try:
            call = await asyncio.wait_for(transformation.fetch(decoded), seconds_left(deadline))
        except asyncio.TimeoutError as error:
            raise DeadlineExceeded(
                "the caller's deadline passed while what its call refers to was fetched"
            ) from error
        requests = await on_decoders(lambda: transformation.requests(call, self.name))
        asked = time.time_ns()
        timeline.phases.append(("preprocess", began, asked))
        responses = await self._ask(requests, deadline)
        answered = time.time_ns()
        timeline.phases.append(("predictor", asked, answered))

        def finish() -> AnswerT:
            results = transformation.results(call, responses)
            timeline.labels, timeline.scores = transformation.predictions(results)
            return exchange.encode(transformation, results, call, parameters=_passed_on(responses))

        answer = await on_encoders(finish)
        timeline.phases.append(("postprocess", answered, time.time_ns()))
        return answer

    async def _ask(
        self, requests: Sequence[InferenceRequest], deadline: float | None
    ) -> Sequence[InferenceResponse]:
        if self._predictor is None:
            self._predictor = open_predictor(self._settings)
        predictor, places = self._predictor, asyncio.Semaphore(_CALLS_AT_ONCE)

        async def ask(request: InferenceRequest) -> InferenceResponse:
            async with places:
                left = seconds_left(deadline)
                if left is not None and left <= 0:
                    raise DeadlineExceeded(
                        "the caller's deadline passed before its call reached the predictor"
                    )
                return await predictor.infer(request, timeout_seconds=left)

        return await together(ask(request) for request in requests)


def _passed_on(responses: Sequence[InferenceResponse]) -> Parameters:
    """What the caller is told of the predictor: its revision and weights, by the first answer.

    While a new revision is rolled out, the calls may be answered by different ones. Over many callers the
    shares of the revisions are still right, as a first answer is as good a sample as any.
    """
    if not responses:
        return {}
    found = responses[0].parameters
    told = {"model_digest": found.get("model_digest"), "predictor_revision": found.get("revision")}
    return {name: value for name, value in told.items() if value is not None}
