"""The image classifier's task: images in, classes out, over an engine that knows neither."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import modelserve
from modelserve.batching.planner import BatchPolicy, Unit
from modelserve.engines import Engine
from modelserve.errors import InvalidInput, RequestError
from modelserve.images import EncodedImage
from modelserve.inputs import check_names, chosen_outputs, integer_parameter
from modelserve.protocol.messages import InferenceRequest, Tensor, TensorSpec, bytes_array
from modelserve.task import Call, Limits, Prepared, Task
from resnet_classifier.decoding import INPUTS, read_images, read_instances, read_pixels
from resnet_classifier.labels import load_labels
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

_USUAL = 224 * 224

ACCELERATED = BatchPolicy(budget=32 * _USUAL)
"""In pixels: 32 images of the usual size, whose activations take about 1 GB in a ResNet-50; more at
once is hardly faster on a GPU."""

ON_A_CPU = BatchPolicy(budget=8 * _USUAL, most_units=64)
"""More at once is no faster on a few cores, and the next call would wait longer behind it."""

_DECODERS = ThreadPoolExecutor(4, thread_name_prefix="decode")
"""Decodes the images of calls with several, as one may take some hundred MB while it lasts."""

DEFAULT_TOP_K = 5

Pixels = npt.NDArray[np.float32]
"""A normalised image, [3, height, width]."""

Item = EncodedImage | Pixels
"""An encoded image whose pixels are not decoded yet, or a normalised tensor [3, height, width]."""


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


class ResNetTask(Task[Item, Pixels, Result, Result, ResNetOptions]):
    """``modelserve.task.Task`` for ResNets; a unit is an image, its size is in pixels.

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
        self.policy = ACCELERATED if engine.is_accelerated else ON_A_CPU
        shape = repr((modelserve.__version__, "resnet_classifier", engine.name, preprocess))
        self.fingerprint = hashlib.sha256(shape.encode()).hexdigest()
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
        """Check a V2 request and open its images; pixels are decoded in ``prepare``.

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
            return Call(list(read_pixels(pixels, self._limits)), options)
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

    def prepare(self, items: Sequence[Item]) -> list[Prepared[Pixels, Result, Result]]:
        """Decode and normalise the images, in parallel where there are several."""
        tensors = (_DECODERS.map if len(items) > 1 else map)(self._to_tensor, items)
        return [_prepared(tensor) for tensor in tensors]

    def compute(self, batch: Sequence[Pixels]) -> list[Result]:
        """Classify a batch of images of one shape."""
        computed = self._engine.run({"pixels": np.stack(batch)})
        probabilities = _softmax(computed["logits"])
        return [
            Classification(probability, embedding)
            if np.isfinite(probability).all()
            else InvalidInput("its values are too large for the model; normalised pixels are accepted")
            for probability, embedding in zip(probabilities, computed["embedding"], strict=True)
        ]

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

    def sample(self) -> InferenceRequest:
        """A grey image, in JPEG."""
        side = self._preprocess.resize
        encoded = io.BytesIO()
        Image.new("RGB", (side, side), (128, 128, 128)).save(encoded, "JPEG")
        return InferenceRequest("", (Tensor("image", "BYTES", bytes_array([encoded.getvalue()], (1,))),))

    def predictions(self, results: Sequence[Result]) -> tuple[list[str], list[float]]:
        """The first label of every image, and its probability."""
        best = [
            (r.probability.argmax(), r.probability.max()) for r in results if isinstance(r, Classification)
        ]
        return [self._labels[c] for c, _ in best], [float(score) for _, score in best]

    def item_bytes(self, item: Item) -> bytes:
        """The encoded image, or the shape and the bytes of the tensor; the first byte tells which."""
        if isinstance(item, EncodedImage):
            return b"i" + item.data
        return b"t" + repr(item.shape).encode() + item.tobytes()

    def pack(self, result: Result) -> bytes | None:
        """Probabilities and embedding, side by side; None for an image that has none."""
        if isinstance(result, RequestError):
            return None
        return np.concatenate([result.probability, result.embedding]).astype("<f4").tobytes()

    def unpack(self, packed: bytes) -> Classification:
        """The probabilities and the embedding of those bytes."""
        values = np.frombuffer(packed, "<f4")
        return Classification(values[: self._classes], values[self._classes :])

    @property
    def _default_top_k(self) -> int:
        return min(DEFAULT_TOP_K, self._classes)

    def _to_tensor(self, item: Item) -> Pixels | RequestError:
        if isinstance(item, np.ndarray):
            return item
        try:
            return normalise(load_pixels(item, self._preprocess), self._preprocess)
        except RequestError as error:
            return error


def _prepared(tensor: Pixels | RequestError) -> Prepared[Pixels, Result, Result]:
    if isinstance(tensor, RequestError):
        failed = tensor
        return Prepared((), lambda _: failed)
    return Prepared(
        (Unit(tensor, tensor.shape[1] * tensor.shape[2], tensor.shape),), lambda outputs: outputs[0]
    )


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
    with np.errstate(invalid="ignore"):  # an infinite logit makes its row NaN, which compute refuses
        exponents = np.exp(wide - wide.max(1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)
    return probabilities
