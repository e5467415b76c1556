"""How ``modelserve export`` converts a ResNet, and what it judges it by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from modelserve.engines import Arrays
from modelserve.errors import ExportError, RequestError
from modelserve.images import open_image
from modelserve.task import Limits
from resnet_classifier.engine import KIND, is_resnet
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = 8
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class ResNetRecipe:
    """``modelserve.export.Recipe`` of this unit."""

    kind = KIND

    def accepts(self, model_dir: Path) -> bool:
        """Whether the folder may hold a ResNet."""
        return is_resnet(model_dir)

    def read_samples(self, model_dir: Path, path: Path) -> Sequence[Arrays]:
        """Read a folder of images and of folders of them.

        Raises:
            ExportError: there are none, or one cannot be read.
        """
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not files:
            raise ExportError(f"{path} is no folder with images; {', '.join(SUFFIXES)} are accepted")
        spec = Preprocess.load(model_dir)
        return [
            {"pixels": np.stack([_read(file, spec) for file in files[start : start + BATCH]])}
            for start in range(0, len(files), BATCH)
        ]

    def quantise(self, graph: ModelProto, samples: Sequence[Arrays], target: Path) -> None:
        """Write the graph with int8 weights, and uint8 activations scaled for the samples."""
        from onnxruntime.quantization import (  # noqa: PLC0415
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        from modelserve.engines.graph import mark_preprocessed  # noqa: PLC0415
        from resnet_classifier.graph import HEAD, STEM  # noqa: PLC0415

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self.batches: Iterator[Arrays] = iter(samples)

            def get_next(self) -> Arrays | None:
                return next(self.batches, None)

        quantize_static(
            mark_preprocessed(graph),
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            # The first and the last layer are most of the error and little of the time.
            nodes_to_exclude=[STEM, HEAD],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Seven bits: with eight, sums of two products saturate on CPUs without VNNI.
            reduce_range=True,
        )

    def logits(self, outputs: Arrays, inputs: Arrays) -> npt.NDArray[Any]:
        """The logits [n, classes] of all images."""
        return outputs["logits"]


def _read(file: Path, spec: Preprocess) -> npt.NDArray[np.float32]:
    try:
        pixels = load_pixels(open_image(file.read_bytes(), max_pixels=Limits().image_pixels), spec)
    except (OSError, RequestError) as error:
        raise ExportError(f"{file} cannot be read: {error}") from error
    return normalise(pixels, spec)


RECIPE = ResNetRecipe()
