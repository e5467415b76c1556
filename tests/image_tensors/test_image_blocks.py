"""Images in blocks: the tensors are the predictor's own, and a request has a bounded size."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_tensors.tensors import block_sizes, decode_images, split_pixels
from modelserve.errors import InvalidInput
from modelserve.images import EncodedImage, open_image
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

SPEC = Preprocess(resize=40, crop=32)


def image(seed: int, kind: str = "PNG", size: tuple[int, int] = (50, 44)) -> EncodedImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return open_image(file.getvalue(), max_pixels=1_000_000)


@given(st.integers(1, 300), st.integers(32, 3000), st.integers(32, 3000))
def test_a_request_is_bounded_and_full(images: int, height: int, width: int) -> None:
    sizes = block_sizes(images, height, width)
    assert sum(sizes) == images
    assert set(sizes[:-1]) <= {sizes[0]}
    assert 1 <= sizes[-1] <= sizes[0] <= 16
    one = 3 * height * width * 4
    assert sizes[0] == 1 or sizes[0] * one <= 8_000_000
    if len(sizes) > 1:
        assert sizes[0] == 16 or (sizes[0] + 1) * one > 8_000_000


def test_the_usual_images_make_requests_that_every_grpc_server_takes() -> None:
    assert block_sizes(30, 224, 224) == [13, 13, 4]
    assert 13 * 3 * 224 * 224 * 4 < 8 * 1024 * 1024


@pytest.mark.parametrize("count", [1, 2, 16, 17, 40])
def test_tensors_are_the_predictors(count: int) -> None:
    images = [image(seed, "JPEG" if seed % 2 else "PNG") for seed in range(count)]
    blocks = decode_images(images, SPEC)
    assert [len(block) for block in blocks] == block_sizes(count, 32, 32)
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    expected = np.stack([normalise(load_pixels(one, SPEC), SPEC) for one in images])
    np.testing.assert_array_equal(np.concatenate(blocks), expected)


@pytest.mark.parametrize("count", [1, 16, 33])
def test_pixels_are_split_without_a_copy(count: int) -> None:
    pixels = np.random.default_rng(0).normal(size=(count, 3, 32, 40)).astype(np.float32)
    blocks = split_pixels(pixels)
    assert [len(block) for block in blocks] == block_sizes(count, 32, 40)
    np.testing.assert_array_equal(np.concatenate(blocks), pixels)
    assert all(np.shares_memory(block, pixels) for block in blocks)


def test_the_first_corrupt_image_is_named() -> None:
    whole = image(0, "JPEG", (200, 200))
    torn = open_image(whole.data[: len(whole.data) // 2], max_pixels=1_000_000)
    with pytest.raises(InvalidInput, match=r"^image 0: the image is cut off or corrupt; "):
        decode_images([torn], SPEC)
    with pytest.raises(InvalidInput, match=r"^image 18: the image is cut off or corrupt; "):
        decode_images([whole] * 18 + [torn, whole, torn], SPEC)


def test_tensors_are_held_once() -> None:
    spec = Preprocess(resize=256, crop=256)
    images = [image(0, "PNG", (64, 64))] * 40
    decode_images(images[:2], spec)
    tracemalloc.start()
    blocks = decode_images(images, spec)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * sum(block.nbytes for block in blocks)
