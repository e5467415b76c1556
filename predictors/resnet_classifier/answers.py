"""The predictor's outputs, as those in front of it read them."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceResponse


def read_rows(response: InferenceResponse, name: str, datatype: str, *, images: int) -> npt.NDArray[Any]:
    """One output, [images, n].

    Raises:
        PredictorFailed: the answer has no such output.
    """
    tensor = response.output(name)
    if tensor is None or tensor.datatype != datatype:
        raise PredictorFailed(f"the predictor's answer has no output {name!r} of {datatype}")
    if len(tensor.shape) != 2 or tensor.shape[0] != images or tensor.shape[1] == 0:
        raise PredictorFailed(
            f"the predictor's output {name!r} has shape {list(tensor.shape)} for {images} images"
        )
    return tensor.array
