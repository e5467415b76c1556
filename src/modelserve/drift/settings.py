"""Settings of drift detection, the same for a file on this machine and for a cluster's detector."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings
from typing_extensions import Self

from modelserve.drift.correction import Correction
from modelserve.drift.detectors import available_detectors, named_detectors
from modelserve.drift.judging import AlarmRule, Judge
from modelserve.settings import CONFIGURATION


class DriftSettings(BaseSettings):
    """When a window is full, what differs in it, and when that is an alarm."""

    model_config = CONFIGURATION

    window_samples: int = Field(200, ge=10, description="Texts or images of a window.")
    window_seconds: float = Field(
        3600.0, gt=0, description="After which a window is closed and judged with what it has."
    )
    detectors: str = Field(
        "",
        description="Tests by name, separated by commas; empty takes one for each kind of feature. Names: "
        "kolmogorov_smirnov, cramer_von_mises, chi_squared, fisher, and with alibi-detect mmd and lsdd.",
    )
    alpha: float = Field(
        0.01, gt=0, lt=1, description="Share of windows called drifted where nothing has changed."
    )
    correction: Correction = Field(
        Correction.FDR, description="For the number of features: fdr (Benjamini-Hochberg) or bonferroni."
    )
    min_samples: int = Field(
        50, ge=10, description="Fewest samples, in the window and the baseline, to compare a feature."
    )
    min_effect: float = Field(
        0.1, ge=0, le=1, description="Least effect, from 0 to 1, that counts as drift however certain it is."
    )
    alarm_needed: int = Field(2, ge=1, description="Drifted windows that raise an alarm ...")
    alarm_of: int = Field(3, ge=1, description="... of so many of the last ones.")

    @field_validator("detectors")
    @classmethod
    def _check_detectors(cls, names: str) -> str:
        if names and not named_detectors(_split(names)):
            raise ValueError(f"detectors is {names[:40]!r}, which names none; names or nothing are accepted")
        return names

    @model_validator(mode="after")
    def _check_alarm(self) -> Self:
        if self.alarm_needed > self.alarm_of:
            raise ValueError(
                f"alarm_needed is {self.alarm_needed}; at most alarm_of, {self.alarm_of}, is accepted"
            )
        return self

    def judge(self) -> Judge:
        """The judge of these settings."""
        chosen = named_detectors(_split(self.detectors)) if self.detectors else available_detectors()
        return Judge(
            chosen,
            alpha=self.alpha,
            correction=self.correction,
            min_samples=self.min_samples,
            min_effect=self.min_effect,
        )

    def alarm_rule(self) -> AlarmRule:
        """When an alarm is up."""
        return AlarmRule(needed=self.alarm_needed, of=self.alarm_of)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
