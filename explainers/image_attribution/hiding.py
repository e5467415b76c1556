"""An image with some of its regions hidden."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelserve.images import EncodedImage, decode_image

Pixels = npt.NDArray[np.uint8]
"""Upright, [height, width, 3]."""


@dataclass(frozen=True, slots=True)
class Upright:
    """An image's pixels, upright and reduced, with its own size before that."""

    pixels: Pixels
    width: int
    height: int


def load_upright(image: EncodedImage, *, most_pixels: int) -> Upright:
    """Decode an image and reduce it to so many pixels, at most.

    Raises:
        InvalidInput: the data end too early or are corrupt.
    """
    scale = min(1.0, math.sqrt(most_pixels / (image.width * image.height)))
    size = (max(1, int(scale * image.width)), max(1, int(scale * image.height)))
    decoded = decode_image(image, least_side=2 * min(size))
    box = (0.0, 0.0, decoded.width, decoded.height)
    stored, resample = decoded.pixels, Image.Resampling.BILINEAR
    if stored.mode == "RGBA":  # channel by channel: Pillow would weigh colours by alpha, which means nothing
        channels = [stored.getchannel(name).resize(size, resample, box) for name in "RGB"]
        reduced = Image.merge("RGB", channels)
    else:
        reduced = stored.resize(size, resample, box).convert("RGB")
    width, height = (image.height, image.width) if decoded.turn.swapped else (image.width, image.height)
    return Upright(np.ascontiguousarray(decoded.turn.apply(np.asarray(reduced))), width, height)


class HidingImage:
    """Variations of an image, divided into a grid of regions that are numbered row by row.

    Args:
        image: whole.
        regions: about how many; as square as the image's form allows.
    """

    def __init__(self, image: Upright, *, regions: int) -> None:
        self.image = image
        height, width = image.pixels.shape[:2]
        self.rows = min(height, regions, max(1, round(math.sqrt(regions * height / width))))
        self.columns = min(width, max(1, round(regions / self.rows)))
        self.edges_y, self.edges_x = _edges(height, self.rows), _edges(width, self.columns)
        self._mean_colour = image.pixels.mean((0, 1)).round().astype(np.uint8)

    def spread(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A value of each region, [regions], as one of each pixel, [height, width]."""
        grid = values.reshape(self.rows, self.columns)
        return grid.repeat(np.diff(self.edges_y), axis=0).repeat(np.diff(self.edges_x), axis=1)

    def vary(self, shown: npt.NDArray[np.bool_]) -> bytes:
        """The image, in PNG, of the regions that are shown, [regions]; the others have its mean colour."""
        pixels = np.where(self.spread(shown)[:, :, None], self.image.pixels, self._mean_colour)
        encoded = io.BytesIO()
        # Fast rather than small: it is sent once, and not far.
        Image.fromarray(pixels).save(encoded, "PNG", compress_level=1)
        return encoded.getvalue()

    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Left, top, right and bottom of each region, in pixels of the upright image before reducing."""
        height, width = self.image.pixels.shape[:2]
        xs = [round(x * self.image.width / width) for x in self.edges_x.tolist()]
        ys = [round(y * self.image.height / height) for y in self.edges_y.tolist()]
        return [
            (xs[column], ys[row], xs[column + 1], ys[row + 1])
            for row in range(self.rows)
            for column in range(self.columns)
        ]


def _edges(length: int, parts: int) -> npt.NDArray[np.int64]:
    """Where so many parts of nearly one length begin and end."""
    return np.round(np.linspace(0, length, parts + 1)).astype(np.int64)
