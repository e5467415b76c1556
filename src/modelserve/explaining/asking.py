"""What one explanation asks of the predictor: counted, in time, and of one model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from modelserve.concurrency import seconds_left, together
from modelserve.errors import DeadlineExceeded, PredictorFailed, Unavailable
from modelserve.execution import on_decoders
from modelserve.explaining.owen import Masks, OwenSearch, Values
from modelserve.explaining.partition import Partition
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters
from modelserve.remote import Predictor

ResultT = TypeVar("ResultT")

TOO_LATE = "the caller's deadline passed while its call was explained; a smaller max_calls takes less time"

_SHARE = 8
"""Into how many rounds the evaluations are divided: the fewer in a round, the better each is chosen."""


@dataclass(frozen=True, slots=True)
class Link:
    """The way to a predictor, shared by the calls of an explainer.

    ``model`` is its name there; ``places`` are for requests in progress; ``request_items`` is the most
    variations in one of them.
    """

    predictor: Predictor
    model: str
    places: asyncio.Semaphore
    request_items: int


@dataclass(frozen=True, slots=True)
class Contributions:
    """What was found out about one text or image.

    ``without`` and ``shown`` are the answers to nothing and to the whole, [outputs]; ``values`` are
    what each feature contributes to their difference, [outputs, features]. Where it is not complete,
    features that were not told apart have equal values.
    """

    without: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    is_complete: bool


class Asking:
    """The asking for one text or image.

    Args:
        link: to the predictor.
        most: evaluations, which are variations that the predictor is sent.
        deadline: of the call, by ``time.monotonic``; None where there is none.
    """

    def __init__(self, link: Link, *, most: int, deadline: float | None) -> None:
        self.model = link.model
        self._link, self._most, self._deadline = link, most, deadline
        self.evaluations = 0
        self._answered: Parameters | None = None

    @property
    def answered(self) -> Parameters:
        """What is known of the predictor, by its first answer: ``model_digest``, ``predictor_revision``."""
        found = self._answered or {}
        told = {"model_digest": found.get("model_digest"), "predictor_revision": found.get("revision")}
        return {name: value for name, value in told.items() if value is not None}

    async def ask(self, request: InferenceRequest, *, items: int) -> InferenceResponse:
        """Send one request of that many variations.

        Raises:
            DeadlineExceeded: the caller's deadline has passed.
            Unavailable: another model answers than before.
            RequestError: the predictor refuses or fails.
        """
        self.evaluations += items
        async with self._link.places:
            left = seconds_left(self._deadline)
            if left is not None and left <= 0:
                raise DeadlineExceeded(TOO_LATE)
            response = await self._link.predictor.infer(request, timeout_seconds=left)
        if self._answered is None:
            self._answered = response.parameters
        elif response.parameters.get("model_digest") != self._answered.get("model_digest"):
            raise Unavailable(
                "the predictor's model changed while it was asked, as it does while a new one is rolled out; "
                "try again"
            )
        return response

    async def explain(
        self,
        partition: Partition,
        shown: npt.NDArray[np.float64],
        *,
        vary: Callable[[Masks], InferenceRequest],
        read: Callable[[InferenceResponse, Masks], Values],
    ) -> Contributions:
        """Find out what each feature contributes to the predictor's answer to the whole.

        ``vary`` and ``read`` run on threads.

        Args:
            partition: of the features.
            shown: the answer to the whole, [outputs].
            vary: makes a request of variations.
            read: the outputs of each variation from the answer to that request.

        Raises:
            RequestError: as ``ask`` does, or ``read``.
        """

        async def evaluate(masks: Masks) -> Values:
            request = await on_decoders(lambda: vary(masks))
            response = await self.ask(request, items=len(masks))
            values = await on_decoders(lambda: read(response, masks))
            if not np.isfinite(values).all():
                raise PredictorFailed("the predictor's scores are no finite numbers")
            return values

        async def evaluate_all(masks: Masks) -> Values:
            size = self._link.request_items
            parts = [masks[start : start + size] for start in range(0, len(masks), size)]
            return np.concatenate(await together(evaluate(part) for part in parts))

        (without,) = await evaluate(np.zeros((1, len(partition.members)), np.bool_))
        search = OwenSearch(partition, without, shown)
        of_a_round = max(2, self._link.request_items, self._most // _SHARE)
        while len(masks := search.ask(min(of_a_round, self._most - self.evaluations))):
            search.tell(await evaluate_all(masks))
        return Contributions(without, shown, search.contributions(), search.is_complete)
