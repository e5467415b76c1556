"""Features of images and of what they were taken for."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelserve.drift.table import Value
from modelserve.errors import RequestError
from modelserve.events.calls import Classification, Pixels
from modelserve.images import IMAGENET_MEAN, IMAGENET_STD
from modelserve.pictures import Picture, look_at

MOST_PIXELS = 50_000_000
"""Of an image that is decoded, by its header."""

_SIDE = 256
"""Pixels of the longer side that is looked at: what a photograph shows is the same at any size above."""

_GRID = 8
_EXCERPT = 64
_LEAST_VARIANCE = 1e-6


class ImageFeatures:
    """What is told of an image.

    Of its answer: ``label``, ``confidence`` (of the best label), ``entropy`` in nats, ``model_embedding``
    where the caller had asked for it. Of the image: ``pixels`` and ``aspect`` (binary logarithms of width
    times height, and of width over height), ``brightness`` and ``contrast`` (mean and standard deviation of
    the luma, from 0 to 1), ``sharpness`` (decimal logarithm of the variance of its Laplacian) and
    ``thumbnail``, 8 by 8 colours. An image that cannot be decoded has the former alone.

    Args:
        preprocess_json: the model's, which tells how to undo the normalisation of pixels, ImageNet's where it
            does not name another; without the file nothing is told of images that came as pixels.

    Raises:
        ValueError: it is no such file.
    """

    def __init__(self, preprocess_json: bytes | None) -> None:
        self._normalisation = None if preprocess_json is None else _normalisation(preprocess_json)

    def examine(
        self, image: bytes | Pixels, found: Classification, *, shown: bool
    ) -> tuple[dict[str, Value], bytes | None]:
        """The features of one image and, where it is to be shown, a JPEG of at most 64 pixels."""
        row = _answer(found)
        try:
            seen = self._look_at(image)
        except RequestError:
            return row, None
        if seen is None:
            return row, None
        row["pixels"] = math.log2(seen.width * seen.height)
        row["aspect"] = math.log2(seen.width / seen.height)
        row.update(_seen(seen.small))
        return row, _excerpt(seen.small) if shown else None

    def _look_at(self, image: bytes | Pixels) -> Picture | None:
        if isinstance(image, bytes):
            return look_at(image, side=_SIDE, most_pixels=MOST_PIXELS)
        if self._normalisation is None:
            return None
        mean, std = self._normalisation
        with np.errstate(over="ignore"):  # callers may send any number, and the infinite is clipped as well
            colours = np.clip((image * std + mean) * 255, 0, 255).astype(np.uint8)
        whole = Image.fromarray(np.ascontiguousarray(colours.transpose(1, 2, 0)))
        small = whole.copy()
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
        return Picture(small, whole.width, whole.height)


def _normalisation(preprocess_json: bytes) -> tuple[Pixels, Pixels]:
    """Mean and standard deviation of each channel, [3, 1, 1]."""
    try:
        found = json.loads(preprocess_json)
    except ValueError as error:
        raise ValueError(f"preprocess.json cannot be used: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("preprocess.json cannot be used: it is no JSON object")
    mean, std = (
        _three_numbers(found.get(name, usual), name)
        for name, usual in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
    )
    if std.min() <= 0:
        raise ValueError("preprocess.json cannot be used: its std is not above zero")
    return mean, std


def _three_numbers(values: Any, name: str) -> Pixels:
    most = float(np.finfo(np.float32).max)
    if (
        isinstance(values, (list, tuple))
        and len(values) == 3
        and all(type(value) in (int, float) and abs(value) <= most for value in values)
    ):
        return np.array(values, np.float32).reshape(3, 1, 1)
    raise ValueError(f"preprocess.json cannot be used: its {name} is no list of three finite numbers")


def _answer(found: Classification) -> dict[str, Value]:
    row: dict[str, Value] = {}
    if found.labels:
        row["label"] = found.labels[0]
    if found.scores:
        row["confidence"] = float(found.scores[0])
        # What the classes that are not named share counts as one of them.
        shares = np.array([*found.scores, max(0.0, 1.0 - sum(found.scores))])
        row["entropy"] = _entropy(shares if found.probability is None else found.probability)
    if found.embedding is not None:
        row["model_embedding"] = found.embedding.copy()  # a view would keep the whole answer in memory
    return row


def _entropy(shares: npt.NDArray[np.floating]) -> float:
    present = shares[shares > 0].astype(np.float64)
    return float(-(present * np.log(present)).sum())


def _seen(image: Image.Image) -> dict[str, Value]:
    luma = np.asarray(image.convert("L"), np.float32) / 255
    row: dict[str, Value] = {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "thumbnail": _thumbnail(image),
    }
    if min(luma.shape) > 2:
        inner = luma[1:-1, 1:-1]
        laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
        row["sharpness"] = math.log10(float(laplacian.var()) + _LEAST_VARIANCE)
    return row


def _thumbnail(image: Image.Image) -> npt.NDArray[np.float32]:
    small = image.resize((_GRID, _GRID), Image.Resampling.BOX)
    colours: npt.NDArray[np.float32] = np.asarray(small, np.float32).reshape(-1) / np.float32(255)
    return colours


def _excerpt(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((_EXCERPT, _EXCERPT), Image.Resampling.BOX)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=80)
    return stream.getvalue()
