"""The image classifier's task: images in, classes out, over an engine that knows neither."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelserve.engines import Engine
from modelserve.errors import InvalidInput, RequestError
from modelserve.inputs import check_names, chosen_outputs, integer_parameter
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec, bytes_array
from modelserve.task import Call, Limits
from resnet_classifier.decoding import read_images, read_instances, read_pixels
from resnet_classifier.images import to_rgb
from resnet_classifier.labels import load_labels
from resnet_classifier.preprocess import Preprocess, normalise, resize_and_crop

INPUTS = (TensorSpec("image", "BYTES", (-1,)), TensorSpec("pixels", "FP32", (-1, 3, -1, -1)))

PIXELS_PER_BATCH = 32 * 224 * 224
"""Most pixels in one engine call: 32 images of the usual size, whose activations take about 1 GB
in a ResNet-50; more at once is hardly faster on a GPU and no faster on a CPU."""

_DECODERS = ThreadPoolExecutor(4, thread_name_prefix="decode")
"""Decodes images for all calls together, as one may take some hundred MB while it lasts."""

DEFAULT_TOP_K = 5

Item = Image.Image | npt.NDArray[np.float32]
"""An opened image whose pixels are not decoded yet, or a normalised tensor [3, height, width]."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What the model says of one image: float32 [classes], summing to 1, and float32 [d]."""

    probability: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]


Result = Classification | RequestError
"""An image that turns out to be corrupt fails alone; the call that holds it is refused when it is
encoded, and what was computed together with it is not."""


@dataclass(frozen=True, slots=True)
class ResNetOptions:
    """How many classes the answer names."""

    top_k: int


