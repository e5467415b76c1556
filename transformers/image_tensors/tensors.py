"""Images to tensors in blocks, each of which is one call to the predictor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from modelserve.errors import RequestError
from modelserve.images import EncodedImage
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

PixelBlock = npt.NDArray[np.float32]
"""Normalised images of one size, [n, 3, height, width]."""

_MOST_IMAGES = 16
"""Of one call to the predictor, which has its own most images of a call."""

_MOST_BYTES = 8_000_000
"""Of one call to the predictor. Servers of KServe's own take 8 MiB over gRPC."""

_DECODERS = ThreadPoolExecutor(4, thread_name_prefix="tensors")
"""For calls with several images, as one may take some hundred MB while it is decoded."""


def block_sizes(images: int, height: int, width: int) -> list[int]:
    """How many images each call to the predictor has: as many as fit, and at least one."""
    most = max(1, min(_MOST_IMAGES, _MOST_BYTES // (3 * height * width * 4)))
    return [min(most, images - start) for start in range(0, images, most)]


def split_pixels(pixels: PixelBlock) -> list[PixelBlock]:
    """Split images into blocks, which are views of them."""
    starts = np.cumsum(block_sizes(len(pixels), *pixels.shape[2:]))[:-1]
    return np.split(pixels, starts)


def decode_images(images: Sequence[EncodedImage], spec: Preprocess) -> list[PixelBlock]:
    """Decode, resize, crop and normalise images as the predictor does, in parallel where there are several.

    Raises:
        InvalidInput: one is cut off or corrupt; the first of them is named.
    """
    side = spec.crop
    blocks = [np.empty((size, 3, side, side), np.float32) for size in block_sizes(len(images), side, side)]
    rows = [row for block in blocks for row in block]

    def decode(position: int) -> None:
        try:
            normalise(load_pixels(images[position], spec), spec, out=rows[position])
        except RequestError as error:
            raise type(error)(f"image {position}: {error}") from error

    for _ in (_DECODERS.map if len(images) > 1 else map)(decode, range(len(images))):
        pass
    return blocks
