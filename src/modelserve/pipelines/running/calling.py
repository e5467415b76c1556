"""Does the work of steps: asks models and calls functions, and tries again what may pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from modelserve.concurrency import together
from modelserve.errors import DeadlineExceeded, ModelServeError, Overloaded
from modelserve.pipelines.course import Outcome, Status, Work
from modelserve.pipelines.definition.expressions import Json
from modelserve.pipelines.definition.models import Model, Retry, Step
from modelserve.pipelines.functions import find_function
from modelserve.pipelines.running.asking import PASSING, Asker
from modelserve.pipelines.running.v2 import from_v2, to_v2


class Reach(Protocol):
    """Finds who is asked for a model."""

    def asker(self, name: str, model: Model) -> Asker:
        """See ``modelserve.pipelines.running.reaching.Models.asker``."""


class FunctionFailed(ModelServeError):
    """A function refused what it was given, or has a mistake."""


class Caller:
    """``modelserve.pipelines.running.driver.Worker`` of one run.

    Args:
        models: of the pipeline, by name.
        reach: finds them.
        run_id: of the run; every try of a unit has the same key, in whichever process.
        jitter: a number from 0 to 1, anew each time; by it a pause is cut by at most its half, so that runs
            that failed together do not come again together.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        reach: Reach,
        run_id: str,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._models, self._reach, self._run_id, self._jitter = models, reach, run_id, jitter

    async def do(self, step: Step, work: Work, *, failed: Callable[[str, int], Outcome]) -> Outcome:
        """See ``Worker.do``."""
        tries = 0
        while True:
            tries += 1
            try:
                return Outcome(Status.SUCCEEDED, await self.once(step, work), tries=tries)
            except PASSING as error:
                if tries <= step.retry.limit:
                    await asyncio.sleep(pause_seconds(step.retry, tries, error, self._jitter()))
                    continue
                reason = str(error)
            except ModelServeError as error:
                reason = str(error)
            return await self.give_up(step, work, reason, tries, failed)

    async def once(self, step: Step, work: Work) -> Json:
        """One try: its output.

        Raises:
            ModelServeError: it failed; one of ``PASSING`` may pass.
        """
        return await _within(step, self._tried(step, work))

    async def give_up(
        self, step: Step, work: Work, reason: str, tries: int, failed: Callable[[str, int], Outcome]
    ) -> Outcome:
        """The outcome after the last try: the answer of another model, where there is one to ask.

        Args:
            step: the unit's.
            work: the unit.
            reason: why the last try failed.
            tries: that were made.
            failed: the outcome where no model is asked, or that fails too.
        """
        if step.fallback is None or step.fallback.model is None:
            return failed(reason, tries)
        try:
            output = await _within(step, self._ask(step.fallback.model, work, step.timeout_seconds))
        except ModelServeError as error:
            return failed(f"{reason}; its fallback: {error}", tries + 1)
        return Outcome(Status.FELL_BACK, output, reason, tries + 1)

    async def _tried(self, step: Step, work: Work) -> Json:
        if step.function is not None:
            return await asyncio.to_thread(_called, step.function, work.inputs)
        if step.model is not None:
            return await self._ask(step.model, work, step.timeout_seconds)
        names = step.models
        answers = await together(self._ask(name, work, step.timeout_seconds) for name in names)
        return dict(zip(names, answers, strict=True))

    async def _ask(self, name: str, work: Work, timeout_seconds: float) -> Json:
        asker = self._reach.asker(name, self._models[name])
        item = "" if work.unit.index < 0 else f"-{work.unit.index}"
        key = f"{self._run_id}-{work.unit.step}{item}-{name}"
        answer = await asker.ask(
            to_v2(work.inputs, work.parameters), key=key, timeout_seconds=timeout_seconds
        )
        return from_v2(answer)


def pause_seconds(retry: Retry, tries: int, error: Exception, jitter: float) -> float:
    """How long to wait before the next try.

    Args:
        retry: of the step.
        tries: that were made, at least one.
        error: of the last of them; a server that says when to come again is not asked before.
        jitter: from 0 to 1.
    """
    # In two parts: a factor to the power of a hundred tries is no number any more.
    growth = min(retry.factor ** min(tries - 1, 100), retry.max_seconds / retry.initial_seconds)
    pause = min(retry.initial_seconds * growth, retry.max_seconds) * (1 - jitter / 2)
    return max(pause, error.retry_after_seconds) if isinstance(error, Overloaded) else pause


async def _within(step: Step, work: Coroutine[Any, Any, Json]) -> Json:
    """One try, for as long as the step gives it.

    Raises:
        DeadlineExceeded: it took longer.
    """
    try:
        return await asyncio.wait_for(work, step.timeout_seconds)
    except asyncio.TimeoutError as error:
        raise DeadlineExceeded(f"no answer within {step.timeout_seconds:g} s") from error


def _called(name: str, arguments: Mapping[str, Json]) -> Json:
    function = find_function(name).call
    try:
        return function(**arguments)
    except Exception as error:
        # Whatever it is, it is the function's, and the run's failure has to say which.
        raise FunctionFailed(f"function {name}: {type(error).__name__}: {error}") from error
