"""Untrusted bytes to pixels: only three formats, no larger than allowed, upright, in RGB."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from modelserve.errors import InvalidInput, TooLarge

_ACCEPTED = "an encoded JPEG, PNG or WebP image is accepted"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientations (CIPA DC-008, tag 0x0112), and what turns each upright."""


def open_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """Read an image's header and check its size; no pixel is decoded.

    A small file that unpacks to gigabytes is refused here and costs nothing.

    Args:
        data: an encoded JPEG, PNG or WebP; of an animation, the first frame counts.
        max_pixels: most pixels (width times height) that are accepted.

    Raises:
        TooLarge: the image has more than ``max_pixels``.
        InvalidInput: the bytes are no such image.
    """
    plugin = _plugin(data)
    if plugin is None:
        what = "is empty" if not data else "is no image of a known format"
        raise InvalidInput(f"the data {what}; {_ACCEPTED}")
    try:
        image = plugin(io.BytesIO(data))
        width, height = image.size
    except Image.DecompressionBombError as error:  # Pillow's own limit for WebP, 179 million pixels
        raise TooLarge(f"the image has too many pixels; at most {max_pixels} are accepted") from error
    except Exception as error:  # a parser raises whatever it trips over
        raise InvalidInput(f"the image's header cannot be read; {_ACCEPTED}") from error
    if width * height > max_pixels:
        raise TooLarge(f"the image has {width} x {height} pixels; at most {max_pixels} pixels are accepted")
    if width * height == 0:
        raise InvalidInput(f"the image has {width} x {height} pixels; at least one is accepted")
    return image


def _plugin(data: bytes) -> Callable[[io.BytesIO], ImageFile] | None:
    """The format's decoder, by the data's signature.

    ``Image.open`` would do this too, but warns above a limit of its own, and warnings can only be
    silenced for all threads at once.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg_factory
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Decode an opened image to upright RGB; transparency is dropped, as in training.

    Raises:
        InvalidInput: the data end too early or are corrupt.
    """
    try:
        image.load()  # first, as a PNG may tell its orientation behind its pixels
        turn = _TURNS.get(_orientation(image))
        if image.mode.startswith("I"):
            # Pillow would clip 16-bit grey; the high byte is what it takes of 16-bit colour.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")  # Pillow warns where the palette's alpha is dropped at once
        image = image.convert("RGB")
    except Exception as error:  # as above: truncated and corrupt data raise many types
        raise InvalidInput(f"the image is cut off or corrupt; {_ACCEPTED}") from error
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a camera's broken notes are no reason to refuse its picture
        return 1
