"""Measures ways from an encoded image to its 224 x 224 pixels: docs/adr/0006-image-decoding.md's table.

    python benchmarks/image_decoding.py

Contenders take turns, so that what else a machine does falls on all of them; a cell is the median of
processor time as a ratio to the first column's, then the mean and the largest difference of its pixels,
of 255. Packages that are not installed are left out.
"""

from __future__ import annotations

import importlib.util
import io
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from modelserve.images import UPRIGHT, DecodedImage, decode_image, open_image
from resnet_classifier.preprocess import Preprocess, load_pixels, resize_and_crop

Pixels = npt.NDArray[np.uint8]

SPEC = Preprocess()
LIMIT = 50_000_000
CAT = Image.open(Path(__file__).parents[1] / "samples/images/cat.jpg").convert("RGB")
SECONDS = 1.5
"""How long each contender is measured on each image, at least three times."""


def album(width: int, height: int) -> Image.Image:
    """A picture with a photograph's finest detail at any size: cats, side by side."""
    if width <= CAT.width:
        return CAT.resize((width, height))
    picture = Image.new("RGB", (width, height))
    for row, top in enumerate(range(0, height, CAT.height)):
        for column, left in enumerate(range(0, width, CAT.width)):
            cat = ImageOps.mirror(CAT) if (row + column) % 2 else CAT
            picture.paste(ImageOps.flip(cat) if row % 3 == 2 else cat, (left, top))
    return picture


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The image's bytes in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def as_torchvision(data: bytes) -> Pixels:
    """The steps of torchvision's preset, as a user of Pillow writes them."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    longer = int(SPEC.resize * max(image.size) / min(image.size))
    width, height = (SPEC.resize, longer) if image.width <= image.height else (longer, SPEC.resize)
    left, top = round((width - SPEC.crop) / 2), round((height - SPEC.crop) / 2)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image.crop((left, top, left + SPEC.crop, top + SPEC.crop)))


def served(data: bytes) -> Pixels:
    """What the predictor does."""
    return load_pixels(open_image(data, max_pixels=LIMIT), SPEC)


def keeping(times: int) -> Callable[[bytes], Pixels]:
    """What the predictor does, with another least size of a reduced image."""

    def load(data: bytes) -> Pixels:
        image = open_image(data, max_pixels=LIMIT)
        return resize_and_crop(decode_image(image, least_side=times * SPEC.resize), SPEC)

    return load


def cropped(pixels: Pixels, width: float, height: float) -> Pixels:
    """Resize and crop what another package decoded."""
    return resize_and_crop(DecodedImage(Image.fromarray(pixels), width, height, UPRIGHT), SPEC)


CONTENDERS: dict[str, Callable[[bytes], Pixels]] = {
    "torchvision's steps": as_torchvision,
    "served": served,
    "never reduced": keeping(LIMIT),
    "keeping 2x": keeping(2),
}
if importlib.util.find_spec("simplejpeg"):
    import simplejpeg

    def simplejpeg_reduced(data: bytes) -> Pixels:
        """libjpeg-turbo by simplejpeg, reduced as Pillow reduces it."""
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        least = 3 * SPEC.resize
        pixels = simplejpeg.decode_jpeg(data, min_height=least, min_width=least, min_factor=2)
        scale = 2 ** round(np.log2(width / pixels.shape[1]))
        return cropped(pixels, min(width / scale, pixels.shape[1]), min(height / scale, pixels.shape[0]))

    def simplejpeg_whole(data: bytes) -> Pixels:
        """libjpeg-turbo by simplejpeg."""
        pixels = simplejpeg.decode_jpeg(data)
        return cropped(pixels, pixels.shape[1], pixels.shape[0])

    CONTENDERS |= {"simplejpeg": simplejpeg_whole, "simplejpeg, reduced": simplejpeg_reduced}
if importlib.util.find_spec("torchvision"):
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    torch.set_num_threads(1)

    def torchvision_io(data: bytes) -> Pixels:
        """The decoder of torchvision itself, which cannot reduce."""
        tensor = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
        return cropped(tensor.permute(1, 2, 0).numpy(), tensor.shape[2], tensor.shape[1])

    CONTENDERS["torchvision.io"] = torchvision_io

SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6
IMAGES = {
    "100x75, q90 4:2:0": encoded(album(100, 75), quality=90),
    "500x375, q75 4:2:0": encoded(album(500, 375), quality=75),
    "500x375, q95 4:4:4": encoded(album(500, 375), quality=95, subsampling=0),
    "500x375, progressive": encoded(album(500, 375), quality=75, progressive=True),
    "500x375, grey": encoded(album(500, 375).convert("L"), quality=90),
    "1920x1280, q90 4:2:0": encoded(album(1920, 1280), quality=90),
    "4000x3000, q75 4:2:0": encoded(album(4000, 3000), quality=75),
    "4000x3000, q95 4:4:4": encoded(album(4000, 3000), quality=95, subsampling=0),
    "4000x3000, progressive": encoded(album(4000, 3000), quality=75, progressive=True),
    "4000x3000, grey": encoded(album(4000, 3000).convert("L"), quality=90),
    "4000x3000, CMYK": encoded(album(4000, 3000).convert("CMYK"), quality=90),
    "4000x3000, on its side": encoded(album(4000, 3000), quality=90, exif=SIDEWAYS),
    "500x375, PNG": encoded(album(500, 375), "PNG"),
    "4000x3000, PNG": encoded(album(4000, 3000), "PNG", compress_level=1),
    "500x375, WebP": encoded(album(500, 375), "WEBP"),
    "4000x3000, WebP": encoded(album(4000, 3000), "WEBP", method=0),
}


def medians(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of processor time of each contender; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    until = time.monotonic() + SECONDS * len(contenders)
    while time.monotonic() < until or min(map(len, times.values())) < 3:
        for name, call in contenders.items():
            began = time.process_time()
            call()
            times[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def decoding() -> None:
    """The table of images."""
    first, *_ = CONTENDERS
    print(f"| JPEG if not said | {' | '.join(CONTENDERS)} |\n|---{'|---' * len(CONTENDERS)}|")
    for title, data in IMAGES.items():
        expected = as_torchvision(data).astype(int)
        # Other packages decode JPEG alone, and neither CMYK nor orientation as Pillow does.
        plain = title.endswith(("4:2:0", "4:4:4", "progressive", "grey"))
        able = {
            n: c for n, c in CONTENDERS.items() if plain or not n.startswith(("simple", "torchvision.io"))
        }
        found = medians({name: partial(call, data) for name, call in able.items()})
        cells = [f"{found[first] * 1000:.1f} ms"]
        for name in list(CONTENDERS)[1:]:
            if name in able:
                difference = np.abs(able[name](data) - expected)
                cells.append(
                    f"{found[name] / found[first]:.2f} ({difference.mean():.2f}, {difference.max()})"
                )
            else:
                cells.append("")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    decoding()