class ResNetTask:
    """``modelserve.task.Task`` for ResNets.

    One image is computed when the task is made: that tells the number of classes and the length of
    the embedding, and a first call does not pay for the engine's warming up.

    Args:
        engine: takes ``pixels``, float32 [batch, 3, height, width], and gives ``logits``
            [batch, classes] and ``embedding`` [batch, d].
        preprocess: how encoded images become tensors.
        model_dir: the folder with the labels.
        digest: of the weights.
        limits: the most that one request may ask for.

    Raises:
        ModelLoadError: the labels do not fit the weights.
    """

    inputs = INPUTS

    def __init__(
        self,
        engine: Engine,
        preprocess: Preprocess,
        model_dir: Path,
        *,
        digest: str,
        limits: Limits,
    ) -> None:
        self._engine = engine
        self._preprocess = preprocess
        self._limits = limits
        self.digest = digest
        blank = np.zeros((1, 3, preprocess.crop, preprocess.crop), np.float32)
        outputs = engine.run({"pixels": blank})
        self._classes: int = outputs["logits"].shape[1]
        self._labels = load_labels(model_dir, self._classes)
        self.outputs = (
            TensorSpec("label", "BYTES", (-1, -1)),
            TensorSpec("score", "FP32", (-1, -1)),
            TensorSpec("probability", "FP32", (-1, self._classes)),
            TensorSpec("embedding", "FP32", (-1, outputs["embedding"].shape[1])),
        )

    def decode(self, request: InferenceRequest) -> Call[Item, ResNetOptions]:
        """Check a V2 request and open its images; pixels are decoded in ``run``.

        Raises:
            InvalidInput: a wrong name, datatype, shape or parameter, or bytes that are no image.
            TooLarge: too many images, or one of too many bytes or pixels.
        """
        check_names(request, INPUTS)
        chosen_outputs(request, self.outputs, ())
        options = ResNetOptions(
            integer_parameter(
                request.parameters, "top_k", default=self._default_top_k, least=1, most=self._classes
            )
        )
        image, pixels = request.input("image"), request.input("pixels")
        if image is not None and pixels is None:
            return Call(read_images(image, self._limits), options)
        if pixels is not None and image is None:
            return Call(read_pixels(pixels, self._limits), options)
        raise InvalidInput(
            f"{'neither' if image is None else 'both'} of the inputs 'image' and 'pixels' "
            f"{'is' if image is None else 'are'} given; one of them is accepted"
        )

    def decode_v1(self, instances: Sequence[Any]) -> Call[Item, ResNetOptions]:
        """Check V1 instances, each ``{"b64": "..."}``, and open their images.

        Raises:
            InvalidInput: an instance of another form, or bytes that are no image.
            TooLarge: too many images, or one of too many bytes or pixels.
        """
        return Call(read_instances(instances, self._limits), ResNetOptions(self._default_top_k))

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Decode the images, in parallel where there are several, and classify them."""
        tensors = list((_DECODERS.map if len(items) > 1 else map)(self._to_tensor, items))
        results: dict[int, Result] = {}
        by_shape: defaultdict[tuple[int, ...], list[tuple[int, npt.NDArray[np.float32]]]]
        by_shape = defaultdict(list)
        for index, tensor in enumerate(tensors):
            if isinstance(tensor, RequestError):
                results[index] = tensor
            else:
                by_shape[tensor.shape].append((index, tensor))
        for (_, height, width), members in by_shape.items():
            size = max(1, PIXELS_PER_BATCH // (height * width))
            for start in range(0, len(members), size):
                indices, batch = zip(*members[start : start + size], strict=True)
                results.update(zip(indices, self._classify(np.stack(batch)), strict=True))
        return [results[index] for index in range(len(items))]

    def encode(
        self,
        results: Sequence[Result],
        call: Call[Item, ResNetOptions],
        request: InferenceRequest,
    ) -> tuple[Tensor, ...]:
        """Make the outputs asked for, or ``label`` and ``score``.

        Raises:
            InvalidInput: an image turned out to be cut off or corrupt.
        """
        found = _succeeded(results)
        probability = np.stack([one.probability for one in found])
        best = _best(probability, call.options.top_k)
        made = {
            "label": bytes_array([self._labels[c].encode() for c in best.ravel()], best.shape),
            "score": np.take_along_axis(probability, best, axis=1),
            "probability": probability,
            "embedding": np.stack([one.embedding for one in found]),
        }
        datatypes = {spec.name: spec.datatype for spec in self.outputs}
        names = chosen_outputs(request, self.outputs, ("label", "score"))
        return tuple(Tensor(name, datatypes[name], made[name]) for name in names)

    def encode_v1(self, results: Sequence[Result], call: Call[Item, ResNetOptions]) -> list[Any]:
        """Make V1 predictions: labels and scores of each image, best first.

        Raises:
            InvalidInput: an image turned out to be cut off or corrupt.
        """
        probability = np.stack([one.probability for one in _succeeded(results)])
        best = _best(probability, call.options.top_k)
        scores = np.take_along_axis(probability, best, axis=1)
        return [
            {"labels": [self._labels[c] for c in row], "scores": values}
            for row, values in zip(best.tolist(), scores.tolist(), strict=True)
        ]

    def _classify(self, pixels: npt.NDArray[np.float32]) -> list[Result]:
        computed = self._engine.run({"pixels": pixels})
        probabilities = _softmax(computed["logits"])
        return [
            Classification(probability, embedding)
            if np.isfinite(probability).all()
            else InvalidInput("its values are too large for the model; normalised pixels are accepted")
            for probability, embedding in zip(probabilities, computed["embedding"], strict=True)
        ]

    @property
    def _default_top_k(self) -> int:
        return min(DEFAULT_TOP_K, self._classes)

    def _to_tensor(self, item: Item) -> npt.NDArray[np.float32] | RequestError:
        if isinstance(item, np.ndarray):
            return item
        try:
            return normalise(resize_and_crop(to_rgb(item), self._preprocess), self._preprocess)
        except RequestError as error:
            return error


def _succeeded(results: Sequence[Result]) -> list[Classification]:
    found = []
    for position, result in enumerate(results):
        if isinstance(result, RequestError):
            raise type(result)(f"image {position}: {result}") from result
        found.append(result)
    return found


def _best(probability: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """The classes [n, count] of the highest probabilities; of equal ones, the lower class first."""
    best: npt.NDArray[np.intp] = np.argsort(-probability, axis=1, kind="stable")[:, :count]
    return best


def _softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    wide = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # an infinite logit makes its row NaN, which _classify refuses
        exponents = np.exp(wide - wide.max(1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)
    return probabilities
