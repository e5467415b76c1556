"""What an encoded image shows, small: to describe it, or for people to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelserve.images import decode_image, open_image


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, upright. ``small`` is in RGB; ``width`` and ``height`` are the whole image's, in pixels."""

    small: Image.Image
    width: int
    height: int


def look_at(data: bytes, *, side: int, most_pixels: int) -> Picture:
    """Decode an image no larger than is needed.

    Args:
        data: an encoded JPEG, PNG or WebP.
        side: the most pixels of the longer side of ``small``.
        most_pixels: of the image; one that has more is not decoded.

    Raises:
        TooLarge: it has more pixels.
        InvalidInput: it is no such image, or damaged.
    """
    encoded = open_image(data, max_pixels=most_pixels)
    decoded = decode_image(encoded, least_side=side)
    small = decoded.pixels.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BOX)
    upright = Image.fromarray(np.ascontiguousarray(decoded.turn.apply(np.asarray(small))))
    width, height = encoded.width, encoded.height
    return Picture(upright, *((height, width) if decoded.turn.swapped else (width, height)))
