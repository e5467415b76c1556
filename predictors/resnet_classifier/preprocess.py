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
from resnet_classifier.images import open_image, to_rgb

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_LONGEST = 64
"""How many times longer than wide an image is resized; a strip of 1 x 1,000,000 pixels would grow
to 256 x 256,000,000, of which only the centre is used."""


@dataclass(frozen=True)
class Preprocess:
    """How images become tensors. The defaults are torchvision's for its ImageNet weights.

    ``resize`` is the length of the shorter side in pixels before a square of ``crop`` pixels is
    cut from the centre; ``mean`` and ``std`` are per channel, in RGB order, on [0, 1].
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

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
        """Read ``preprocess.json``; without the file, torchvision's ImageNet values hold.

        Raises:
            ModelLoadError: the file is no JSON object or holds an unknown key or a bad value.
        """
        path = model_dir / "preprocess.json"
        if not path.exists():
            return cls()
        try:
            raw = json.loads(path.read_text("utf-8"))
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


def decode_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decode one image to upright RGB; ``open_image`` and ``to_rgb`` in one step."""
    return to_rgb(open_image(data, max_pixels=max_pixels))


def resize_and_crop(image: Image.Image, spec: Preprocess) -> npt.NDArray[np.uint8]:
    """Resize the shorter side and cut the centre, as torchvision does on Pillow images.

    Of an image that is more than 64 times longer than wide, the ends are cut off first; its pixels
    may then lie by a fraction of a pixel beside torchvision's.

    Returns:
        uint8 [crop, crop, 3].
    """
    image = _without_far_ends(image)
    width, height = image.size
    # torchvision truncates the longer side; the shorter one is exact.
    longer = int(spec.resize * max(width, height) / min(width, height))
    size = (spec.resize, longer) if width <= height else (longer, spec.resize)
    if image.size != size:
        image = image.resize(size, INTERPOLATIONS[spec.interpolation])
    left, top = round((size[0] - spec.crop) / 2), round((size[1] - spec.crop) / 2)
    return np.asarray(image.crop((left, top, left + spec.crop, top + spec.crop)), dtype=np.uint8)


def _without_far_ends(image: Image.Image) -> Image.Image:
    width, height = image.size
    longest = _LONGEST * min(width, height)
    # Half of what is too much goes from each end, so that the centre stays where it was.
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, width - left, height - top)) if left or top else image


def normalise(pixels: npt.NDArray[np.uint8], spec: Preprocess) -> npt.NDArray[np.float32]:
    """Scale and normalise pixels.

    Args:
        pixels: uint8 [..., height, width, 3].
        spec: gives mean and standard deviation.

    Returns:
        float32 [..., 3, height, width], contiguous.
    """
    # (x / 255 - mean) / std as one multiplication and one addition per value.
    std = np.asarray(spec.std, np.float64)
    scale = (1 / (255 * std)).astype(np.float32)
    shift = (-np.asarray(spec.mean, np.float64) / std).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(pixels * scale + shift, -1, -3))
