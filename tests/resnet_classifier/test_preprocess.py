from __future__ import annotations

import io
import json
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision import transforms

from modelserve.errors import ModelLoadError
from modelserve.images import UPRIGHT, DecodedImage, Turn, open_image
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise, resize_and_crop


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def decoded(image: Image.Image, turn: Turn = UPRIGHT) -> DecodedImage:
    return DecodedImage(image, *image.size, turn)


def reference(image: Image.Image, spec: Preprocess) -> torch.Tensor:
    """Torchvision's classification preset."""
    preset = transforms.Compose(
        [
            transforms.Resize(spec.resize, transforms.InterpolationMode(spec.interpolation)),
            transforms.CenterCrop(spec.crop),
            transforms.ToTensor(),
            transforms.Normalize(spec.mean, spec.std),
        ]
    )
    tensor: torch.Tensor = preset(image)
    return tensor


def difference(pixels: npt.NDArray[np.uint8], image: Image.Image, spec: Preprocess) -> npt.NDArray[np.int64]:
    """By how much pixels differ from torchvision's.

    Pillow resizes rows and columns one after the other and rounds in between; since Pillow 12 it
    chooses the order by the sizes, of which ours is not torchvision's. Of both orders, the nearer counts.
    """
    resize = transforms.Resize(spec.resize, transforms.InterpolationMode(spec.interpolation))
    cut, whole = transforms.CenterCrop(spec.crop), resize(image)
    resample = Image.Resampling[spec.interpolation.upper()]
    steps = [(whole.width, image.height), (image.width, whole.height)]
    orders = [whole, *(image.resize(step, resample).resize(whole.size, resample) for step in steps)]
    found = [np.abs(pixels - np.asarray(cut(order), np.int64)) for order in orders]
    return min(found, key=lambda values: float(values.mean()))


SPECS = [
    Preprocess(),
    Preprocess(resize=232),
    Preprocess(resize=33, crop=32, interpolation="bicubic"),
    Preprocess(resize=32, crop=32, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    Preprocess(resize=64, crop=1, mean=(0, 0, 0), std=(1, 1, 1)),
]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SPECS),
    st.sampled_from(["bilinear", "bicubic"]),
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(0, 99),
)
def test_pixels_are_those_of_torchvision_but_for_rounding(
    spec: Preprocess, interpolation: str, height: int, width: int, seed: int
) -> None:
    if max(height, width) > 40 * min(height, width):
        height = width = max(height, width)
    spec = replace(spec, interpolation=interpolation)
    image = noise(height, width, seed)
    found = difference(resize_and_crop(decoded(image), spec), image, spec)
    assert found.max() <= 2  # a value that was rounded twice
    assert np.count_nonzero(found == 2) <= 10 + 0.001 * found.size  # of small images chance makes a few


@pytest.mark.parametrize("size", [(75, 100), (300, 200), (375, 500), (500, 400), (256, 300)])
@pytest.mark.parametrize("spec", SPECS[:2])
def test_tensors_are_those_of_torchvision_but_for_rounding(spec: Preprocess, size: tuple[int, int]) -> None:
    image = noise(*size)
    tensor = normalise(resize_and_crop(decoded(image), spec), spec)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    level = 1 / (255 * min(spec.std))
    found = np.abs(tensor - reference(image, spec).numpy())
    assert found.max() <= 2 * level + 1e-6
    assert (found > level + 1e-6).mean() < 0.0001
    assert (found > 1e-6).mean() < (0.03 if size[1] >= size[0] else 0.3)  # the order is another


@pytest.mark.parametrize(
    "size", [(1, 1), (10, 640), (640, 10), (1, 64), (224, 224), (256, 257), (1984, 31), (1, 65), (3000, 2)]
)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_odd_shapes_are_those_of_torchvision(size: tuple[int, int], interpolation: str) -> None:
    spec, image = Preprocess(interpolation=interpolation), noise(*size)
    found = difference(resize_and_crop(decoded(image), spec), image, spec)
    assert found.max() <= 1
    assert (found > 0).mean() < 0.01


def test_pixels_that_are_not_resized_are_those_of_the_image() -> None:
    image = noise(256, 300)
    np.testing.assert_array_equal(
        resize_and_crop(decoded(image), Preprocess()), np.asarray(image)[16:240, 38:262]
    )


@pytest.mark.parametrize("spec", SPECS)
def test_every_value_of_a_pixel_is_normalised_as_torchvision_does(spec: Preprocess) -> None:
    pixels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    expected = transforms.Normalize(spec.mean, spec.std)(transforms.ToTensor()(pixels))
    np.testing.assert_allclose(normalise(pixels, spec), expected.numpy(), rtol=0, atol=1e-6)
    assert normalise(pixels[None, None], spec).shape == (1, 1, 3, 16, 16)


