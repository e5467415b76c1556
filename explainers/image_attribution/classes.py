"""The predictor's classes, read from its answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.explaining.asking import Asking
from modelserve.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    Parameters,
    RequestedOutput,
    Tensor,
    bytes_array,
)

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


def read_rows(
    response: InferenceResponse, name: str, datatype: str, *, images: int
) -> npt.NDArray[np.generic]:
    """One of the predictor's outputs, [images, n].

    Raises:
        PredictorFailed: the answer has no such output.
    """
    tensor = next((tensor for tensor in response.outputs if tensor.name == name), None)
    if tensor is None or tensor.datatype != datatype:
        raise PredictorFailed(f"the predictor's answer has no output {name!r} of {datatype}")
    if len(tensor.shape) != 2 or tensor.shape[0] != images or tensor.shape[1] == 0:
        raise PredictorFailed(
            f"the predictor's output {name!r} has shape {list(tensor.shape)} for {images} images"
        )
    return tensor.array


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
