"""The predictor's classes, read from its answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelserve.errors import InvalidInput
from modelserve.explaining.asking import Asking
from modelserve.protocol.messages import (
    InferenceRequest,
    Parameters,
    RequestedOutput,
    Tensor,
    bytes_array,
)
from resnet_classifier.answers import read_rows

_NAMED = 10
"""Labels that an error names."""


def image_request(
    model: str, images: list[bytes], outputs: tuple[str, ...], parameters: Parameters
) -> InferenceRequest:
    """A request that sends encoded images and asks for these outputs."""
    return InferenceRequest(
        model,
        (Tensor("image", "BYTES", bytes_array(images, (len(images),))),),
        outputs=tuple(RequestedOutput(name) for name in outputs),
        parameters=parameters,
    )


async def find_class(image: bytes, label: str | None, asking: Asking) -> tuple[str, int, float]:
    """Ask for the class of that label, or else the best: its label, its number, and its probability.

    Raises:
        InvalidInput: there is no such label.
        RequestError: the predictor refuses or fails.
    """

    async def ask(parameters: Parameters) -> tuple[list[str], npt.NDArray[np.float32]]:
        request = image_request(asking.model, [image], ("label", "score", "probability"), parameters)
        response = await asking.ask(request, items=1)
        labels = read_rows(response, "label", "BYTES", images=1)[0].tolist()
        probability = read_rows(response, "probability", "FP32", images=1)[0].astype(np.float32)
        return [name.decode("utf-8", "replace") for name in labels], probability

    labels, probability = await ask({})
    if label is not None and label not in labels and len(labels) < len(probability):
        labels, probability = await ask({"top_k": len(probability)})
    if label is not None and label not in labels:
        more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
        raise InvalidInput(
            f"parameter 'label' is {label[:40]!r}; {', '.join(labels[:_NAMED])}{more} are accepted"
        )
    rank = 0 if label is None else labels.index(label)
    # Labels come best first, and of equal ones the lower class first.
    number = int(np.argsort(-probability, kind="stable")[rank])
    return labels[rank], number, float(probability[number])
