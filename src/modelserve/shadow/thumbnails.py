"""Small pictures of what was classified, for a report."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from modelserve.errors import RequestError
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
    from PIL import Image  # noqa: PLC0415 - texts need no Pillow

    from modelserve.pictures import look_at  # noqa: PLC0415 - likewise

    if isinstance(image, bytes):
        try:
            small = look_at(image, side=_SIDE, most_pixels=_MOST_PIXELS).small
        except RequestError:
            return None
    elif image.shape[1] * image.shape[2] > _MOST_PIXELS:
        return None
    else:
        small = Image.fromarray(_bytes(image))
        small.thumbnail((_SIDE, _SIDE))
    packed = io.BytesIO()
    small.save(packed, "PNG")
    return packed.getvalue()


def _bytes(pixels: Pixels) -> npt.NDArray[np.uint8]:
    finite = pixels[np.isfinite(pixels)]
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = np.nan_to_num((pixels - least) / max(most - least, 1e-9), posinf=1.0, neginf=0.0) * 255
    return np.ascontiguousarray(scaled.transpose(1, 2, 0).astype(np.uint8))
