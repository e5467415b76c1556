"""How often and how long Argo tries the pods of a compiled pipeline."""

from __future__ import annotations

import math
from typing import Any

from modelserve.pipelines.definition.models import Retry, Step

Object = dict[str, Any]

STARTING_SECONDS = 120
"""For a pod's start, beyond what the step itself is given: Argo's limit is only there for one that hangs."""

_LOST_PODS = 2
_TOO_LONG = 2**63
"""Nanoseconds, in which Argo counts a pause without seeing that there are too many."""

# 1 and 2 are the last word of a process that ended by itself.
_MAY_SUCCEED = "lastRetry.status == 'Error' || asInt(lastRetry.exitCode) not in [1, 2]"


def limits(step: Step) -> Object:
    """Tries and time of a pod that does a step or one of its items."""
    return {
        "activeDeadlineSeconds": math.ceil(step.timeout_seconds) + STARTING_SECONDS,
        "retryStrategy": {
            "limit": max(step.retry.limit, _LOST_PODS),
            "retryPolicy": "Always",
            "expression": _MAY_SUCCEED,
            "backoff": _backoff(step.retry),
        },
    }


def lost_pods() -> Object:
    """Tries of a pod that asks nobody: its node went, or it was moved or killed."""
    return {"retryStrategy": {"limit": _LOST_PODS, "retryPolicy": "Always", "expression": _MAY_SUCCEED}}


def _backoff(retry: Retry) -> Object:
    """Pauses between tries. Argo's ``maxDuration`` is of all tries together; ``cap`` is the longest pause."""
    first, longest = _milliseconds(retry.initial_seconds), _milliseconds(retry.max_seconds)
    factor = round(retry.factor)
    if first * 10**6 * factor**retry.limit >= _TOO_LONG:
        first, factor = longest, 1
    return {"duration": f"{first}ms", "factor": factor, "cap": f"{longest}ms"}


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
