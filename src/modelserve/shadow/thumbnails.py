"""Small pictures of what was classified, for a report."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt

from modelserve.events.calls import Pixels

_SIDE = 96
_MOST_PIXELS = 16_000_000
"""A larger image is not opened: a few bytes may say that they are a very large one."""


def thumbnail(image: bytes | Pixels) -> bytes | None:
    """An image as a PNG of at most 96 x 96; None where it cannot be shown.

    Args:
        image: encoded; or normalised, float32 [3, height, width], of which the least value is shown black and
            the greatest white, as the normalisation is not known.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - texts need no Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about damaged metadata
            opened = (
                Image.open(io.BytesIO(image)) if isinstance(image, bytes) else Image.fromarray(_bytes(image))
            )
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            opened.draft("RGB", (_SIDE, _SIDE))  # a JPEG is decoded no larger than that takes
            small = opened.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None  # a broken PNG is a SyntaxError
    packed = io.BytesIO()
    small.save(packed, "PNG")
    return packed.getvalue()


def _bytes(pixels: Pixels) -> npt.NDArray[np.uint8]:
    least, most = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    scaled = np.nan_to_num((pixels - least) / max(most - least, 1e-9)) * 255
    return np.ascontiguousarray(scaled.transpose(1, 2, 0).astype(np.uint8))
