"""What all checks find together, and the verdict: healthy, faulty or not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from modelserve.doctor.checks import dns, platform, rights, services
from modelserve.doctor.components import SERVICES
from modelserve.doctor.facts import Facts
from modelserve.doctor.findings import UNDECIDED, Code, Finding


class Verdict(str, Enum):
    """What is known of the health of what was asked about."""

    HEALTHY = "healthy"
    FAULTY = "faulty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, and what was found.

    Attributes:
        namespace: that was looked at.
        services: names of the InferenceServices in it that were looked at.
        findings: what concerns all services first.
    """

    namespace: str
    services: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Faulty where there is a fault; unknown where something was not seen, or is on its way."""
        codes = {one.code for one in self.findings}
        if codes - UNDECIDED:
            return Verdict.FAULTY
        return Verdict.UNKNOWN if codes else Verdict.HEALTHY


def diagnose(facts: Facts) -> Diagnosis:
    """Find what is wrong in what was read."""
    found: list[Finding] = [*platform.check(facts), *dns.check(facts)]
    asked = [
        one
        for one in facts.of(SERVICES, facts.namespace)
        if facts.name is None or one["metadata"]["name"] == facts.name
    ]
    is_down = platform.is_stopped(found)
    if SERVICES not in facts.absent and (missing := services.absent(facts)):
        found.append(missing)
    for service in asked:
        found += services.check(facts, service, is_platform_down=is_down)
    found += rights.check(facts)
    return Diagnosis(
        facts.namespace,
        tuple(sorted(one["metadata"]["name"] for one in asked)),
        tuple(_causes(found)),
    )


def _causes(found: Sequence[Finding]) -> list[Finding]:
    """Without what follows from a DNS that is down: stores that are not found by their names."""
    is_deaf = any(one.code is Code.DNS_DOWN for one in found)
    return [one for one in found if not (is_deaf and one.code is Code.STORAGE_AWAY)]
