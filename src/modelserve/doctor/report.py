"""A diagnosis for people, and for programs."""

from __future__ import annotations

from typing import Any

from modelserve.doctor.diagnosis import Diagnosis, Verdict


def text_of(diagnosis: Diagnosis) -> str:
    """Two lines for each finding, and one for all where there is none."""
    lines = []
    for one in diagnosis.findings:
        lines += [f"{one.code.value}: {one.about}: {one.wrong}", f"  To mend it: {one.mend}"]
    if diagnosis.verdict is Verdict.HEALTHY:
        looked = ", ".join(diagnosis.services) or "no InferenceService"
        lines.append(f"Nothing is wrong with the platform and {looked} in {diagnosis.namespace}.")
    return "\n".join(lines)


def json_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """The form that ``diagnosis.schema.json`` describes."""
    return {
        "verdict": diagnosis.verdict.value,
        "namespace": diagnosis.namespace,
        "services": list(diagnosis.services),
        "findings": [
            {
                "code": one.code.value,
                "about": one.about,
                "wrong": one.wrong,
                "mend": one.mend,
                "still_serving": one.still_serving,
            }
            for one in diagnosis.findings
        ],
    }
