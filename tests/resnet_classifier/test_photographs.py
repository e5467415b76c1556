"""Real photographs, through the whole path: what torchvision's preset on Pillow makes of them.

Noise, as in the other tests, is what no camera sees and what no JPEG keeps; how much a large picture
may be reduced while it is decoded can only be judged on photographs.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps
from torchvision import transforms

from modelserve.engines import Arrays
from modelserve.images import decode_image, open_image
from resnet_classifier.engine import load_engine
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

ROOT = Path(__file__).parents[2]
CAT = Image.open(ROOT / "samples/images/cat.jpg").convert("RGB")
DATA = Path(os.environ.get("MODELSERVE_DATA", ""))
LIMIT = 50_000_000


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def album(width: int, height: int) -> Image.Image:
    """A large picture with a photograph's finest detail: the cat at its own size, side by side."""
    picture = Image.new("RGB", (width, height))
    for row, top in enumerate(range(0, height, CAT.height)):
        for column, left in enumerate(range(0, width, CAT.width)):
            cat = ImageOps.mirror(CAT) if (row + column) % 2 else CAT
            picture.paste(ImageOps.flip(cat) if row % 3 == 2 else cat, (left, top))
    return picture


def reference(data: bytes, spec: Preprocess) -> npt.NDArray[np.int64]:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    preset = transforms.Compose([transforms.Resize(spec.resize), transforms.CenterCrop(spec.crop)])
    pixels: npt.NDArray[np.int64] = np.asarray(preset(image)).astype(np.int64)
    return pixels


def difference(data: bytes, spec: Preprocess) -> npt.NDArray[np.int64]:
    pixels = load_pixels(open_image(data, max_pixels=LIMIT), spec)
    assert pixels.shape == (spec.crop, spec.crop, 3)
    assert pixels.dtype == np.uint8
    found: npt.NDArray[np.int64] = np.abs(pixels - reference(data, spec))
    return found


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


SMALL = CAT.resize((100, 75))
WHOLE = {
    "as it is": encoded(CAT, quality=90),
    "4:4:4": encoded(CAT, quality=95, subsampling=0),
    "4:2:2": encoded(CAT, quality=85, subsampling=1),
    "progressive": encoded(CAT, quality=75, progressive=True),
    "restarts": encoded(CAT, quality=90, restart_marker_blocks=3),
    "grey": encoded(CAT.convert("L"), quality=90),
    "CMYK": encoded(CAT.convert("CMYK"), quality=90),
    "upside down": encoded(CAT, quality=90, exif=turned(3)),
    "small": encoded(SMALL, quality=75),
    "full HD": encoded(album(1920, 1280), quality=90),
    "PNG": encoded(CAT, "PNG"),
    "large PNG": encoded(album(1920, 1600), "PNG", compress_level=1),
    "WebP": encoded(CAT, "WEBP", quality=90),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_pixels_are_those_of_torchvision_but_for_rounding(data: bytes) -> None:
    found = difference(data, Preprocess())
    assert found.max() <= 1
    assert (found > 0).mean() < 0.01


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_photograph_on_its_side_is_rounded_in_another_order(orientation: int) -> None:
    found = difference(encoded(CAT, quality=90, exif=turned(orientation)), Preprocess())
    assert found.max() <= 1
    assert (found > 0).mean() < 0.2


REDUCED = {
    "4:2:0": encoded(album(2600, 1541), quality=90),
    "4:4:4": encoded(album(2600, 1541), quality=95, subsampling=0),
    "progressive": encoded(album(1537, 2111), quality=75, progressive=True),
    "grey": encoded(album(2600, 1541).convert("L"), quality=90),
    "CMYK": encoded(album(2600, 1541).convert("CMYK"), quality=90),
    "on its side": encoded(album(1537, 2111), quality=90, exif=turned(6)),
    "12 megapixels": encoded(album(4000, 3075), quality=90),
}


@pytest.mark.parametrize("data", REDUCED.values(), ids=REDUCED)
def test_a_large_jpeg_is_reduced_and_hardly_differs(data: bytes) -> None:
    spec = Preprocess()
    image = open_image(data, max_pixels=LIMIT)
    assert decode_image(image, least_side=3 * spec.resize).width < image.width
    found = difference(data, spec)
    assert found.mean() < 0.5
    assert np.percentile(found, 99.9) <= 3
    assert found.max() <= 8


def test_the_classifier_answers_alike_for_a_reduced_image() -> None:
    folder = ROOT / "samples/resnet-classifier"
    spec = Preprocess.load(folder)
    engine, _ = load_engine(folder, engine="onnx")

    def probability(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        inputs: Arrays = {"pixels": normalise(pixels.astype(np.uint8), spec)[None]}
        exponents = np.exp(engine.run(inputs)["logits"][0])
        answer: npt.NDArray[np.float32] = exponents / exponents.sum()
        return answer

    for scale in (1, 2, 4):
        data = encoded(CAT.resize((CAT.width * scale, CAT.height * scale)), quality=90)
        reduced = load_pixels(open_image(data, max_pixels=LIMIT), spec)
        np.testing.assert_allclose(
            probability(reduced), probability(reference(data, spec)), rtol=0, atol=0.03
        )


PEAK = """
import re, sys
from pathlib import Path
from modelserve.images import open_image
from resnet_classifier.preprocess import Preprocess, load_pixels

def peak_mib():  # not getrusage's, which begins with the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

image = open_image(Path(sys.argv[1]).read_bytes(), max_pixels=50_000_000)
before = peak_mib()
load_pixels(image, Preprocess())
print(peak_mib() - before)
"""


@pytest.mark.parametrize(
    ("mode", "kind", "most_mib"),
    [("RGB", "JPEG", 40), ("L", "PNG", 100), ("RGB", "PNG", 250), ("RGBA", "PNG", 290), ("P", "PNG", 290)],
)
def test_fifty_megapixels_are_not_held_twice(tmp_path: Path, mode: str, kind: str, most_mib: int) -> None:
    file = tmp_path / "image"
    # Pillow holds 191 MiB of RGB or RGBA, 48 MiB of grey or of a palette's indices.
    Image.new(mode, (10_000, 5_000)).save(file, kind, exif=turned(6))
    command = [sys.executable, "-c", PEAK, str(file)]
    grown_mib = float(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert grown_mib < most_mib


@pytest.mark.skipif(
    not (DATA / "cifar10.zip").is_file(), reason="MODELSERVE_DATA names no folder with cifar10.zip"
)
def test_pixels_of_training_are_those_of_pillow() -> None:
    spec = Preprocess(resize=32, crop=32)
    with zipfile.ZipFile(DATA / "cifar10.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("test/") and name.endswith(".jpg")]
        assert len(names) >= 1000
        for name in names[::10]:
            data = archive.read(name)
            expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            np.testing.assert_array_equal(load_pixels(open_image(data, max_pixels=LIMIT), spec), expected)