def test_pixels_are_normalised_into_a_row_of_a_batch() -> None:
    spec, pixels = Preprocess(), np.asarray(noise(5, 7))
    batch = np.full((3, 3, 5, 7), 9, np.float32)
    assert np.shares_memory(normalise(pixels, spec, out=batch[1]), batch)
    np.testing.assert_array_equal(batch[1], normalise(pixels, spec))
    np.testing.assert_array_equal(batch[[0, 2]], 9)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(50, 77), (77, 50), (3, 900)])
def test_an_image_that_lies_on_its_side_is_cut_as_if_upright(orientation: int, size: tuple[int, int]) -> None:
    spec = Preprocess(resize=33, crop=32)  # a rest of one pixel, which is cut off at one end
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    noise(*size).save(file, "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(file))
    pixels = load_pixels(open_image(file.getvalue(), max_pixels=10_000), spec)
    assert difference(pixels, upright, spec).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK", "1"])
def test_other_modes_answer_as_their_conversion_to_rgb_does(mode: str) -> None:
    image = noise(90, 120)
    if mode == "RGBA":
        image.putalpha(noise(90, 120, seed=1).getchannel(0))
    else:
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG" if mode == "CMYK" else "PNG", quality=90)
    expected = resize_and_crop(decoded(Image.open(file).convert("RGB")), Preprocess())
    pixels = load_pixels(open_image(file.getvalue(), max_pixels=100_000), Preprocess())
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("size", [(10_000_000, 3), (3, 10_000_000)])
def test_the_centre_of_a_strip_is_that_of_a_shorter_one(size: tuple[int, int]) -> None:
    spec, centre = Preprocess(), noise(min(size[0], 700), min(size[1], 700))
    strip = Image.new("RGB", (size[1], size[0]))
    strip.paste(centre, ((strip.width - centre.width) // 2, (strip.height - centre.height) // 2))
    assert difference(resize_and_crop(decoded(strip), spec), centre, spec).max() <= 1


@pytest.mark.parametrize("size", [(1, 10_000_000), (10_000_000, 1)])
def test_a_long_strip_takes_no_memory(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (1, 2, 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cropped = resize_and_crop(decoded(image), Preprocess())
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100  # resized as a whole it would take 1.8 TiB
    np.testing.assert_array_equal(cropped, np.full((224, 224, 3), (1, 2, 3)))


def test_a_folder_without_the_file_is_torchvision_s_imagenet(tmp_path: Path) -> None:
    assert Preprocess.load(tmp_path) == Preprocess(256, 224, "bilinear")


def test_the_file_is_read(tmp_path: Path) -> None:
    content = {"resize": 40, "crop": 32, "interpolation": "bicubic", "mean": [0, 0.5, 1], "std": [1, 2, 3]}
    (tmp_path / "preprocess.json").write_text(json.dumps(content), "utf-8")
    assert Preprocess.load(tmp_path) == Preprocess(40, 32, "bicubic", (0, 0.5, 1), (1, 2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "must be a JSON object of resize, crop"),
        ({"size": 3}, "must be a JSON object of resize, crop"),
        ({"crop": 300}, "crop 300 and resize 256 must be integers"),
        ({"crop": 0}, "crop above zero"),
        ({"crop": "32"}, "must be integers"),
        ({"resize": 256.5}, "must be integers"),
        ({"crop": True}, "must be integers"),
        ({"interpolation": "nearest"}, "'nearest' is unknown; bilinear and bicubic are accepted"),
        ({"interpolation": ["bilinear"]}, "is unknown"),
        ({"mean": [0.5, 0.5]}, "three numbers"),
        ({"mean": 0.5}, "three numbers"),
        ({"mean": ["a", "b", "c"]}, "three numbers"),
        ('{"mean": [NaN, 0, 0]}', "three numbers"),
        ({"std": [0, 1, 1]}, "std above zero"),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "preprocess.json").write_text(text, "utf-8")
    with pytest.raises(ModelLoadError, match=message):
        Preprocess.load(tmp_path)


def test_a_file_of_another_name(tmp_path: Path) -> None:
    path = tmp_path / "pictures.json"
    with pytest.raises(ModelLoadError, match=r"pictures\.json cannot be read: No such file"):
        Preprocess.read(path)
    with pytest.raises(ModelLoadError, match="cannot be read: Is a directory"):
        Preprocess.read(tmp_path)
    path.write_text('{"resize": 40, "crop": 32}', "utf-8")
    assert Preprocess.read(path) == Preprocess(40, 32)
