"""What becomes of a change of an InferenceService that has a policy: a new model has no calls at first.

KServe 0.20 gives a new revision all calls as soon as it is ready, unless ``canaryTrafficPercent`` came in the
same change. Git does not write that field, and nobody can write it a moment before or after.
"""

from __future__ import annotations

from typing import Any

from modelserve.canary.rollout.fingerprint import FIELD, Ignored, fingerprint
from modelserve.canary.rollout.inference_service import predictor_status
from modelserve.canary.rollout.objects import MANAGER, Object

_PATH = f"/spec/predictor/{FIELD}"


def operations(old: Object, new: Object, *, manager: str, ignored: Ignored) -> list[dict[str, Any]]:
    """What is to be changed of a change, as JSON Patch.

    A new model has no calls, whatever share its writer gave it or the one before it has: it was not judged.
    The share of what is there already is its owner's, ``canary``: others keep their hands off, most of all
    those who do not know of it, as a Git whose manifests do not have the field.

    Args:
        old: the InferenceService as it is.
        new: as it is to be.
        manager: the field manager of whoever changes it.
        ignored: what makes no revision.
    """
    if not _has_stable_revision(old) or new["metadata"].get("deletionTimestamp"):
        return []
    wanted = new["spec"]["predictor"].get(FIELD)
    if fingerprint(old, ignored) != fingerprint(new, ignored):
        return _to(0, wanted)
    if manager == MANAGER:
        return []
    return _to(old["spec"]["predictor"].get(FIELD), wanted)


def _to(share: int | None, wanted: int | None) -> list[dict[str, Any]]:
    if share == wanted:
        return []
    if share is None:
        return [{"op": "remove", "path": _PATH}]
    return [{"op": "add", "path": _PATH, "value": share}]


def _has_stable_revision(service: Object) -> bool:
    """Whether a revision has had all calls: before that KServe gives them to the first one in any case."""
    return bool(predictor_status(service).get("latestRolledoutRevision"))
