"""AdmissionReview v1, in and out (admission.k8s.io)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from modelserve.canary.rollout.objects import Object
from modelserve.errors import ModelServeError


class NoReview(ModelServeError):
    """What was sent is no AdmissionReview of a change; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that the API server asks about.

    Attributes:
        uid: of the question.
        old: the object as it is.
        new: as it is to be.
        manager: the field manager of whoever changes it; empty where it names none.
    """

    uid: str
    old: Object
    new: Object
    manager: str

    @property
    def name(self) -> tuple[str, str]:
        """The namespace and name of what is changed."""
        return self.new["metadata"]["namespace"], self.new["metadata"]["name"]


def review(body: bytes, decide: Callable[[Change], list[dict[str, Any]]]) -> bytes:
    """The answer to a review: it is always allowed, changed by what is decided.

    Args:
        body: of the request.
        decide: from a change to JSON Patch operations.

    Raises:
        NoReview: it is none.
    """
    try:
        request = orjson.loads(body)["request"]
        change = Change(
            uid=request["uid"],
            old=request["oldObject"],
            new=request["object"],
            manager=(request.get("options") or {}).get("fieldManager", ""),
        )
        patch = decide(change)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoReview(f"an AdmissionReview of an updated InferenceService is accepted: {error!r}") from error
    response: dict[str, Any] = {"uid": change.uid, "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(orjson.dumps(patch)).decode()
    answer = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return orjson.dumps(answer)
