"""Kubernetes' selectors of labels."""

from __future__ import annotations

from collections.abc import Mapping

from modelserve.doctor.facts import Object


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a selector takes these labels; an empty one takes all."""
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    is_in = labels.get(key) in (expression.get("values") or [])
    return is_in if operator == "In" else not is_in
