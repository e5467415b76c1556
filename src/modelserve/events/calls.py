"""What a logged call says once its payloads are read, whichever protocol it came by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.float32]
"""A normalised image, [3, height, width]."""


class Entity(NamedTuple):
    """A name in a text; ``start`` and ``end`` count Unicode code points."""

    type: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """What an image was taken for, best first.

    ``probability``, float32 [classes], and ``embedding``, float32 [d], are there where the caller asked
    for them.
    """

    labels: Sequence[str]
    scores: Sequence[float]
    probability: npt.NDArray[np.float32] | None = None
    embedding: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """What every call says; ``revision`` and ``model_digest`` are None in answers of V1."""

    model: str | None
    revision: str | None
    model_digest: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class TextCall(_Call):
    """Texts, and the entities found in each."""

    texts: Sequence[str]
    entities: Sequence[Sequence[Entity]]


@dataclass(frozen=True, slots=True)
class ImageCall(_Call):
    """Images, encoded or as pixels, and what each was taken for."""

    images: Sequence[bytes | Pixels]
    classes: Sequence[Classification]


Call: TypeAlias = "TextCall | ImageCall"
