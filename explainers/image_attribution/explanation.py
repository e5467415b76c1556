"""From an image to what each of its regions contributes to its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from image_attribution.classes import find_class, image_request
from image_attribution.hiding import HidingImage, load_upright
from image_attribution.picture import draw
from modelserve.errors import InvalidInput
from modelserve.execution import on_decoders
from modelserve.explaining.asking import Asking, Contributions
from modelserve.explaining.explainer import Explainer, ExplainOptions, read_options
from modelserve.explaining.owen import Masks, Values
from modelserve.explaining.partition import partition_grid
from modelserve.images import EncodedImage
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Parameters
from modelserve.task import Call, Limits
from resnet_classifier.answers import read_rows
from resnet_classifier.decoding import read_instances


@dataclass(frozen=True, slots=True)
class ImageOptions(ExplainOptions):
    """The label that is explained; None stands for each image's best."""

    label: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """An image and what its regions contribute to a class; ``answered`` tells which model was asked."""

    hiding: HidingImage
    label: str
    contributions: Contributions
    evaluations: int
    answered: Parameters


class ImageExplainer(Explainer[EncodedImage, ExplainedImage, ImageOptions]):
    """``modelserve.explaining.explainer.Explainer`` of image classifiers.

    Args:
        regions: about how many an image is divided into.
        sent_pixels: most pixels of the variations that are sent.
        limits: the most that one request may ask for.
        max_evaluations: of one call.
    """

    def __init__(self, *, regions: int, sent_pixels: int, limits: Limits, max_evaluations: int) -> None:
        self._regions, self._sent_pixels = regions, sent_pixels
        self._limits, self._max_evaluations = limits, max_evaluations

    def decode_explain(
        self, instances: Sequence[Any], parameters: Parameters
    ) -> Call[EncodedImage, ImageOptions]:
        """Open the instances, each ``{"b64": "..."}``, and check the parameter ``label``.

        Raises:
            InvalidInput: an instance or a parameter is nothing that is accepted.
            TooLarge: too many images, or one of too many bytes or pixels.
        """
        images = read_instances(instances, self._limits)
        common = read_options(parameters, items=len(images), most=self._max_evaluations, picture="png")
        label = parameters.get("label")
        if label is not None and not isinstance(label, str):
            raise InvalidInput(f"parameter 'label' is {str(label)[:40]}; a string is accepted")
        return Call(images, ImageOptions(common.evaluations, common.has_picture, label))

    async def explain(
        self, item: EncodedImage, position: int, options: ImageOptions, asking: Asking
    ) -> ExplainedImage:
        """Find the image's class, and what it depends on.

        Raises:
            InvalidInput: the image is cut off or corrupt, or there is no such label.
            RequestError: the predictor refuses or fails, or the deadline passes.
        """

        def prepare() -> tuple[HidingImage, bytes]:
            try:
                upright = load_upright(item, most_pixels=self._sent_pixels)
            except InvalidInput as error:
                raise InvalidInput(f"image {position}: {error}") from error
            hiding = HidingImage(upright, regions=self._regions)
            return hiding, hiding.vary(np.ones(hiding.rows * hiding.columns, np.bool_))

        hiding, whole = await on_decoders(prepare)
        label, number, probability = await find_class(whole, options.label, asking)

        def vary(masks: Masks) -> InferenceRequest:
            return image_request(asking.model, [hiding.vary(mask) for mask in masks], ("probability",), {})

        def read(response: InferenceResponse, masks: Masks) -> Values:
            rows = read_rows(response, "probability", "FP32", images=len(masks))
            return rows[:, number : number + 1].astype(np.float64)

        made = await asking.explain(
            partition_grid(hiding.rows, hiding.columns), np.array([probability]), vary=vary, read=read
        )
        return ExplainedImage(hiding, label, made, asking.evaluations, asking.answered)

    def encode_v1(
        self, results: Sequence[ExplainedImage], call: Call[EncodedImage, ImageOptions]
    ) -> list[dict[str, Any]]:
        """Make an explanation of each image, with a picture where one is wanted."""
        return [
            _as_json(result, picture=draw(result.hiding, result.label, result.contributions))
            if call.options.has_picture
            else _as_json(result)
            for result in results
        ]

    def predictions(self, results: Sequence[ExplainedImage]) -> tuple[list[str], list[float]]:
        """The label of every image that was explained, and its probability."""
        return [result.label for result in results], [
            float(result.contributions.shown[0]) for result in results
        ]


def _as_json(result: ExplainedImage, **more: str) -> dict[str, Any]:
    made, image = result.contributions, result.hiding.image
    return {
        "label": result.label,
        "base_value": round(float(made.without[0]), 6),
        "value": round(float(made.shown[0]), 6),
        "width": image.width,
        "height": image.height,
        "regions": [
            {"box": box, "attribution": round(value, 6)}
            for box, value in zip(result.hiding.boxes(), made.values[0].tolist(), strict=True)
        ],
        "evaluations": result.evaluations,
        "complete": made.is_complete,
        **result.answered,
        **more,
    }
