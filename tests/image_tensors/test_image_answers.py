"""Answers that a predictor should not give: its failure, and neither the caller's nor a traceback."""

from __future__ import annotations

import numpy as np
import pytest

from image_tensors.connecting import PublicNetwork
from image_tensors.fetching import Fetcher
from image_tensors.transformation import Asked, ImageTransformation, Item
from modelserve.errors import PredictorFailed
from modelserve.protocol.messages import InferenceRequest, InferenceResponse, Tensor, bytes_array
from modelserve.task import Call, Limits
from resnet_classifier.preprocess import Preprocess

SPEC = Preprocess(resize=32, crop=32)
LABELS = [b"a", b"b"]


@pytest.fixture
def transformation() -> ImageTransformation:
    fetcher = Fetcher(PublicNetwork(), timeout_seconds=1, image_bytes=1, call_bytes=1)
    return ImageTransformation(SPEC, fetcher, limits=Limits(), allowed=())


def labels(rows: int, columns: int = 2, values: list[bytes] = LABELS) -> Tensor:
    return Tensor("label", "BYTES", bytes_array(values[:columns] * rows, (rows, columns)))


def scores(rows: int, columns: int = 2, datatype: str = "FP32") -> Tensor:
    dtype = {"FP32": np.float32, "FP64": np.float64}[datatype]
    return Tensor("score", datatype, np.full((rows, columns), 0.5, dtype))


def call(*sizes: int) -> Call[Item, Asked]:
    """A call whose images are tensors already, one block for each of these sizes."""
    return Call([np.zeros((size, 3, 32, 32), np.float32) for size in sizes], Asked())


def response(*outputs: Tensor) -> InferenceResponse:
    return InferenceResponse("resnet-classifier", outputs)


def test_rows_of_several_answers(transformation: ImageTransformation) -> None:
    asked = call(2, 1)
    found = transformation.results(asked, [response(labels(2), scores(2)), response(scores(1), labels(1))])
    assert transformation.predictions(found) == (["a"] * 3, [0.5] * 3)
    assert transformation.encode_v1(found, asked) == [{"labels": ["a", "b"], "scores": [0.5, 0.5]}] * 3
    first, second = transformation.encode(found, asked, InferenceRequest("resnet-classifier", ()))
    assert (first.name, first.datatype, first.shape) == ("label", "BYTES", (3, 2))
    assert (second.name, second.datatype, second.shape) == ("score", "FP32", (3, 2))
    assert second.array.dtype == np.float32


def test_a_label_that_is_no_text(transformation: ImageTransformation) -> None:
    found = transformation.results(call(1), [response(labels(1, 1, [b"\xff"]), scores(1, 1))])
    assert transformation.predictions(found) == (["\ufffd"], [0.5])


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([response(labels(2))], "the predictor's answer has no output 'score' of FP32"),
        ([response(scores(2))], "no output 'label' of BYTES"),
        ([response(labels(2), scores(2, datatype="FP64"))], "no output 'score' of FP32"),
        ([response(labels(3), scores(2))], r"output 'label' has shape \[3, 2\] for 2 images"),
        ([response(labels(2), scores(2, 0))], r"output 'score' has shape \[2, 0\]"),
        ([response(labels(2), Tensor("score", "FP32", np.ones(2, np.float32)))], r"shape \[2\]"),
        ([response(labels(2, 1), scores(2))], "not as many labels as scores"),
    ],
)
def test_an_answer_of_another_form(
    transformation: ImageTransformation, answers: list[InferenceResponse], sentence: str
) -> None:
    with pytest.raises(PredictorFailed, match=sentence):
        transformation.results(call(2), answers)


def test_answers_of_models_with_different_classes(transformation: ImageTransformation) -> None:
    answers = [response(labels(1), scores(1)), response(labels(1, 1), scores(1, 1))]
    with pytest.raises(PredictorFailed, match="'label' in several lengths"):
        transformation.results(call(1, 1), answers)
