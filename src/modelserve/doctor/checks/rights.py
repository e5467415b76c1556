"""What the one who asks may not read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from modelserve.doctor.facts import Facts
from modelserve.doctor.findings import Code, Finding


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all that is refused: what is not seen cannot be called healthy."""
    if not facts.refused:
        return
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in sorted(facts.refused):
        places[one.verb, one.namespace].append(one.resource)
    said = [
        f"{verb} {', '.join(resources)} {f'in {namespace}' if namespace else 'of the cluster'}"
        for (verb, namespace), resources in places.items()
    ]
    yield Finding(
        Code.RIGHTS_MISSING,
        "the account of this command",
        f"It may not {'; nor '.join(said)}.",
        "Bind it to the ClusterRole modelserve-doctor (inferenceservices/components/rbac).",
    )
