"""What is said of a canary, and how the verdicts of several checks become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """What the measurements come to, from the best to the worst."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAIL = "fail"


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts.

    Proven harm is worse than an error, as more measurements do not mend it. Of nothing, nothing is known:
    it is inconclusive and no pass.
    """
    return max(verdicts, key=_ORDER.index, default=Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to.

    Attributes:
        check: its name, as the policy has it.
        verdict: of this check alone.
        reason: a sentence for people, with the numbers.
    """

    check: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """All findings of one look; what is worst comes first."""

    findings: Sequence[Finding]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Judgement:
        """Sort findings; equally bad ones keep their order."""
        return cls(tuple(sorted(findings, key=lambda found: -_ORDER.index(found.verdict))))

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings'."""
        return worst(found.verdict for found in self.findings)

    @property
    def reasons(self) -> Sequence[str]:
        """The sentences of the findings that make the verdict."""
        return tuple(found.reason for found in self.findings if found.verdict is self.verdict)
