"""What this transformer does to a call: images become tensors, and the predictor's answers pass through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from image_tensors.fetching import Fetcher
from image_tensors.origins import ImageUrl, Origin
from image_tensors.reading import read_instances, read_urls
from image_tensors.tensors import PixelBlock, block_sizes, decode_images, split_pixels
from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.execution import on_decoders
from modelserve.forwarding import Transformation
from modelserve.images import EncodedImage
from modelserve.inputs import check_names, chosen_outputs
from modelserve.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    Parameters,
    RequestedOutput,
    Tensor,
    TensorSpec,
)
from modelserve.task import Call, Limits
from resnet_classifier.answers import read_rows
from resnet_classifier.decoding import INPUTS, read_bytes, read_images, read_pixels
from resnet_classifier.preprocess import Preprocess

OUTPUTS = (
    TensorSpec("label", "BYTES", (-1, -1)),
    TensorSpec("score", "FP32", (-1, -1)),
    TensorSpec("probability", "FP32", (-1, -1)),
    TensorSpec("embedding", "FP32", (-1, -1)),
)
"""The predictor's; how many classes there are, only the predictor knows."""

DEFAULT_OUTPUTS = ("label", "score")
"""Always asked for: the metrics of this server count what was predicted, too."""

Item = EncodedImage | ImageUrl | PixelBlock
"""An image, where it has to be fetched from, or a block of images that are tensors already."""

Answer = Mapping[str, npt.NDArray[Any]]
"""What the predictor says of one image: a row of each output, by its name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The outputs that the caller wants, and the parameters that the predictor is told."""

    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    parameters: Parameters = field(default_factory=dict)


