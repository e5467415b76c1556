"""From an encoded image to a normalised tensor, the same for both engines and for training.

Follows torchvision's classification preset (resize the shorter side, crop the centre, scale to
[0, 1], normalise), on Pillow and numpy alone: the CPU flavour has no torch.
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from modelserve.errors import InvalidInput, ModelLoadError, TooLarge

FORMATS = ("JPEG", "PNG", "WEBP")
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_ACCEPTED = "an encoded JPEG, PNG or WebP image is accepted"


@dataclass(frozen=True)
class Preprocess:
    """How images become tensors. The defaults are torchvision's for its ImageNet weights.

    ``resize`` is the length of the shorter side in pixels before a square of ``crop`` pixels is
    cut from the centre; ``mean`` and ``std`` are per channel, in RGB order, on [0, 1].
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = field(default=(0.485, 0.456, 0.406))
    std: tuple[float, float, float] = field(default=(0.229, 0.224, 0.225))

    def __post_init__(self) -> None:
        if not 0 < self.crop <= self.resize:
            raise ModelLoadError(
                f"preprocess.json: crop {self.crop} must be positive and at most resize {self.resize}"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ModelLoadError(
                f"preprocess.json: interpolation {self.interpolation!r} is unknown; "
                f"one of {', '.join(INTERPOLATIONS)} is accepted"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or not all(s > 0 for s in self.std):
            raise ModelLoadError("preprocess.json: mean and std need three numbers, std above zero")

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
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelLoadError(f"{path} cannot be used: {error}") from error


def decode_image(data: bytes | memoryview, *, max_pixels: int) -> Image.Image:
    """Decode one image to upright RGB.

    The size in the header is checked before any pixel is decoded, so a small file that unpacks to
    gigabytes costs nothing.

    Args:
        data: an encoded JPEG, PNG or WebP; of an animation, the first frame counts.
        max_pixels: most pixels (width times height) that are decoded.

    Raises:
        TooLarge: the image has more than ``max_pixels``.
        InvalidInput: the bytes are no such image, or end too early.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own bomb check warns above 89 million pixels; ours, below, refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise TooLarge(f"the image has too many pixels; at most {max_pixels} are accepted") from error
    except Exception as error:  # a plugin raises whatever its parser trips over
        raise InvalidInput(f"the bytes are no image that can be read; {_ACCEPTED}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(
            f"the image has {width} x {height} pixels; at most {max_pixels} pixels are accepted"
        )
    try:
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # as above: truncated and corrupt data raise many types
        raise InvalidInput(f"the image is cut off or corrupt; {_ACCEPTED}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip, not scale
        grey = np.asarray(image).astype(np.uint32) // 257
        image = Image.fromarray(grey.astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def resize_and_crop(image: Image.Image, spec: Preprocess) -> npt.NDArray[np.uint8]:
    """Resize the shorter side and cut the centre, as torchvision does on Pillow images.

    Returns:
        uint8 [crop, crop, 3].
    """
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short != spec.resize:
        # torchvision truncates the longer side; the shorter one is exact.
        other = max(spec.resize, int(spec.resize * long / short))
        size = (spec.resize, other) if width <= height else (other, spec.resize)
        image = image.resize(size, INTERPOLATIONS[spec.interpolation])
    width, height = image.size
    left, top = round((width - spec.crop) / 2), round((height - spec.crop) / 2)
    cropped = image.crop((left, top, left + spec.crop, top + spec.crop))
    return np.asarray(cropped, dtype=np.uint8)


def normalise(pixels: npt.NDArray[np.uint8], spec: Preprocess) -> npt.NDArray[np.float32]:
    """Scale and normalise pixels.

    Args:
        pixels: uint8 [..., height, width, 3].
        spec: gives mean and standard deviation.

    Returns:
        float32 [..., 3, height, width], contiguous.
    """
    # (x / 255 - mean) / std as one multiplication and one addition per value.
    std = np.asarray(spec.std, np.float32)
    scale = np.float32(1 / 255) / std
    shift = -np.asarray(spec.mean, np.float32) / std
    return np.ascontiguousarray(np.moveaxis(pixels * scale + shift, -1, -3))
