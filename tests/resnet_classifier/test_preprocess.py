from __future__ import annotations

import io
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from modelserve.errors import ModelLoadError
from resnet_classifier.preprocess import Preprocess, decode_image, normalise, resize_and_crop


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


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


SPECS = [
    Preprocess(),
    Preprocess(resize=232),
    Preprocess(resize=33, crop=32, interpolation="bicubic"),
    Preprocess(resize=32, crop=32, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    Preprocess(resize=64, crop=1, mean=(0, 0, 0), std=(1, 1, 1)),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SPECS), st.integers(1, 400), st.integers(1, 400), st.integers(0, 99))
def test_tensors_are_those_of_torchvision(spec: Preprocess, height: int, width: int, seed: int) -> None:
    if max(height, width) > 64 * min(height, width):
        height = width = max(height, width)
    image = noise(height, width, seed)
    tensor = normalise(resize_and_crop(image, spec), spec)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor, reference(image, spec).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (10, 640), (640, 10), (1, 64), (224, 224), (256, 257), (1984, 31)])
def test_odd_shapes_are_those_of_torchvision(size: tuple[int, int]) -> None:
    spec, image = Preprocess(), noise(*size)
    tensor = normalise(resize_and_crop(image, spec), spec)
    np.testing.assert_allclose(tensor, reference(image, spec).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_every_value_of_a_pixel_is_normalised_as_torchvision_does(spec: Preprocess) -> None:
    pixels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    expected = transforms.Normalize(spec.mean, spec.std)(transforms.ToTensor()(pixels))
    np.testing.assert_allclose(normalise(pixels, spec), expected.numpy(), rtol=0, atol=1e-6)
    assert normalise(pixels[None, None], spec).shape == (1, 1, 3, 16, 16)


@pytest.mark.parametrize("size", [(3, 900), (900, 3)])
def test_a_strip_is_resized_without_its_far_ends(size: tuple[int, int]) -> None:
    spec = Preprocess(resize=32, crop=32)
    height, width = size
    long = np.linspace(0, 255, max(size))[:, None, None] + np.zeros((1, min(size), 3))
    values = (long if height > width else long.transpose(1, 0, 2)).astype(np.uint8)
    expected = np.asarray(transforms.CenterCrop(32)(transforms.Resize(32)(Image.fromarray(values))))
    assert np.abs(resize_and_crop(Image.fromarray(values), spec).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [(1, 10_000_000), (10_000_000, 1)])
def test_a_long_strip_takes_no_memory(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (1, 2, 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cropped = resize_and_crop(image, Preprocess())
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100  # resized as a whole it would take 1.8 TiB
    np.testing.assert_array_equal(cropped, np.full((224, 224, 3), (1, 2, 3)))


def test_decode_image_opens_and_decodes() -> None:
    file = io.BytesIO()
    noise(5, 7).save(file, "PNG")
    np.testing.assert_array_equal(decode_image(file.getvalue(), max_pixels=35), noise(5, 7))


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
