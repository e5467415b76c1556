"""From a call to the predictor's calls and back, without a server."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput, PredictorFailed, TooLarge
from modelserve.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    RequestedOutput,
    Tensor,
    bytes_array,
)
from modelserve.task import Limits
from ner_text.transformation import DocumentTransformation

BATCH = 3


def transformation(limits: Limits | None = None) -> DocumentTransformation:
    return DocumentTransformation(limits=limits or Limits(), language="en", batch=BATCH)


def asking(*texts: bytes, **parameters: Any) -> InferenceRequest:
    return InferenceRequest(
        "m", (Tensor("text", "BYTES", bytes_array(list(texts), (len(texts),))),), parameters=parameters
    )


def answering(*values: bytes, name: str = "entities", datatype: str = "BYTES") -> InferenceResponse:
    return InferenceResponse("m", (Tensor(name, datatype, bytes_array(list(values), (len(values),))),))


def words_of(request: InferenceRequest) -> InferenceResponse:
    """A predictor to which every word is a name."""
    answers = []
    for value in request.inputs[0].array.tolist():
        text, place, found = value.decode(), 0, []
        for word in text.split():
            start = text.index(word, place)
            place = start + len(word)
            found.append({"type": "WORD", "text": word, "start": start, "end": place, "score": 0.5})
        answers.append(orjson.dumps(found))
    return answering(*answers)


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8")) | st.text("aé🙂. \r\nA!\u0301", max_size=60), min_size=1)
)
def test_spans_come_back_exact_and_all_of_them(documents: list[str]) -> None:
    ours = transformation()
    call = ours.decode_v1(documents)
    requests = ours.requests(call, "bert-ner")
    sizes = [len(request.inputs[0].array) for request in requests]
    assert all(size == BATCH for size in sizes[:-1])
    assert all(0 < size <= BATCH for size in sizes)
    results = ours.results(call, [words_of(request) for request in requests])
    for document, entities in zip(documents, results, strict=True):
        # Where no space is between two sentences, as in Chinese, there are more words.
        assert "".join(entity["text"] for entity in entities) == "".join(document.split())
        assert all(document[entity["start"] : entity["end"]] == entity["text"] for entity in entities)
        starts = [entity["start"] for entity in entities]
        assert starts == sorted(starts)
    encoded = ours.encode(results, call, asking())
    assert [orjson.loads(value) for value in encoded[0].array] == results == ours.encode_v1(results, call)
    labels, scores = ours.predictions(results)
    assert len(labels) == len(scores) == sum(map(len, results))


def test_documents_share_requests() -> None:
    ours = transformation()
    call = ours.decode(asking(b"One. Two.", b"", b"Three is 3.5. Four!", b" \n", b"Five.", min_score=0.25))
    requests = ours.requests(call, "bert-ner")
    assert [request.inputs[0].array.tolist() for request in requests] == [
        [b"One.", b"Two.", b"Three is 3.5."],
        [b"Four!", b"Five."],
    ]
    assert {request.model_name for request in requests} == {"bert-ner"}
    assert [request.parameters for request in requests] == [{"min_score": 0.25}] * 2


def test_documents_without_text_ask_nothing() -> None:
    ours = transformation()
    call = ours.decode(asking(b"", b"\r\n \t"))
    assert ours.requests(call, "bert-ner") == []
    assert ours.results(call, []) == [[], []]


def test_a_column_of_texts_is_accepted() -> None:
    request = InferenceRequest("m", (Tensor("text", "BYTES", bytes_array([b"One.", b"Two."], (2, 1))),))
    call = transformation().decode(request)
    assert [document.text for document in call.items] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("request_", "error", "sentence"),
    [
        (InferenceRequest("m", ()), InvalidInput, "input 'text' is missing; a BYTES tensor of shape [n]"),
        (
            InferenceRequest("m", (Tensor("texts", "BYTES", bytes_array([b""], (1,))),)),
            InvalidInput,
            "input 'texts' is unknown; 'text' is accepted",
        ),
        (
            InferenceRequest("m", (Tensor("text", "INT8", np.zeros(1, np.int8)),)),
            InvalidInput,
            "input 'text' has datatype INT8; BYTES is accepted",
        ),
        (
            InferenceRequest("m", asking(b"").inputs, outputs=(RequestedOutput("labels"),)),
            InvalidInput,
            "output 'labels' is unknown; 'entities' is accepted",
        ),
        (asking(), InvalidInput, "input 'text' holds no items"),
        (asking(b"a", b"a\xff"), InvalidInput, "text 1 is no UTF-8 at byte 1; UTF-8 is accepted"),
        (asking(b"", min_score=2), InvalidInput, "parameter 'min_score' is 2; a number from 0 to 1"),
        (asking(*[b""] * 3), TooLarge, "input 'text' holds 3 items; at most 2 are accepted"),
        (asking(b"x" * 11), TooLarge, "text 0 has 11 bytes; at most 10 are accepted"),
    ],
)
def test_what_is_refused_in_v2(request_: InferenceRequest, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        transformation(Limits(batch=2, text_bytes=10)).decode(request_)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("instances", "error", "sentence"),
    [
        ([], InvalidInput, "'instances' holds no items; at least one is accepted"),
        (["a", 5], InvalidInput, "instance 1 is a number; a string is accepted"),
        ([{"text": "a"}], InvalidInput, "instance 0 is an object; a string is accepted"),
        (["\ud83d"], InvalidInput, "text 0 holds half of a surrogate pair; Unicode text is accepted"),
        (["a"] * 3, TooLarge, "'instances' holds 3 items; at most 2 are accepted"),
        (["é" * 6], TooLarge, "text 0 has 12 bytes; at most 10 are accepted"),
    ],
)
def test_what_is_refused_in_v1(instances: list[Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        transformation(Limits(batch=2, text_bytes=10)).decode_v1(instances)
    assert str(raised.value) == sentence


ENTITY = {"type": "PER", "text": "Ann", "start": 0, "end": 3, "score": 0.9}


@pytest.mark.parametrize(
    "answer",
    [
        answering(b"[]"),
        answering(b"[]", b"[]", name="names"),
        answering(b"[]", b"[]", datatype="INT8"),
        answering(b"[]", b"[}"),
        answering(b"[]", b"5"),
        answering(b"[]", b'["Ann"]'),
        answering(b"[]", b"[{}]"),
        *(
            answering(b"[]", orjson.dumps([ENTITY | change]))
            for change in (
                {"end": 9},  # its own text, but of the space behind the sentence too
                {"start": -4, "end": -1},
                {"start": 3, "end": 3, "text": ""},
                {"start": "0"},
                {"start": 0.0},
                {"text": "Bob"},
                {"score": None},
            )
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_the_predictors_failure(answer: InferenceResponse) -> None:
    ours = transformation()
    call = ours.decode_v1(["It is. Ann came."])
    assert ours.results(call, [answering(b"[]", orjson.dumps([ENTITY]))])[0][0]["start"] == 7
    with pytest.raises(PredictorFailed, match="the predictor's"):
        ours.results(call, [answer])
