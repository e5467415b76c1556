from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from modelserve.errors import InvalidInput, RequestError, TooLarge
from modelserve.images import EncodedImage, decode_image, open_image

LIMIT = 1_000_000


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def smooth(height: int = 24, width: int = 40) -> npt.NDArray[np.uint8]:
    """A gradient without symmetry, which survives lossy formats."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 6, y * 10, (x + y) * 3], -1).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """All pixels of an image, upright; no JPEG is reduced, as none has this many pixels to a side."""
    decoded = decode_image(open_image(data, max_pixels=LIMIT), least_side=LIMIT)
    assert (decoded.width, decoded.height) == decoded.pixels.size
    assert decoded.pixels.mode in {"L", "RGB", "RGBA"}
    return decoded.turn.apply(np.asarray(decoded.pixels.convert("RGB")))


def png_of(width: int, height: int) -> bytes:
    """A valid PNG header, with nothing behind it that would fill the picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def palette(*, transparency: bytes | int | None) -> bytes:
    options = {} if transparency is None else {"transparency": transparency}
    return encoded(Image.fromarray(smooth()).quantize(16), "PNG", **options)


RGB = Image.fromarray(smooth())
PLAIN = {
    "jpeg": encoded(RGB, "JPEG"),
    "progressive jpeg": encoded(RGB, "JPEG", progressive=True),
    "grey jpeg": encoded(RGB.convert("L"), "JPEG"),
    "cmyk jpeg": encoded(RGB.convert("CMYK"), "JPEG"),
    "png": encoded(RGB, "PNG"),
    "grey png": encoded(RGB.convert("L"), "PNG"),
    "one-bit png": encoded(RGB.convert("1"), "PNG"),
    "grey and alpha png": encoded(RGB.convert("LA"), "PNG"),
    "rgba png": encoded(Image.fromarray(noise(24, 40, 4)), "PNG"),
    "rgb png with a transparent colour": encoded(RGB, "PNG", transparency=(0, 0, 0)),
    "palette png": palette(transparency=None),
    "palette png with a transparent colour": palette(transparency=3),
    "webp": encoded(RGB, "WEBP"),
    "lossless webp": encoded(RGB, "WEBP", lossless=True),
    "rgba webp": encoded(Image.fromarray(noise(24, 40, 4)), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_pixels_are_those_of_pillow(data: bytes) -> None:
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data), expected)


@pytest.mark.parametrize("name", ["grey jpeg", "grey png", "one-bit png", "grey and alpha png"])
def test_grey_stays_grey(name: str) -> None:
    assert decode_image(open_image(PLAIN[name], max_pixels=LIMIT), least_side=1).pixels.mode == "L"


def test_a_palette_with_alpha_keeps_its_colours() -> None:
    np.testing.assert_array_equal(
        decode(palette(transparency=bytes(range(0, 160, 10)))), decode(palette(transparency=None))
    )


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    wide = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    data = encoded(Image.fromarray(wide), "PNG")
    np.testing.assert_array_equal(decode(data)[..., 0], wide >> 8)
    clipped = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert clipped.mean() > 250  # what Pillow alone would make of it


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_is_turned_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(RGB, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(decode(data), expected)


def test_sixteen_bit_grey_is_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100), "PNG", exif=exif)
    assert decode(data).shape == (30, 20, 3)


@pytest.mark.parametrize("notes", [b"MM\x00\x2a\xff\xff\xff\xff", b"no TIFF at all", b""])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_refuse_the_image(notes: bytes) -> None:
    data = encoded(RGB, "JPEG", exif=b"Exif\x00\x00" + notes)
    np.testing.assert_array_equal(decode(data), decode(PLAIN["jpeg"]))


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.fromarray(noise(20, 30, seed=seed)) for seed in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(decode(data), noise(20, 30, seed=0))


