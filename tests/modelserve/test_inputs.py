from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelserve.errors import InvalidInput, TooLarge
from modelserve.inputs import (
    bytes_items,
    check_count,
    check_names,
    chosen_outputs,
    integer_parameter,
    number_parameter,
    one_of_type,
)
from modelserve.protocol.messages import InferenceRequest, RequestedOutput, Tensor, TensorSpec, bytes_array

SPECS = tuple(TensorSpec(name, "BYTES", (-1,)) for name in ("a", "b", "c"))


def request(*names: str, outputs: tuple[str, ...] = ()) -> InferenceRequest:
    return InferenceRequest(
        model_name="m",
        inputs=tuple(Tensor(name, "BYTES", bytes_array([b""], (1,))) for name in names),
        outputs=tuple(RequestedOutput(name) for name in outputs),
    )


def test_names_that_the_model_has_are_accepted() -> None:
    check_names(request("c", "a"), SPECS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "x" * 99), f"^input '{'x' * 40}' is unknown; 'a', 'b' and 'c' are accepted$"),
        (("a", "b", "a"), "^input 'a' is given twice; each input is accepted once$"),
    ],
)
def test_other_names_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_names(request(*names), SPECS)


def test_outputs_asked_for_win_over_the_defaults() -> None:
    assert chosen_outputs(request(), SPECS, ("b",)) == ("b",)
    assert chosen_outputs(request(outputs=("c", "a", "c")), SPECS, ("b",)) == ("c", "a")
    with pytest.raises(InvalidInput, match=r"^output 'd' is unknown; 'a' is accepted$"):
        chosen_outputs(request(outputs=("a", "d")), SPECS[:1], ())


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_byte_strings_of_both_shapes(shape: tuple[int, ...]) -> None:
    tensor = Tensor("a", "BYTES", bytes_array([b"x", b""], shape))
    assert bytes_items(tensor, limits_batch=2) == [b"x", b""]


@pytest.mark.parametrize("shape", [(), (1, 2), (2, 1, 1)])
def test_byte_strings_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    array = bytes_array([b""] * int(np.prod(shape)), shape)
    with pytest.raises(InvalidInput, match=r"\[n\] or \[n, 1\] is accepted"):
        bytes_items(Tensor("a", "BYTES", array), limits_batch=9)


def test_counts() -> None:
    check_count(3, "input 'a'", limits_batch=3)
    with pytest.raises(TooLarge, match=r"^input 'a' holds 4 items; at most 3 are accepted$"):
        check_count(4, "input 'a'", limits_batch=3)
    with pytest.raises(InvalidInput, match=r"^input 'a' holds no items; at least one is accepted$"):
        check_count(0, "input 'a'", limits_batch=3)


def test_parameters_within_their_bounds() -> None:
    given: dict[str, Any] = {"share": 1, "count": 7, "foreign": "ignored"}
    assert number_parameter(given, "share", default=0.5, least=0, most=1) == 1.0
    assert number_parameter({}, "share", default=0.5, least=0, most=1) == 0.5
    assert integer_parameter(given, "count", default=2, least=1, most=7) == 7
    assert integer_parameter({}, "count", default=2, least=1, most=7) == 2


@pytest.mark.parametrize(
    "value", [-0.1, 1.1, True, "0.5", float("nan"), float("inf"), 10**400], ids=lambda v: repr(v)[:9]
)
def test_other_numbers_are_refused(value: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"^parameter 'share' is .{1,40}; a number from 0 to 1 is accepted$"
    ):
        number_parameter({"share": value}, "share", default=0.5, least=0, most=1)


@pytest.mark.parametrize("value", [0, 8, True, "2", 2.0])
def test_other_integers_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^parameter 'count' is .*; an integer from 1 to 7 is accepted$"):
        integer_parameter({"count": value}, "count", default=2, least=1, most=7)


def test_types_are_named_as_in_json() -> None:
    values: list[Any] = [{}, [], "", True, None, 1, 1.5]
    assert [one_of_type(value) for value in values] == [
        "an object",
        "an array",
        "a string",
        "a boolean",
        "null",
        "a number",
        "a number",
    ]
