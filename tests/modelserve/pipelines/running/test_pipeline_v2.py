from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.http import InferResult

from modelserve.errors import InvalidInput, PredictorFailed
from modelserve.pipelines.running.v2 import from_v2, to_v2
from modelserve.protocol.rest import decode_request

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
whole = st.integers(-(2**63), 2**63 - 1)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of one length at each depth, of up to three dimensions, with at least one value."""
    shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3)
    return shapes.flatmap(lambda shape: filled(leaves, shape))


def filled(leaves: st.SearchStrategy[Any], shape: list[int]) -> st.SearchStrategy[Any]:
    inner = leaves if len(shape) == 1 else filled(leaves, shape[1:])
    return st.lists(inner, min_size=shape[0], max_size=shape[0])


values = st.one_of(nested(texts), nested(whole), nested(st.booleans()))


@given(values)
def test_what_is_sent_and_answered_as_it_came_is_the_same(value: Any) -> None:
    (tensor,) = to_v2({"x": value}, {})["inputs"]
    assert from_v2({"outputs": [tensor]}) == {"x": value}


@given(nested(st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(0, 99))))
def test_numbers_with_a_fraction_are_floats(value: Any) -> None:
    (tensor,) = to_v2({"x": value}, {})["inputs"]
    has_fraction = any(isinstance(one, float) for one in tensor["data"])
    assert tensor["datatype"] == ("FP32" if has_fraction else "INT64")
    assert from_v2({"outputs": [tensor]}) == {"x": value}


@given(st.dictionaries(texts.filter(bool), values, min_size=1))
def test_the_server_of_this_package_reads_it(inputs: dict[str, Any]) -> None:
    import orjson

    request = decode_request(
        orjson.dumps(to_v2(inputs, {"top_k": 3})), model_name="m", model_version=None, header_length=None
    )
    assert [tensor.name for tensor in request.inputs] == list(inputs)
    assert dict(request.parameters) == {"top_k": 3}


def test_one_value_is_a_tensor_of_one() -> None:
    assert to_v2({"text": "Ada"}, {}) == {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["Ada"]}]
    }


def test_no_value_is_a_tensor_of_none() -> None:
    (tensor,) = to_v2({"text": []}, {})["inputs"]
    assert (tensor["shape"], tensor["datatype"], tensor["data"]) == ([0], "BYTES", [])


def test_parameters_that_are_null_are_left_out() -> None:
    assert to_v2({}, {"top_k": None, "min_score": 0.5})["parameters"] == {"min_score": 0.5}
    assert "parameters" not in to_v2({}, {"top_k": None})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "x holds null"),
        ([None], "x holds null"),
        ({"a": 1}, "x holds an object"),
        ([["a"], "b"], "differ in length or depth"),
        ([["a"], ["b", "c"]], "differ in length or depth"),
        (["a", ["b"]], "x holds a list"),
        (["a", 1], "a number, a text; all texts"),
        ([True, 1], "a boolean, a number; all texts"),
    ],
)
def test_what_is_no_tensor_is_told(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        to_v2({"x": value}, {})


def test_a_parameter_is_one_value() -> None:
    with pytest.raises(InvalidInput, match="parameter k is a list"):
        to_v2({}, {"k": [1]})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"outputs": {}},
        {"outputs": [1]},
        {"outputs": [{"name": "x", "shape": [2], "data": [1]}]},
        {"outputs": [{"name": "x", "shape": "2", "data": [1]}]},
        {"outputs": [{"name": "x", "shape": [1]}]},
        {"outputs": [{"name": "x", "shape": [-1], "data": []}]},
    ],
)
def test_what_is_no_answer_is_the_models_failure(body: Any) -> None:
    with pytest.raises(PredictorFailed):
        from_v2(body)


def test_an_answer_reads_as_another_client_reads_it() -> None:
    import json

    answer = {
        "model_name": "m",
        "outputs": [{"name": "score", "shape": [2, 2], "datatype": "FP32", "data": [0.5, 0.25, 1.0, 0.0]}],
    }
    theirs = InferResult.from_response_body(json.dumps(answer).encode()).as_numpy("score")
    assert from_v2(answer)["score"] == theirs.tolist()
