"""KServe's V1 protocol."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput
from modelserve.protocol.v1 import decode_instances, encode_predictions

EXAMPLES = settings(max_examples=60, deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "Infinity" not in json.dumps(value))


@EXAMPLES
@given(instances=st.lists(JSON), key=st.sampled_from(["instances", "inputs"]))
def test_instances_are_read(instances: list[Any], key: str) -> None:
    assert decode_instances(json.dumps({key: instances, "signature_name": "x"}).encode()) == instances


@EXAMPLES
@given(predictions=st.lists(JSON))
def test_predictions_are_written(predictions: list[Any]) -> None:
    assert json.loads(encode_predictions(predictions)) == {"predictions": predictions}


def test_arrays_are_written() -> None:
    columns = np.arange(4, dtype="f4").reshape(2, 2).T
    labels = np.array(["a", "b"], dtype=object)
    predictions = [{"scores": np.array([0.5, np.nan], "f4"), "best": np.int64(1)}, columns, labels]
    assert json.loads(encode_predictions(predictions))["predictions"] == [
        {"scores": [0.5, None], "best": 1},
        [[0, 2], [1, 3]],
        ["a", "b"],
    ]


def test_what_has_no_json_form_is_the_models_mistake() -> None:
    with pytest.raises(TypeError):
        encode_predictions([b"raw"])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is no JSON"),
        (b'{"instances": [NaN]}', "the body is no JSON"),
        (b'{"instances": ["\xff"]}', "the body is no JSON"),
        (b'{"instances": ["\\udfff"]}', "the body is no JSON"),
        (b'{"instances":' + b"[" * 100_000, "the body is no JSON"),
        (b"[1]", "the body is no JSON object"),
        (b"{}", "the body has no list of instances"),
        (b'{"instances": null}', "the body has no list of instances"),
        (b'{"instances": {"a": 1}}', "the body has no list of instances"),
        (b'{"instances": [], "inputs": []}', "the body has both `instances` and `inputs`"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_refusals(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}") as caught:
        decode_instances(body)
    assert str(caught.value).endswith('; {"instances": [...]} is accepted')


@EXAMPLES
@given(st.binary())
def test_arbitrary_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_instances(body)
