"""What the models of this package answer, checked as strictly as they write it.

All functions raise ValueError, TypeError or KeyError of anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelserve.events.calls import Classification, Entity
from modelserve.protocol.messages import InferenceResponse, Tensor


def entities(found: Any) -> list[Entity]:
    """The entities of a text, of parsed JSON."""
    return [_entity(one) for one in _list(found)]


def classification(labels: Any, scores: Any) -> Classification:
    """What an image was taken for, of parsed JSON: as many scores as labels, and at least one."""
    names = [_string(label) for label in _list(labels)]
    shares = [_share(score) for score in _list(scores)]
    if not names or len(names) != len(shares):
        raise ValueError(f"{len(names)} labels with {len(shares)} scores")
    return Classification(names, shares)


def classifications(response: InferenceResponse, count: int) -> list[Classification]:
    """What each image was taken for, of V2's outputs; callers may have chosen other ones than usual.

    Args:
        response: the answer.
        count: of the images.
    """
    tensors = [response.output(name) for name in ("label", "score", "probability", "embedding")]
    if all(tensor is None for tensor in tensors):
        raise ValueError("none of a classifier's outputs")
    labels, scores, probability, embedding = (_rows(tensor, count) for tensor in tensors)
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} with scores {scores.shape}")
    return [
        Classification(
            () if labels is None else [label.decode() for label in labels[place].tolist()],
            () if scores is None else scores[place].tolist(),
            None if probability is None else probability[place],
            None if embedding is None else embedding[place],
        )
        for place in range(count)
    ]


def _rows(tensor: Tensor | None, count: int) -> Any:
    """The array of an output, with a row for each image."""
    if tensor is None:
        return None
    array = tensor.array
    expected = "BYTES" if tensor.name == "label" else "FP32"
    if tensor.datatype != expected or array.ndim != 2 or len(array) != count or not array.size:
        raise ValueError(f"{tensor.name} of {tensor.datatype} {tensor.shape} for {count} images")
    if tensor.name == "embedding" and not np.isfinite(array).all():
        raise ValueError("an embedding with values that are not finite")
    if tensor.name in ("score", "probability") and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"{tensor.name} with values that are no numbers from 0 to 1")
    return array


def _entity(one: Any) -> Entity:
    start, end = one["start"], one["end"]
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise ValueError(f"a span from {start!r} to {end!r}")
    return Entity(_string(one["type"]), _string(one["text"]), start, end, _share(one["score"]))


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} instead of a list")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of a string")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"a score of {value!r}, which is no number from 0 to 1")
    return float(value)
