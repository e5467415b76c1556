"""Train the sample classifier: a ten-layer torchvision ResNet on CIFAR-10's photographs.

    python -m resnet_classifier.train --data cifar10.zip --output samples/resnet-classifier

``--data`` is a folder, or a zip of one, with ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``;
the classes are the folders' names. ``--bf16`` halves the time where the processor multiplies bfloat16
(AVX-512 BF16 or AMX); elsewhere it is slower. A run that was cut off goes on from its last whole epoch.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save as to_safetensors
from torch import nn
from torchvision.models import ResNet

from modelserve.images import open_image
from resnet_classifier.architecture import Architecture
from resnet_classifier.network import build_network
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

SPEC = Preprocess(resize=32, crop=32, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
PADDING = 4
PEAK_RATE = 0.2
WEIGHT_DECAY = 5e-4
MAX_PIXELS = 50_000_000


def read_images(data: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], list[str]]:
    """Decode a split with the predictor's own preprocessing.

    Returns:
        uint8 [n, 32, 32, 3], int64 [n] and the class names in alphabetical order.
    """
    files = sorted(_files(data, split))
    classes = sorted({label for label, _, _ in files})
    if not files:
        sys.exit(f"{data} holds no {split}/<class>/*.jpg")
    images = np.empty((len(files), SPEC.crop, SPEC.crop, 3), np.uint8)
    for row, (_, _, encoded) in enumerate(files):
        images[row] = load_pixels(open_image(encoded, max_pixels=MAX_PIXELS), SPEC)
    labels = np.array([classes.index(label) for label, _, _ in files], np.int64)
    return images, labels, classes


def _files(data: Path, split: str) -> Iterator[tuple[str, str, bytes]]:
    if data.is_dir():
        for path in (data / split).glob("*/*.jpg"):
            yield path.parent.name, path.name, path.read_bytes()
        return
    with zipfile.ZipFile(io.BytesIO(data.read_bytes())) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if len(parts) == 3 and parts[0] == split and name.endswith(".jpg"):
                yield parts[1], parts[2], archive.read(name)


def augment(images: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Flip half of the images and shift each by up to ``PADDING`` pixels, mirrored beyond its edges."""
    count = len(images)
    flipped = np.where(random.random((count, 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
    padded = np.pad(flipped, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)), "reflect")
    offsets = random.integers(0, 2 * PADDING + 1, (2, count))
    rows = offsets[0][:, None, None] + np.arange(SPEC.crop)[None, :, None]
    columns = offsets[1][:, None, None] + np.arange(SPEC.crop)[None, None, :]
    crops: npt.NDArray[np.uint8] = padded[np.arange(count)[:, None, None], rows, columns]
    return crops


def to_tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Normalise as the predictor does; float32 [n, 3, height, width], channels last in memory."""
    return torch.from_numpy(normalise(images, SPEC)).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(network: nn.Module, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> float:
    """Share of images whose first label is right."""
    network.eval()
    right = 0
    for start in range(0, len(images), 500):
        scores = network(to_tensor(images[start : start + 500]))
        right += int((scores.argmax(1).numpy() == labels[start : start + 500]).sum())
    return right / len(images)


def parameter_groups(network: nn.Module) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only, not for biases and normalisation."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": plain, "weight_decay": 0.0},
    ]


def learning_rate(progress: float) -> float:
    """A ramp to the peak over a fifth of the run, then a line to zero; ``progress`` in [0, 1]."""
    return PEAK_RATE * (progress / 0.2 if progress < 0.2 else (1 - progress) / 0.8)


def train(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    classes: int,
    *,
    epochs: int,
    batch: int,
    seed: int,
    bf16: bool,
    checkpoint: Path,
) -> ResNet:
    """Train from scratch, or from ``checkpoint`` where an earlier run left one."""
    torch.manual_seed(seed)
    network: ResNet = build_network(
        Architecture(bottleneck=False, layers=(1, 1, 1, 1), classes=classes, small_stem=True)
    ).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(parameter_groups(network), lr=PEAK_RATE, momentum=0.9, nesterov=True)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    steps = len(images) // batch
    for epoch in range(first, epochs):
        random = np.random.default_rng((seed, epoch))
        order = random.permutation(len(images))
        network.train()
        began, total = time.monotonic(), 0.0
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            rate = learning_rate((epoch * steps + step) / (epochs * steps))
            for group in optimiser.param_groups:
                group["lr"] = rate
            pixels = to_tensor(augment(images[rows], random))
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                scores = network(pixels)
            loss = loss_of(scores.float(), torch.from_numpy(labels[rows]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        seconds = time.monotonic() - began
        print(f"epoch {epoch + 1}/{epochs} loss {total / steps:.4f} in {seconds:.0f} s", flush=True)
        state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
        torch.save({**state, "epoch": epoch + 1}, checkpoint)
    return network


def save(network: nn.Module, classes: Iterable[str], output: Path) -> None:
    """Write a model folder: weights in half precision, labels and preprocessing."""
    output.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    # Not save_file, which makes a file that its owner alone may read.
    (output / "model.safetensors").write_bytes(to_safetensors(weights, metadata={"format": "pt"}))
    (output / "labels.txt").write_text("".join(f"{name}\n" for name in classes), "utf-8")
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(SPEC).items()}
    (output / "preprocess.json").write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def main(argv: list[str] | None = None) -> None:
    """Train, save and print the accuracy on the test split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder or zip of images")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--checkpoint", type=Path, default=Path("resnet-checkpoint.pt"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16, keep weights in float32")
    options = parser.parse_args(argv)
    images, labels, classes = read_images(options.data, "train")
    network = train(
        images,
        labels,
        len(classes),
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        bf16=options.bf16,
        checkpoint=options.checkpoint,
    )
    save(network, classes, options.output)
    test_images, test_labels, _ = read_images(options.data, "test")
    print(f"test accuracy {accuracy(network, test_images, test_labels):.4f} of {len(test_labels)}")


if __name__ == "__main__":
    main()
