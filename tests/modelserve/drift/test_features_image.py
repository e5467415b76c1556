"""Features of images: each moves with what it is named for, and with nothing else."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFilter

from modelserve.drift.features import Extractor, assets_of
from modelserve.drift.features.extracting import AssetError
from modelserve.drift.table import Row
from modelserve.events.calls import Classification, ImageCall, Pixels
from resnet_classifier.preprocess import Preprocess, normalise

ROOT = Path(__file__).parents[3]
CAT = ROOT / "samples" / "images" / "cat.jpg"
FOUND = Classification(["cat", "dog"], [0.7, 0.2])

Change = Callable[[Image.Image], Image.Image]


def encode(image: Image.Image, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


def row_of(image: bytes | Pixels, found: Classification = FOUND) -> Row:
    extractor = Extractor(assets_of(ROOT / "samples" / "resnet-classifier"), shown=False)
    (row,), _ = extractor.examine(ImageCall("pictures", None, None, 0.1, [image], [found]))
    return row


def number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, float)
    return value


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return Image.open(CAT).convert("RGB")


CHANGES: dict[str, tuple[Change, str, int]] = {
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(4)), "sharpness", -1),
    "dark": (lambda image: image.point(lambda value: value // 3), "brightness", -1),
    "bright": (lambda image: image.point(lambda value: 255 - (255 - value) // 3), "brightness", 1),
    "flat": (lambda image: image.point(lambda value: 128 + (value - 128) // 4), "contrast", -1),
    "small": (lambda image: image.resize((image.width // 2, image.height // 2)), "pixels", -1),
    "wide": (lambda image: image.resize((2 * image.width, image.height)), "aspect", 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name: str, cat: Image.Image) -> None:
    change, feature, sign = CHANGES[name]
    before, after = (row_of(encode(image)) for image in (cat, change(cat)))
    assert sign * (number(after, feature) - number(before, feature)) > 0.05


def test_size_changes_neither_brightness_nor_contrast(cat: Image.Image) -> None:
    large = cat.resize((cat.width * 3, cat.height * 3), Image.Resampling.BICUBIC)
    before, after = (row_of(encode(image)) for image in (cat, large))
    for name in ("brightness", "contrast"):
        assert number(after, name) == pytest.approx(number(before, name), abs=0.01)
    assert np.abs(np.asarray(after["thumbnail"]) - np.asarray(before["thumbnail"])).max() < 0.02
    assert number(after, "pixels") == pytest.approx(number(before, "pixels") + 2 * math.log2(3))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_form_says_the_same(form: str, mode: str, cat: Image.Image) -> None:
    grey = cat.convert("L")
    row, expected = row_of(encode(grey.convert(mode), form)), row_of(encode(grey.convert("RGB")))
    assert set(row) == set(expected)
    for name in ("brightness", "contrast", "pixels"):
        assert number(row, name) == pytest.approx(number(expected, name), abs=0.01)


def test_an_image_that_lies_on_its_side_is_seen_upright(cat: Image.Image) -> None:
    """As the predictor sees it: cameras say in EXIF how they were held."""
    lying, exif = cat.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stream = io.BytesIO()
    lying.save(stream, "PNG", exif=exif)
    row, expected = row_of(stream.getvalue()), row_of(encode(cat))
    assert number(row, "aspect") == pytest.approx(number(expected, "aspect"))
    assert np.abs(np.asarray(row["thumbnail"]) - np.asarray(expected["thumbnail"])).max() < 0.02


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    assert number(row_of(encode(Image.fromarray(ramp))), "brightness") == pytest.approx(0.5, abs=0.01)


def test_a_palette_with_transparency_is_read_as_others_are() -> None:
    picture = Image.new("P", (40, 40), 1)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=b"\x00\x80")
    assert number(row_of(stream.getvalue()), "brightness") == pytest.approx(1)


def test_a_plain_image_has_no_sharpness_to_speak_of() -> None:
    row = row_of(encode(Image.new("RGB", (40, 40), (200, 200, 200))))
    assert number(row, "sharpness") == pytest.approx(-6)
    assert number(row, "contrast") == pytest.approx(0, abs=1e-6)
    assert "sharpness" not in row_of(encode(Image.new("RGB", (2, 40))))


def test_pixels_are_the_image_that_they_were(cat: Image.Image) -> None:
    small = cat.resize((64, 64))
    mean = np.array([0.4914, 0.4822, 0.4465], np.float32).reshape(3, 1, 1)
    std = np.array([0.247, 0.2435, 0.2616], np.float32).reshape(3, 1, 1)
    pixels = (np.asarray(small, np.float32).transpose(2, 0, 1) / 255 - mean) / std
    row, expected = row_of(pixels), row_of(encode(small))
    assert set(row) == set(expected)
    for name in ("brightness", "contrast", "sharpness", "pixels", "aspect"):
        assert number(row, name) == pytest.approx(number(expected, name), abs=0.01)
    extractor = Extractor({}, shown=True)
    (bare,), (shown,) = extractor.examine(ImageCall(None, None, None, 0.1, [pixels], [FOUND]))
    assert set(bare) == {"label", "confidence", "entropy"}, "nobody says how to undo the normalisation"
    assert shown is None


def test_what_it_was_taken_for() -> None:
    row = row_of(CAT.read_bytes())
    assert (row["label"], row["confidence"]) == ("cat", 0.7)
    assert row["entropy"] == pytest.approx(-sum(p * math.log(p) for p in (0.7, 0.2, 0.1)))
    sure = row_of(CAT.read_bytes(), Classification(["cat"], [1.0]))
    assert sure["entropy"] == pytest.approx(0)
    whole = Classification(["cat"], [0.5], np.full(4, 0.25, np.float32), np.ones(3, np.float32))
    row = row_of(CAT.read_bytes(), whole)
    assert row["entropy"] == pytest.approx(math.log(4))
    assert np.asarray(row["model_embedding"]).tolist() == [1, 1, 1]


def test_an_answer_with_other_outputs() -> None:
    row = row_of(CAT.read_bytes(), Classification((), ()))
    assert "brightness" in row
    assert not {"label", "confidence", "entropy"} & set(row)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        CAT.read_bytes()[:5000],
        encode(Image.new("RGB", (64, 64)))[:-20],
        encode(Image.new("1", (20_000, 20_000))),
        encode(Image.new("RGB", (64, 64)), "GIF"),
    ],
    ids=["empty", "text", "half a JPEG", "half a PNG", "too many pixels", "another format"],
)
def test_images_that_cannot_be_decoded_have_their_answer_alone(data: bytes) -> None:
    assert set(row_of(data)) <= {"label", "confidence", "entropy", "pixels", "aspect"}


@given(st.data())
def test_damaged_images_do_no_harm(data: st.DataObject) -> None:
    whole = encode(
        Image.new("RGB", (8, 8), (10, 200, 30)), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
    )
    place, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    assert row_of(whole[:place] + bytes([byte]) + whole[place + 1 :])["label"] == "cat"


def test_what_is_shown_is_small() -> None:
    extractor = Extractor({}, shown=True)
    _, (shown,) = extractor.examine(ImageCall(None, None, None, 0.1, [CAT.read_bytes()], [FOUND]))
    assert shown is not None
    assert max(Image.open(io.BytesIO(shown)).size) == 64
    assert len(shown) < 5000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"mean": [1, 2], "std": [1, 2]}',
        b'{"mean": "x", "std": 1}',
        b'{"mean": [true, 0, 0]}',
        b'{"mean": [NaN, 0, 0]}',
        b'{"mean": [1e300, 0, 0]}',
        b'{"mean": [1' + b"0" * 400 + b", 0, 0]}",
        b'{"mean": [0, 0, 0], "std": [1, 0, 1]}',
        b'{"mean": [0, 0, 0], "std": [1, -1, 1]}',
        b'{"mean": [0, 0, 0], "std": [1e-300, 1, 1]}',
        b'{"std": null}',
    ],
)
def test_files_that_tell_no_normalisation(content: bytes) -> None:
    with pytest.raises(AssetError, match=r"preprocess\.json cannot be used"):
        Extractor({"preprocess.json": content}, shown=False)


def test_a_file_that_leaves_the_normalisation_to_the_predictor_s_defaults() -> None:
    grey = np.full((1, 1, 3), 128, np.uint8)
    pixels = np.repeat(np.repeat(normalise(grey, Preprocess()), 40, axis=1), 40, axis=2)
    extractor = Extractor({"preprocess.json": b'{"resize": 256}'}, shown=False)
    (row,), _ = extractor.examine(ImageCall(None, None, None, 0.1, [pixels], [FOUND]))
    assert number(row, "brightness") == pytest.approx(0.5, abs=0.01)


def test_pixels_far_outside_of_what_images_have_are_black_or_white() -> None:
    pixels = np.full((3, 40, 40), np.finfo(np.float32).max, np.float32)
    extractor = Extractor(assets_of(ROOT / "samples" / "resnet-classifier"), shown=False)
    rows, _ = extractor.examine(ImageCall(None, None, None, 0.1, [pixels, -pixels], [FOUND, FOUND]))
    assert [number(row, "brightness") for row in rows] == [1, 0]


def test_a_row_keeps_nothing_of_the_answer_alive() -> None:
    """An answer of many images and outputs would stay in memory for as long as its window is open."""
    whole = np.ones((100, 3), np.float32)
    row = row_of(CAT.read_bytes(), Classification((), (), None, whole[0]))
    assert not np.shares_memory(np.asarray(row["model_embedding"]), whole)