class ImageTransformation(Transformation[Item, Answer, Asked]):
    """``modelserve.forwarding.Transformation`` from images to tensors.

    Args:
        preprocess: how images become tensors, the same as the predictor's.
        fetcher: gets images from URLs.
        limits: the most that one request may ask for.
        allowed: the origins of URLs from which images are fetched.
    """

    inputs = (*INPUTS, TensorSpec("url", "BYTES", (-1,)))
    outputs = OUTPUTS

    def __init__(
        self, preprocess: Preprocess, fetcher: Fetcher, *, limits: Limits, allowed: Collection[Origin]
    ) -> None:
        self._preprocess, self._fetcher = preprocess, fetcher
        self._limits, self._allowed = limits, allowed

    def decode(self, request: InferenceRequest) -> Call[Item, Asked]:
        """Check a V2 request, and open its images, read its URLs or split its tensors.

        Raises:
            InvalidInput: a wrong name, datatype or shape, bytes that are no image, or a URL that is not
                allowed.
            TooLarge: too many images, or one of too many bytes or pixels.
        """
        check_names(request, self.inputs)
        outputs = chosen_outputs(request, OUTPUTS, DEFAULT_OUTPUTS)
        # Whether it fits is for the predictor to say, which knows how many classes there are.
        asked = Asked(
            outputs, {name: request.parameters[name] for name in request.parameters.keys() & {"top_k"}}
        )
        if len(request.inputs) != 1:
            raise InvalidInput(
                f"{len(request.inputs)} inputs are given; one of 'image', 'pixels' and 'url' is accepted"
            )
        (tensor,) = request.inputs
        return Call(self._read(tensor), asked)

    def _read(self, tensor: Tensor) -> Sequence[Item]:
        if tensor.name == "image":
            return read_images(tensor, self._limits)
        if tensor.name == "pixels":
            return split_pixels(read_pixels(tensor, self._limits))
        return read_urls(tensor, self._limits, self._allowed)

    def decode_v1(self, instances: Sequence[Any]) -> Call[Item, Asked]:
        """Check V1 instances, each ``{"b64": "..."}`` or ``{"url": "..."}``, and open or read them.

        Raises:
            InvalidInput: an instance of another form, bytes that are no image, or a URL that is not
                allowed.
            TooLarge: too many images, or one of too many bytes or pixels.
        """
        return Call(read_instances(instances, self._limits, self._allowed), Asked())

    async def fetch(self, call: Call[Item, Asked]) -> Call[Item, Asked]:
        """Get the images of which the call has only URLs, and open them.

        Raises:
            InvalidInput: one cannot be had, or is no image.
            TooLarge: one has too many bytes or pixels, or all of them have too many bytes.
        """
        urls = {place: item for place, item in enumerate(call.items) if isinstance(item, ImageUrl)}
        if not urls:
            return call
        fetched = await self._fetcher.fetch(urls)

        def opened() -> list[Item]:
            return [
                read_bytes(fetched.pop(place), place, self._limits) if place in urls else item
                for place, item in enumerate(call.items)
            ]

        return replace(call, items=await on_decoders(opened))

    def requests(self, call: Call[Item, Asked], model: str) -> list[InferenceRequest]:
        """Make tensors of the images, and calls of these.

        Raises:
            InvalidInput: an image is cut off or corrupt.
        """
        images = [item for item in call.items if isinstance(item, EncodedImage)]
        blocks = decode_images(images, self._preprocess) if images else _blocks(call)
        outputs = tuple(RequestedOutput(name) for name in _names(call))
        return [
            InferenceRequest(
                model,
                (Tensor("pixels", "FP32", block),),
                outputs=outputs,
                parameters=call.options.parameters,
            )
            for block in blocks
        ]

    def results(self, call: Call[Item, Asked], responses: Sequence[InferenceResponse]) -> list[Answer]:
        """Take the outputs of every image out of the answers.

        Raises:
            PredictorFailed: an answer lacks an output, or has one of another form.
        """
        side = self._preprocess.crop
        sizes = [len(block) for block in _blocks(call)] or block_sizes(len(call.items), side, side)
        columns = {name: _column(name, responses, sizes) for name in _names(call)}
        if columns["label"].shape != columns["score"].shape:
            raise PredictorFailed("the predictor's answer has not as many labels as scores")
        return [{name: column[row] for name, column in columns.items()} for row in range(sum(sizes))]

    def encode(
        self, results: Sequence[Answer], call: Call[Item, Asked], request: InferenceRequest
    ) -> tuple[Tensor, ...]:
        """Make the outputs asked for, or ``label`` and ``score``."""
        return tuple(
            Tensor(name, _DATATYPES[name], np.stack([answer[name] for answer in results]))
            for name in call.options.outputs
        )

    def encode_v1(self, results: Sequence[Answer], call: Call[Item, Asked]) -> list[Any]:
        """Make V1 predictions: labels and scores of each image, best first."""
        return [
            {
                "labels": [label.decode("utf-8", "replace") for label in answer["label"]],
                "scores": answer["score"].tolist(),
            }
            for answer in results
        ]

    def predictions(self, results: Sequence[Answer]) -> tuple[list[str], list[float]]:
        """The first label of every image, and its score."""
        labels = [answer["label"][0].decode("utf-8", "replace") for answer in results]
        return labels, [float(answer["score"][0]) for answer in results]


_DATATYPES = {spec.name: spec.datatype for spec in OUTPUTS}


def _blocks(call: Call[Item, Asked]) -> list[PixelBlock]:
    return [item for item in call.items if isinstance(item, np.ndarray)]


def _names(call: Call[Item, Asked]) -> tuple[str, ...]:
    """The outputs that the predictor is asked for."""
    return tuple(dict.fromkeys((*DEFAULT_OUTPUTS, *call.options.outputs)))


def _column(name: str, responses: Sequence[InferenceResponse], sizes: Sequence[int]) -> npt.NDArray[Any]:
    """One output of all images, [n, k]."""
    found = [
        read_rows(response, name, _DATATYPES[name], images=size)
        for response, size in zip(responses, sizes, strict=True)
    ]
    if len({array.shape[1] for array in found}) != 1:
        raise PredictorFailed(
            f"the predictor's answers have {name!r} in several lengths; do revisions differ?"
        )
    return np.concatenate(found)
