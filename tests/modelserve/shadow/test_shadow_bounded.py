"""What is kept of many calls: quantiles, a history and examples, all of a size that does not grow."""

from __future__ import annotations

import math
import sys
import tracemalloc

import numpy as np
import pytest

from modelserve.shadow.bounds import Bounds
from modelserve.shadow.gallery import Example, Gallery
from modelserve.shadow.history import History
from modelserve.shadow.latencies import Latencies
from modelserve.shadow.thumbnails import thumbnail


def test_quantiles_are_within_two_percent() -> None:
    seconds = np.random.default_rng(0).lognormal(-3, 1, 20_000)
    latencies = Latencies()
    for value in seconds.tolist():
        latencies.add(value)
    for share in (0.5, 0.9, 0.99):
        assert latencies.quantile(share) == pytest.approx(float(np.quantile(seconds, share)), rel=0.02)


def test_latencies_out_of_range() -> None:
    latencies = Latencies()
    assert math.isnan(latencies.quantile(0.5))
    for value in (-0.5, 0.0, 1e9):
        latencies.add(value)
    assert latencies.quantile(0.5) == pytest.approx(1e-5, rel=0.02)
    assert latencies.quantile(1.0) == pytest.approx(1e4, rel=0.02)
    assert [share for _, share in latencies.distribution()] == pytest.approx([2 / 3, 1.0])


def test_a_history_thins_itself_out_evenly() -> None:
    history = History()
    for count in range(1, 10_001):
        if history.is_due(count):
            history.add(Bounds(0.0, 0.0, 1.0, count))
    counts = [point.count for point in history.points(Bounds(0.0, 0.0, 1.0, 10_001))]
    assert 200 <= len(counts) <= 401
    assert counts[-1] == 10_001
    assert len(set(np.diff(counts[:-1]).tolist())) == 1


def example(number: int, severity: float) -> Example:
    return Example(f"call-{number}", 0.0, 0, severity, "a text", None, (), ())


def test_the_first_and_the_worst_are_kept() -> None:
    gallery = Gallery(2)
    severities = [0.1, 0.2, 0.9, 0.3, 0.8, 0.9, 0.1]
    for number, severity in enumerate(severities):
        if gallery.wants(severity):
            gallery.keep(example(number, severity))
    assert [one.call for one in gallery.examples()] == ["call-2", "call-5", "call-0", "call-1"]
    assert not gallery.wants(0.9), "of equals the earlier stay"


def test_a_gallery_of_none() -> None:
    gallery = Gallery(0)
    assert not gallery.wants(1.0)
    assert gallery.examples() == []


def test_memory_does_not_grow_with_calls() -> None:
    latencies, history, gallery = Latencies(), History(), Gallery(5)

    def take(begin: int, end: int) -> None:
        for count in range(begin, end):
            latencies.add(count / 1000)
            if history.is_due(count):
                history.add(Bounds(0.0, 0.0, 1.0, count))
            if gallery.wants(count / 1e6):
                gallery.keep(example(count, count / 1e6))

    take(1, 2000)
    tracemalloc.start()
    take(2000, 20_000)
    # What other threads hold, as a server's of another test, is not meant.
    ours = [tracemalloc.Filter(True, pattern) for pattern in ("*/modelserve/shadow/*", __file__)]
    traces = tracemalloc.take_snapshot().filter_traces(ours).traces
    tracemalloc.stop()
    grown = sum(trace.size for trace in traces)
    assert 0 < grown < 64 * 1024 + 1000 * sys.getsizeof(1.0)


def test_a_thumbnail_of_a_photograph(cat_jpeg: bytes) -> None:
    from io import BytesIO

    from PIL import Image

    small = thumbnail(cat_jpeg)
    assert small is not None
    with Image.open(BytesIO(small)) as opened:
        assert opened.format == "PNG"
        assert max(opened.size) == 96


def test_a_thumbnail_of_pixels() -> None:
    from io import BytesIO

    from PIL import Image

    pixels = np.zeros((3, 32, 48), np.float32) - 2.0
    pixels[0, :, 24:] = 2.0
    small = thumbnail(pixels)
    assert small is not None
    with Image.open(BytesIO(small)) as opened:
        assert opened.size == (48, 32)
        assert opened.getpixel((0, 0)) == (0, 0, 0)
        assert opened.getpixel((47, 31)) == (255, 0, 0)


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_pixels_that_are_all_the_same(value: float) -> None:
    assert thumbnail(np.full((3, 8, 8), value, np.float32)) is not None


@pytest.mark.parametrize("image", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_image_has_no_thumbnail(image: bytes) -> None:
    assert thumbnail(image) is None


def test_an_image_that_says_it_is_very_large_is_not_decoded() -> None:
    from io import BytesIO

    from PIL import Image

    packed = BytesIO()
    Image.new("1", (5000, 5000)).save(packed, "PNG")
    assert len(packed.getvalue()) < 10_000
    assert thumbnail(packed.getvalue()) is None


def test_a_truncated_photograph(cat_jpeg: bytes) -> None:
    assert thumbnail(cat_jpeg[: len(cat_jpeg) // 2]) is None
