"""Images in which some regions are hidden, and pictures of what they contribute."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from image_attribution.hiding import HidingImage, Upright, load_upright
from image_attribution.picture import draw
from modelserve.errors import InvalidInput
from modelserve.explaining.asking import Contributions
from modelserve.images import open_image


def noise(width: int, height: int, seed: int = 0) -> Upright:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Upright(pixels, width, height)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(4, 80), st.integers(1, 5))
def test_regions_cover_the_image_once(width: int, height: int, regions: int, scale: int) -> None:
    image = Upright(noise(width, height).pixels, scale * width, scale * height)
    hiding = HidingImage(image, regions=regions)
    covered = np.zeros((image.height, image.width), np.int64)
    for left, top, right, bottom in hiding.boxes():
        assert left < right
        assert top < bottom
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()
    assert len(hiding.boxes()) == hiding.rows * hiding.columns <= 2 * regions


@given(st.integers(8, 60), st.integers(8, 60), st.data())
@settings(max_examples=30)
def test_shown_regions_are_as_they_were_and_hidden_ones_are_not(
    width: int, height: int, data: st.DataObject
) -> None:
    image = noise(width, height)
    hiding = HidingImage(image, regions=16)
    boxes = hiding.boxes()
    shown = np.array(data.draw(st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes))))
    with Image.open(io.BytesIO(hiding.vary(shown))) as made:
        varied = np.asarray(made)
    for (left, top, right, bottom), is_shown in zip(boxes, shown.tolist(), strict=True):
        region = (slice(top, bottom), slice(left, right))
        assert (varied[region] == image.pixels[region]).all() == is_shown


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_cameras_picture_is_explained_upright(orientation: int) -> None:
    stored = Image.new("RGB", (90, 60), "black")
    stored.paste("white", (0, 0, 30, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = encoded(stored, "JPEG", exif=exif, quality=95)
    image = load_upright(open_image(jpeg, max_pixels=10**6), most_pixels=10**6)
    white = np.argwhere(image.pixels[:, :, 0] > 128).mean(0)
    expected_left, expected_top = orientation in {1, 4, 5, 8}, orientation in {1, 2, 5, 6}
    assert (image.width, image.height) == ((90, 60) if orientation < 5 else (60, 90))
    assert image.pixels.shape == (image.height, image.width, 3)
    assert (white[1] < image.width / 2) == expected_left
    assert (white[0] < image.height / 2) == expected_top


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_large_images_of_any_kind_are_reduced(mode: str) -> None:
    image = Image.new("L", (1500, 700), 200).convert(mode if mode != "I;16" else "I").convert(mode)
    found = load_upright(open_image(encoded(image), max_pixels=10**7), most_pixels=10_000)
    height, width, channels = found.pixels.shape
    assert 9_000 < height * width <= 10_000
    assert (channels, found.width, found.height) == (3, 1500, 700)


def test_thin_images_are_reduced_too() -> None:
    strip = encoded(Image.new("L", (60_000, 1), 99))
    found = load_upright(open_image(strip, max_pixels=10**6), most_pixels=20_000)
    assert found.pixels.shape[0] == 1
    assert found.pixels.shape[1] <= 60_000
    assert len(HidingImage(found, regions=64).boxes()) == 64


def test_an_image_that_is_cut_off_is_refused(cat_jpeg: bytes) -> None:
    with pytest.raises(InvalidInput, match="cut off"):
        load_upright(open_image(cat_jpeg[:5000], max_pixels=10**6), most_pixels=10_000)


@pytest.mark.parametrize(("width", "height"), [(32, 32), (451, 300), (3, 200)])
def test_a_picture_shows_where_the_strongest_regions_are(width: int, height: int) -> None:
    hiding = HidingImage(Upright(np.full((height, width, 3), 128, np.uint8), width, height), regions=16)
    values = np.zeros((1, hiding.rows * hiding.columns))
    values[0, 0], values[0, -1] = 0.5, -0.5
    made = Contributions(np.array([0.1]), np.array([0.1]), values, True)
    with Image.open(io.BytesIO(base64.b64decode(draw(hiding, "a label " * 20, made)))) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red = (pixels[:, :, 0] - pixels[:, :, 2]) > 60
    blue = (pixels[:, :, 2] - pixels[:, :, 0]) > 60
    heat_height = pixels.shape[0] - 64
    for found, is_first in ((red, True), (blue, False)):
        ys, _ = np.nonzero(found[:heat_height])
        assert (ys < heat_height / 2).all() if is_first else (ys > heat_height / 2).all()


def test_a_picture_of_nothing_can_be_drawn() -> None:
    hiding = HidingImage(noise(40, 40), regions=4)
    made = Contributions(np.array([0.5]), np.array([0.5]), np.zeros((1, 4)), True)
    assert base64.b64decode(draw(hiding, "漢字", made)).startswith(b"\x89PNG")
