"""What is asked of a canary: how much worse is tolerated, what is too much, and how sure one has to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class OnInconclusive(str, Enum):
    """What a step does whose deadline passes without a verdict."""

    ROLL_BACK = "rollback"
    HOLD = "hold"
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """How far a share may be from the stable revision's, as a difference: 0.01 is one percentage point.

    Attributes:
        tolerated: the canary fails when it is proven to be farther.
        limit: the canary passes when it is proven to be nearer; above ``tolerated``.
    """

    tolerated: float
    limit: float

    def __post_init__(self) -> None:
        if not 0 <= self.tolerated < self.limit < 1:
            raise ValueError(
                f"a tolerated difference of {self.tolerated:g} and a limit of {self.limit:g}: the first "
                "must be at least 0 and below the second, and that below 1"
            )


@dataclass(frozen=True, slots=True)
class SlowdownLimits:
    """How much slower a quantile of the latency may be, as a factor.

    Attributes:
        quantile: above 0 and below 1.
        tolerated: the canary fails when it is proven to be slower.
        limit: the canary passes when it is proven to be faster than that; above ``tolerated``.
    """

    quantile: float
    tolerated: float
    limit: float

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"a quantile of {self.quantile:g}: it must be above 0 and below 1")
        if not 1 <= self.tolerated < self.limit:
            raise ValueError(
                f"a tolerated slowdown of {self.tolerated:g} and a limit of {self.limit:g}: the first "
                "must be at least 1 and below the second"
            )

    @property
    def check(self) -> str:
        """The check's name, as ``latency_p95``."""
        return f"latency_p{100 * self.quantile:g}"


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What is left out of every pod: until it has been seen for so long, and has answered so much.

    A pod's first reading is where its counts start: what it did before nobody saw side by side.
    """

    seconds: float = 60.0
    requests: int = 20

    def __post_init__(self) -> None:
        if not (self.seconds >= 0 and self.requests >= 0):
            raise ValueError(
                f"a warm-up of {self.seconds:g} s and {self.requests} requests: neither may be below 0"
            )


USUAL_ERRORS = ShareLimits(0.0005, 0.01)
USUAL_LABELS = ShareLimits(0.03, 0.08)
USUAL_CONFIDENCE = ShareLimits(0.05, 0.15)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a canary is judged by; a check that is None or empty is not asked.

    Attributes:
        alpha: the chance that a canary within everything that is tolerated is called worse, at any look of
            any check, drift's alarms apart.
        pass_error: the chance that a canary beyond any one limit is called good enough at a given look.
        least_requests: to the canary, warm, before it may pass.
        errors: of the share of requests that fail.
        latency: by quantiles; the tail has a check of its own.
        labels: of each label's share of the predictions.
        confidence: of the share of predictions below the stable revision's median score.
        shadow: of the share of calls that the canary answers differently; not a difference, but as it is.
        drift: an alarm for the canary alone fails it.
        warm_up: what is left out.
        on_inconclusive: what a step does at its deadline.
    """

    alpha: float = 0.01
    pass_error: float = 0.05
    least_requests: int = 100
    errors: ShareLimits | None = USUAL_ERRORS
    latency: Sequence[SlowdownLimits] = (
        SlowdownLimits(0.5, 1.05, 1.2),
        SlowdownLimits(0.95, 1.05, 1.2),
        SlowdownLimits(0.99, 1.1, 1.5),
    )
    labels: ShareLimits | None = USUAL_LABELS
    confidence: ShareLimits | None = USUAL_CONFIDENCE
    shadow: ShareLimits | None = None
    drift: bool = False
    warm_up: WarmUp = WarmUp()
    on_inconclusive: OnInconclusive = OnInconclusive.ROLL_BACK

    def __post_init__(self) -> None:
        for name, chance in (("alpha", self.alpha), ("pass_error", self.pass_error)):
            if not 0 < chance < 1:
                raise ValueError(f"{name} is {chance:g}; it must be above 0 and below 1")
        if self.least_requests < 0:
            raise ValueError(f"least_requests is {self.least_requests}; it must be at least 0")

    def alphas(self) -> dict[str, float]:
        """Each check's part of alpha, by its name.

        By Bonferroni's inequality the chances of all add up to at most alpha, however the checks depend on
        each other. What is found soonest by few calls gets more.
        """
        weights: dict[str, float] = {}
        if self.errors is not None:
            weights["errors"] = 3
        for quantile in self.latency:
            weights[quantile.check] = 3 / len(self.latency)
        for name, limits in (
            ("labels", self.labels),
            ("confidence", self.confidence),
            ("shadow", self.shadow),
        ):
            if limits is not None:
                weights[name] = 2 if name == "labels" else 1
        return {name: self.alpha * weight / sum(weights.values()) for name, weight in weights.items()}