def test_the_first_picture_of_a_camera_s_several_counts() -> None:
    data = encoded(RGB, "MPO", save_all=True, append_images=[RGB.rotate(180)])
    assert data.startswith(b"\xff\xd8\xff")
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_what_follows_the_image_is_ignored(name: str) -> None:
    np.testing.assert_array_equal(decode(PLAIN[name] + b"trailing garbage" * 10), decode(PLAIN[name]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_image_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    data = encoded(Image.fromarray(noise(40, 40)), kind)
    with pytest.raises(
        InvalidInput, match=r"^the image('s header cannot be read| is cut off or corrupt); an"
    ):
        decode(data[: int(len(data) * share)])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PLAIN)), st.data())
@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd metadata
def test_corrupt_data_are_refused_or_decoded(name: str, data: st.DataObject) -> None:
    broken = bytearray(PLAIN[name])
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RequestError):  # anything else is a fault of ours
        assert decode(bytes(broken)).ndim == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the data is empty"),
        (b"hello", "no image of a known format"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no image of a known format"),
        *((encoded(RGB, kind), "no image of a known format") for kind in ("GIF", "BMP", "TIFF")),
        (b"\xff\xd8\xff", "header cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "header cannot be read"),
        (b"RIFF\x00\x00\x00\x00WEBP", "header cannot be read"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "no image of a known format"),
    ],
    ids=repr,
)
def test_other_data_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"{message}; an encoded JPEG, PNG or WebP image is accepted"):
        open_image(data, max_pixels=LIMIT)


@pytest.mark.parametrize("size", [(60_000, 60_000), (1001, 1000), (30_000, 4_000), (2**31 - 1, 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    data = png_of(*size)
    tracemalloc.start()
    with pytest.raises(TooLarge, match=f"{size[0]} x {size[1]} pixels; at most {LIMIT} pixels are accepted"):
        open_image(data, max_pixels=LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_webp_bomb_is_refused_by_its_header() -> None:
    canvas = struct.pack("<I", 16382)[:3]
    frame = PLAIN["lossless webp"][12:]
    body = b"VP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + canvas + canvas + frame
    data = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    with pytest.raises(RequestError):
        open_image(data, max_pixels=LIMIT)
    with pytest.raises(TooLarge, match="1200 x 900 pixels"):
        open_image(encoded(Image.new("RGB", (1200, 900)), "WEBP"), max_pixels=LIMIT)


def test_the_limit_itself_is_accepted() -> None:
    data = encoded(Image.new("RGB", (1000, 1000)), "PNG")
    assert open_image(data, max_pixels=LIMIT) == EncodedImage(data, 1000, 1000)


def test_the_size_is_that_before_turning() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = open_image(encoded(RGB, "JPEG", exif=exif), max_pixels=LIMIT)
    assert (image.width, image.height) == RGB.size


@pytest.mark.parametrize(
    ("least_side", "size", "covered"),
    [
        (202, (1001, 403), (1001, 403)),
        (201, (501, 202), (500.5, 201.5)),
        (100, (251, 101), (250.25, 100.75)),
        (1, (126, 51), (125.125, 50.375)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_large_jpeg_is_reduced(
    mode: str, least_side: int, size: tuple[int, int], covered: tuple[float, float]
) -> None:
    data = encoded(Image.new("RGB", (1001, 403), (200, 100, 50)).convert(mode), "JPEG", quality=95)
    decoded = decode_image(open_image(data, max_pixels=LIMIT), least_side=least_side)
    assert decoded.pixels.size == size
    assert (decoded.width, decoded.height) == covered


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_are_not_reduced(kind: str) -> None:
    data = encoded(Image.new("RGB", (1001, 403)), kind)
    decoded = decode_image(open_image(data, max_pixels=LIMIT), least_side=1)
    assert decoded.pixels.size == (decoded.width, decoded.height) == (1001, 403)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_that_is_cut_off_is_refused(progressive: bool) -> None:
    data = encoded(Image.fromarray(noise(900, 900)), "JPEG", quality=95, progressive=progressive)
    with pytest.raises(InvalidInput, match=r"^the image is cut off or corrupt; an"):
        decode_image(open_image(data[: len(data) * 9 // 10], max_pixels=LIMIT), least_side=100)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"0 x 5 pixels|header cannot be read"):
        open_image(png_of(0, 5), max_pixels=LIMIT)
