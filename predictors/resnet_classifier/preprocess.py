"""From an encoded image to a normalised tensor, the same for both engines and for training.

Follows torchvision's classification preset (resize the shorter side, crop the centre, scale to
[0, 1], normalise), on Pillow and numpy alone: the CPU flavour has no torch.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelserve.errors import ModelLoadError
from modelserve.images import IMAGENET_MEAN, IMAGENET_STD, DecodedImage, EncodedImage, decode_image

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_KEPT = 3
"""How many times larger than resized a JPEG stays when it is decoded at a fraction of its size. Twice
would be faster, but changes answers (docs/adr/0006-image-decoding.md)."""

_LONGEST = 64
"""How many times longer than wide an image may be before its ends are cut off: Pillow takes a box in
float32, which is too coarse at the centre of a strip of 1 x 1,000,000 pixels."""

_Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Preprocess:
    """How images become tensors. The defaults are torchvision's for its ImageNet weights.

    ``resize`` is the length of the shorter side in pixels before a square of ``crop`` pixels is
    cut from the centre; ``mean`` and ``std`` are per channel, in RGB order, on [0, 1].
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        if not (_is_integer(self.resize) and _is_integer(self.crop) and 0 < self.crop <= self.resize):
            raise ModelLoadError(
                f"preprocess: crop {self.crop!r} and resize {self.resize!r} must be integers, "
                "crop above zero and at most resize"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ModelLoadError(
                f"preprocess: interpolation {self.interpolation!r} is unknown; "
                f"{' and '.join(INTERPOLATIONS)} are accepted"
            )
        if not (_are_three_numbers(self.mean) and _are_three_numbers(self.std) and min(self.std) > 0):
            raise ModelLoadError("preprocess: mean and std must be three numbers each, std above zero")

    @classmethod
    def load(cls, model_dir: Path) -> Preprocess:
        """Read the ``preprocess.json`` of a folder; without it, torchvision's ImageNet values hold.

        Raises:
            ModelLoadError: the file is no JSON object or holds an unknown key or a bad value.
        """
        path = model_dir / "preprocess.json"
        return cls.read(path) if path.exists() else cls()

    @classmethod
    def read(cls, path: Path) -> Preprocess:
        """Read such a file.

        Raises:
            ModelLoadError: there is none, or it is no JSON object, or holds an unknown key or a bad value.
        """
        try:
            raw = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ModelLoadError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ModelLoadError(f"{path} is no JSON: {error}") from error
        accepted = [field.name for field in fields(cls)]
        if not isinstance(raw, dict) or not set(raw) <= set(accepted):
            raise ModelLoadError(f"{path} must be a JSON object of {', '.join(accepted)}, or of some of them")
        try:
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
            return cls(**values)
        except ModelLoadError as error:
            raise ModelLoadError(f"{path} cannot be used: {error}") from error


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_three_numbers(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == 3
        and all((_is_integer(v) or isinstance(v, float)) and math.isfinite(v) for v in values)
    )


def load_pixels(image: EncodedImage, spec: Preprocess) -> npt.NDArray[np.uint8]:
    """Decode an image, turn it upright, resize its shorter side and cut the centre.

    The values are those of torchvision on Pillow images but for rounding, which moves some by one of
    255. A JPEG that is large enough is decoded at a half, a quarter or an eighth of its size, which moves
    them by up to 0.5 in the mean.

    Returns:
        uint8 [crop, crop, 3].

    Raises:
        InvalidInput: the data end too early or are corrupt.
    """
    return resize_and_crop(decode_image(image, least_side=_KEPT * spec.resize), spec)


def resize_and_crop(image: DecodedImage, spec: Preprocess) -> npt.NDArray[np.uint8]:
    """Compute the pixels of the centre, and no others, and turn them upright.

    Returns:
        uint8 [crop, crop, 3].
    """
    shorter, longer = sorted((image.width, image.height))
    # torchvision truncates the longer side; the shorter one is exact.
    resized = {shorter: spec.resize, longer: int(spec.resize * longer / shorter)}
    x = _centre(image.width, resized[image.width], spec.crop, mirrored=image.turn.mirrored_x)
    y = _centre(image.height, resized[image.height], spec.crop, mirrored=image.turn.mirrored_y)
    pixels, box = image.pixels, (x[0], y[0], x[1], y[1])
    if longer > _LONGEST * shorter:
        pixels, box = _cut(pixels, box, spec.crop)
    return image.turn.apply(np.asarray(_resize(pixels, box, spec)))


def _centre(side: float, resized: int, crop: int, *, mirrored: bool) -> tuple[float, float]:
    """Where ``crop`` pixels from the centre of a side lie on it, before it is resized."""
    start = round((resized - crop) / 2)
    if mirrored:  # of an odd rest, the larger half stays on the side where it is in the upright image
        start = resized - crop - start
    return start * side / resized, (start + crop) * side / resized


def _cut(pixels: Image.Image, box: _Box, crop: int) -> tuple[Image.Image, _Box]:
    """Cut off what no pixel of the box is computed from; the box moves with what is left."""
    left, top, right, bottom = box
    # A bicubic pixel is computed from two pixels, of the larger of both sizes, to each side.
    margin = 2 * max(1, (right - left) / crop, (bottom - top) / crop) + 1
    x, y = max(0, int(left - margin)), max(0, int(top - margin))
    end_x, end_y = min(pixels.width, int(right + margin)), min(pixels.height, int(bottom + margin))
    return pixels.crop((x, y, end_x, end_y)), (left - x, top - y, right - x, bottom - y)


def _resize(pixels: Image.Image, box: _Box, spec: Preprocess) -> Image.Image:
    size, resample = (spec.crop, spec.crop), INTERPOLATIONS[spec.interpolation]
    if pixels.mode == "RGBA":
        # Channel by channel: Pillow would weigh colours by alpha, and a copy without it is a second image.
        channels = [pixels.getchannel(name).resize(size, resample, box) for name in "RGB"]
        return Image.merge("RGB", channels)
    # A grey image gets its three equal channels when it is small.
    return pixels.resize(size, resample, box).convert("RGB")


def normalise(
    pixels: npt.NDArray[np.uint8], spec: Preprocess, *, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Scale and normalise pixels.

    Args:
        pixels: uint8 [..., height, width, 3].
        spec: gives mean and standard deviation.
        out: where to write, float32 [..., 3, height, width]; a row of a batch, which then need not be
            copied into it.

    Returns:
        float32 [..., 3, height, width], ``out`` if it was given.
    """
    # (x / 255 - mean) / std as one multiplication and one addition per value.
    std = np.asarray(spec.std, np.float64)
    scale = (1 / (255 * std)).astype(np.float32)
    shift = (-np.asarray(spec.mean, np.float64) / std).astype(np.float32)
    channels_first = np.moveaxis(pixels, -1, -3)
    if out is None:
        out = np.empty(channels_first.shape, np.float32)
    # Channels first, then in place: with three colours in its innermost loop numpy takes five times as long.
    out[...] = channels_first
    out *= scale[:, None, None]
    out += shift[:, None, None]
    return out
