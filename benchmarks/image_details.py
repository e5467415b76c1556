"""Measures what else is on the way from a request's bytes to an image's tensor.

    python benchmarks/image_details.py --data FOLDER

What a classifier answers for images that are reduced while they are decoded (``FOLDER`` holds
``cifar10.zip``); normalising; base64; and how long one thread waits while another reads an image. The
figures are in docs/adr/0006-image-decoding.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import importlib.util
import io
import statistics
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelserve.images import decode_image, open_image
from resnet_classifier.engine import load_engine
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise, resize_and_crop

Pixels = npt.NDArray[np.uint8]

SAMPLES = Path(__file__).parents[1] / "samples"
LIMIT = 50_000_000


def encoded(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    """The image's bytes in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reducing(data: Path) -> None:
    """Answers of the sample classifier for enlarged photographs, reduced, whole and encoded again."""
    folder = SAMPLES / "resnet-classifier"
    spec = Preprocess.load(folder)
    engine, _ = load_engine(folder, engine="onnx")

    def probability(jpeg: bytes, kept: int) -> npt.NDArray[np.float64]:
        decoded = decode_image(open_image(jpeg, max_pixels=LIMIT), least_side=kept * spec.resize)
        logits = engine.run({"pixels": normalise(resize_and_crop(decoded, spec), spec)[None]})["logits"][0]
        exponents = np.exp(logits.astype(np.float64) - logits.max())
        found: npt.NDArray[np.float64] = exponents / exponents.sum()
        return found

    moved: dict[str, list[float]] = {}
    alike: dict[str, list[bool]] = {}
    with zipfile.ZipFile(data / "cifar10.zip") as archive:
        names = [n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg")][::10]
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            image = image.resize((256, 256), Image.Resampling.BICUBIC)
            jpeg = encoded(image, quality=90)
            whole = probability(jpeg, LIMIT)
            others = {f"keeping {kept}x": probability(jpeg, kept) for kept in (2, 3)}
            others["whole, quality 85"] = probability(encoded(image, quality=85), LIMIT)
            for title, other in others.items():
                moved.setdefault(title, []).append(float(np.abs(other - whole).max()))
                alike.setdefault(title, []).append(bool(other.argmax() == whole.argmax()))
    for title, values in moved.items():
        print(
            f"{title}: of {len(values)} images {np.mean(alike[title]):.2%} have the same label; a "
            f"probability moves by {np.median(values):.4f} in the median, {np.percentile(values, 99):.3f} "
            f"at the 99th percentile, {max(values):.3f} at most"
        )


def ratios(title: str, contenders: Mapping[str, Callable[[], object]]) -> None:
    """One line of medians over rounds in which contenders take turns, as ratios to the first."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(100):
        for name, call in contenders.items():
            began = time.process_time()
            call()
            times[name].append(time.process_time() - began)
    found = {name: statistics.median(values) for name, values in times.items()}
    first, *others = found
    line = ", ".join(f"{name} {found[name] / found[first]:.2f}" for name in others)
    print(f"{title}: {first} {found[first] * 1000:.2f} ms, {line}")


def normalising() -> None:
    """One image, and a batch of eight."""
    spec = Preprocess()
    pixels = [load_pixels(open_image((SAMPLES / "images/cat.jpg").read_bytes(), max_pixels=LIMIT), spec)] * 8
    std, mean = np.asarray(spec.std), np.asarray(spec.mean)
    scale, shift = (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
    table = np.arange(256, dtype=np.float32)[:, None] * scale + shift

    def colours_innermost(values: Pixels) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(np.moveaxis(values * scale + shift, -1, -3))

    def looked_up(values: Pixels) -> npt.NDArray[np.float32]:
        return np.stack([table[:, channel][values[..., channel]] for channel in range(3)])

    def into_rows() -> None:
        batch = np.empty((8, 3, spec.crop, spec.crop), np.float32)
        for values, row in zip(pixels, batch, strict=True):
            normalise(values, spec, out=row)

    one = pixels[0]
    ratios(
        "normalise one image",
        {
            "colours innermost": lambda: colours_innermost(one),
            "looked up": lambda: looked_up(one),
            "normalise": lambda: normalise(one, spec),
        },
    )
    ratios(
        "a batch of eight",
        {
            "colours innermost, stacked": lambda: np.stack([colours_innermost(v) for v in pixels]),
            "normalise, stacked": lambda: np.stack([normalise(v, spec) for v in pixels]),
            "stacked, normalise": lambda: normalise(np.stack(pixels), spec),
            "normalise into rows": into_rows,
        },
    )


def unpacking_base64() -> None:
    """One megabyte."""
    text = base64.b64encode(np.random.default_rng(0).bytes(1_000_000))
    contenders: dict[str, Callable[[], object]] = {
        "b64decode(validate=True)": lambda: base64.b64decode(text, validate=True),
        "a2b_base64": lambda: binascii.a2b_base64(text),
    }
    if importlib.util.find_spec("pybase64"):
        import pybase64  # noqa: PLC0415

        contenders["pybase64"] = lambda: pybase64.b64decode(text, validate=True)
    ratios("base64 of 1 MB", contenders)


def waiting() -> None:
    """The longest that a thread, which sleeps 0.2 ms at a time, is kept from running by another."""
    picture = Image.open(SAMPLES / "images/cat.jpg").convert("RGB").resize((4000, 3000))
    images = {
        "JPEG": encoded(picture, quality=95, subsampling=0),
        "PNG": encoded(picture, "PNG", compress_level=1),
        "WebP": encoded(picture, "WEBP", method=0),
    }
    spec, text = Preprocess(), base64.b64encode(images["PNG"])

    def load(data: bytes) -> None:
        load_pixels(open_image(data, max_pixels=LIMIT), spec)

    jobs: dict[str, Callable[[], object]] = {
        "nothing": lambda: time.sleep(0.1),
        "the whole JPEG decoded": lambda: decode_image(
            open_image(images["JPEG"], max_pixels=LIMIT), least_side=LIMIT
        ),
        "12 megapixels resized": lambda: picture.resize((3000, 2000), Image.Resampling.BILINEAR),
        **{f"load_pixels of a {kind}": lambda data=data: load(data) for kind, data in images.items()},
        f"base64 of {len(text) / 1e6:.0f} MB": lambda: base64.b64decode(text, validate=True),
    }
    for title, job in jobs.items():
        worker = threading.Thread(target=lambda job=job: [job() for _ in range(5)])
        worker.start()
        longest, last = 0.0, time.perf_counter()
        while worker.is_alive():
            time.sleep(0.0002)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        print(f"beside {title}: {longest * 1000:.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10.zip")
    reducing(parser.parse_args().data)
    normalising()
    unpacking_base64()
    waiting()
