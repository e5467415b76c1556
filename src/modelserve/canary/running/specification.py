"""What people write of a canary, in a file for the command line: its steps and checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError

from modelserve.canary.judge.policy import (
    USUAL_CONFIDENCE,
    USUAL_ERRORS,
    USUAL_LABELS,
    OnInconclusive,
    Policy,
    ShareLimits,
    SlowdownLimits,
    WarmUp,
)
from modelserve.canary.running.plan import Plan, Step
from modelserve.errors import ModelServeError
from modelserve.written import Written, first_mistake

_USUAL = Policy()


class SpecificationError(ModelServeError):
    """A specification that is none; the message says where, and what is accepted."""


class StepSpecification(Written):
    """A share of the calls."""

    percent: int
    least_seconds: float = 60.0
    most_seconds: float = 1800.0


class Checks(Written):
    """What a canary is judged by.

    Those that hold where nothing is said are left out by their names: ``kubectl apply`` drops a null.
    """

    errors: ShareLimits = USUAL_ERRORS
    latency: list[SlowdownLimits] = list(_USUAL.latency)
    labels: ShareLimits = USUAL_LABELS
    confidence: ShareLimits = USUAL_CONFIDENCE
    shadow: ShareLimits | None = _USUAL.shadow
    drift: bool = _USUAL.drift
    disabled: list[Literal["errors", "latency", "labels", "confidence"]] = []


class Specification(Written):
    """A canary's steps, its checks, and what to do when in doubt."""

    steps: Annotated[list[StepSpecification], Field(min_length=1)] = [
        StepSpecification(percent=percent) for percent in (10, 25, 50)
    ]
    look_seconds: float = 10.0
    ready_seconds: float = 600.0
    alpha: float = _USUAL.alpha
    pass_error: float = _USUAL.pass_error
    least_requests: int = _USUAL.least_requests
    warm_up: WarmUp = _USUAL.warm_up
    on_inconclusive: OnInconclusive = _USUAL.on_inconclusive
    checks: Checks = Checks()

    def plan(self) -> Plan:
        """The steps.

        Raises:
            ValueError: they are none that can be taken.
        """
        steps = [Step(one.percent, one.least_seconds, one.most_seconds) for one in self.steps]
        return Plan(steps, self.look_seconds, self.ready_seconds)

    def policy(self) -> Policy:
        """What the canary is judged by.

        Raises:
            ValueError: limits that are none.
        """
        checks, disabled = self.checks, self.checks.disabled
        return Policy(
            alpha=self.alpha,
            pass_error=self.pass_error,
            least_requests=self.least_requests,
            errors=None if "errors" in disabled else checks.errors,
            latency=() if "latency" in disabled else tuple(checks.latency),
            labels=None if "labels" in disabled else checks.labels,
            confidence=None if "confidence" in disabled else checks.confidence,
            shadow=checks.shadow,
            drift=checks.drift,
            warm_up=self.warm_up,
            on_inconclusive=self.on_inconclusive,
        )


SpecificationT = TypeVar("SpecificationT", bound=Specification)


def specification(value: object) -> Specification:
    """What was written, whole and meaningful.

    Raises:
        SpecificationError: it is not.
    """
    return validated(Specification, value)


def validated(form: type[SpecificationT], value: object) -> SpecificationT:
    """What was written, in a form that has more than a specification has.

    Raises:
        SpecificationError: it is not.
    """
    try:
        found = form.model_validate(value)
        found.plan()
        found.policy()
    except ValidationError as error:
        raise SpecificationError(first_mistake(error, "the specification")) from error
    except ValueError as error:
        raise SpecificationError(str(error)) from error
    return found


def read_specification(path: Path) -> Specification:
    """A file's, in YAML or JSON.

    Raises:
        SpecificationError: it cannot be read, or is none.
    """
    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SpecificationError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path} is no YAML: {error}") from error
    try:
        return specification({} if value is None else value)
    except SpecificationError as error:
        raise SpecificationError(f"{path}: {error}") from error
