"""Whether a window's samples differ from a baseline's, feature by feature. Values in, values out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from modelserve.drift.correction import Correction, correct
from modelserve.drift.detectors import Comparison, Detector
from modelserve.drift.table import Column, Table
from modelserve.drift.verdicts import FeatureVerdict, Outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one window; ``reason`` is why there is no verdict."""

    outcome: Outcome
    features: Sequence[FeatureVerdict] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares two tables.

    Args:
        detectors: those of a feature's kind all compare it.
        alpha: the share of features falsely called drifted (``fdr``), or the chance of any (``bonferroni``).
            Where nothing has changed both are the chance that a window is called drifted.
        correction: for the number of comparisons of one window.
        min_samples: of each side, below which a feature is not compared.
        min_effect: below which a difference does not count, however certain it is; of large samples the
            smallest differences are.
    """

    detectors: Sequence[Detector]
    alpha: float = 0.01
    correction: Correction = Correction.FDR
    min_samples: int = 50
    min_effect: float = 0.1

    def judge(self, window: Table, baseline: Table) -> Judgement:
        """Compare every feature of which both sides have enough, if one version of features told both."""
        if window.version != baseline.version:
            return Judgement(
                Outcome.NO_VERDICT,
                reason=f"the window's features are of version {window.version}, the baseline's of "
                f"{baseline.version}; those of one version are compared: `modelserve drift reference` makes "
                "a reference anew",
            )
        compared = self._comparisons(window, baseline)
        if not compared:
            return Judgement(
                Outcome.NO_VERDICT,
                reason=f"no feature has {self.min_samples} samples in the window ({window.size}) and in the "
                f"baseline ({baseline.size}) that a detector compares",
            )
        corrected = correct([comparison.p_value for *_, comparison in compared], self.correction)
        features = [
            FeatureVerdict(
                feature=name,
                detector=detector.name,
                statistic=comparison.statistic,
                p_value=comparison.p_value,
                corrected_p_value=p_value,
                effect=comparison.effect,
                baseline_size=sizes[0],
                window_size=sizes[1],
                drifted=p_value < self.alpha and comparison.effect >= self.min_effect,
            )
            for (name, detector, sizes, comparison), p_value in zip(compared, corrected, strict=True)
        ]
        features.sort(key=lambda found: (found.drifted, found.effect), reverse=True)
        drifted = any(found.drifted for found in features)
        return Judgement(Outcome.DRIFT if drifted else Outcome.STEADY, features)

    def _comparisons(
        self, window: Table, baseline: Table
    ) -> list[tuple[str, Detector, tuple[int, int], Comparison]]:
        found: list[tuple[str, Detector, tuple[int, int], Comparison]] = []
        for name, kind in {**baseline.kinds, **window.kinds}.items():
            # Of another make of features than the baseline's: nothing to compare.
            if baseline.kinds.get(name, kind) is not kind:
                continue
            old, new = baseline.known(name, kind), window.known(name, kind)
            if min(len(old), len(new)) < self.min_samples or old.shape[1:] != new.shape[1:]:
                continue
            sizes = (len(old), len(new))
            found.extend(
                (name, detector, sizes, comparison)
                for detector in self.detectors
                if detector.kind is kind and (comparison := _compare(detector, name, old, new)) is not None
            )
        return found


def _compare(detector: Detector, name: str, baseline: Column, window: Column) -> Comparison | None:
    """None, and a line in the log, where the detector cannot compare such samples: the others go on."""
    try:
        return detector.compare(baseline, window)
    except ValueError as error:
        logger.warning("%s does not compare %s: %s", detector.name, name, error)
    except Exception:
        # A detector may be anybody's: one that fails is to hold up neither the others nor the next windows.
        logger.exception("%s fails on %s", detector.name, name)
    return None


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """An alarm is up while ``needed`` of the last ``of`` verdicts on a source said drift.

    A single window may be called drifted by chance, or by a burst that is over; windows without a verdict
    say nothing either way.
    """

    needed: int
    of: int

    def is_up(self, before: Sequence[Outcome], outcome: Outcome) -> bool:
        """Whether the alarm is up after a verdict.

        Args:
            before: what was said of the source against the same baseline, the oldest first.
            outcome: what is said now.
        """
        said = [one for one in (*before, outcome) if one is not Outcome.NO_VERDICT]
        return said[-self.of :].count(Outcome.DRIFT) >= self.needed
