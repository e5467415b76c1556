"""Untrusted bytes to pixels: only three formats, no larger than allowed, and not decoded in vain.

Opening reads the header alone. Decoding uses Pillow in the way that costs least
(docs/adr/0006-image-decoding.md), and leaves the pixels as they are stored: grey stays grey, and a
camera's picture lies on its side until the few pixels that are left of it are turned.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from modelserve.errors import InvalidInput, TooLarge

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""By channel on [0, 1], in RGB order: how torchvision's weights are used, unless a model says otherwise."""

_ACCEPTED = "an encoded JPEG, PNG or WebP image is accepted"


class Turn(NamedTuple):
    """What makes stored pixels upright: mirror them along x, along y, then swap both axes."""

    mirrored_x: bool
    mirrored_y: bool
    swapped: bool

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Turn pixels [height, width, channels]; a view."""
        turned = pixels[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]
        return turned.swapaxes(0, 1) if self.swapped else turned


UPRIGHT = Turn(False, False, False)

_TURNS = {
    2: Turn(True, False, False),
    3: Turn(True, True, False),
    4: Turn(False, True, False),
    5: Turn(False, False, True),
    6: Turn(False, True, True),
    7: Turn(True, True, True),
    8: Turn(True, False, True),
}
"""EXIF's orientations (CIPA DC-008, tag 0x0112), and what turns each upright."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image whose header was accepted.

    ``width`` and ``height`` are pixels as they are stored, before the image is turned upright.
    """

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An image's pixels as they are stored, or reduced.

    ``pixels`` has Pillow's mode L, RGB or RGBA, whose alpha means nothing. ``width`` and ``height`` are
    how much of it the image covers: a JPEG of 1001 pixels at half its size is 500.5 pixels wide, and the
    last of its 501 columns counts half.
    """

    pixels: Image.Image
    width: float
    height: float
    turn: Turn


def open_image(data: bytes, *, max_pixels: int) -> EncodedImage:
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
        width, height = plugin(io.BytesIO(data)).size
    except Image.DecompressionBombError as error:  # Pillow's own limit for WebP, 179 million pixels
        raise TooLarge(f"the image has too many pixels; at most {max_pixels} are accepted") from error
    except Exception as error:  # a parser raises whatever it trips over
        raise InvalidInput(f"the image's header cannot be read; {_ACCEPTED}") from error
    if width * height > max_pixels:
        raise TooLarge(f"the image has {width} x {height} pixels; at most {max_pixels} pixels are accepted")
    if width * height == 0:
        raise InvalidInput(f"the image has {width} x {height} pixels; at least one is accepted")
    return EncodedImage(data, width, height)


def _plugin(data: bytes) -> Callable[[io.BytesIO], ImageFile] | None:
    """The format's decoder, by the data's signature.

    ``Image.open`` would do this too, but warns above a limit of its own, and warnings can only be
    silenced for all threads at once.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    return None


def decode_image(image: EncodedImage, *, least_side: int) -> DecodedImage:
    """Decode an image; transparency is dropped, as in training.

    Args:
        image: from ``open_image``.
        least_side: a JPEG is decoded at a half, a quarter or an eighth of its size if both of its sides
            keep this many pixels.

    Raises:
        InvalidInput: the data end too early or are corrupt.
    """
    plugin = _plugin(image.data)
    try:
        assert plugin is not None, "open_image knew it"
        opened = plugin(io.BytesIO(image.data))
        drafted = opened.draft(None, (least_side, least_side))
        # In Pillow's blocks of 64 KiB, libjpeg decodes a row of a large image's blocks again and again.
        opened.decodermaxblock = len(image.data)
        opened.load()
        turn = _TURNS.get(_orientation(opened), UPRIGHT)  # after its pixels, as a PNG may hold it there
        width, height = opened.size if drafted is None else drafted[1][2:]
        return DecodedImage(_plain(opened), width, height, turn)
    except Exception as error:  # as above: truncated and corrupt data raise many types
        raise InvalidInput(f"the image is cut off or corrupt; {_ACCEPTED}") from error


def _plain(image: Image.Image) -> Image.Image:
    """Convert what cannot be resized as it is; no copy is made of what can."""
    if image.mode in {"L", "RGB", "RGBA"}:
        return image
    if image.mode in {"1", "LA"}:
        return image.convert("L")
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit grey; the high byte is what it takes of 16-bit colour.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.info.pop("transparency", None)  # else Pillow warns that a palette's alpha is dropped
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a camera's broken notes are no reason to refuse its picture
        return 1
