"""Tensors of every datatype and shape, for the tests of each wire form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelserve.protocol.messages import DTYPES, Tensor, bytes_array

Tensors = Callable[..., st.SearchStrategy[tuple[Tensor, ...]]]

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def _numbers(dtype: np.dtype[Any], shape: tuple[int, ...], *, finite: bool) -> st.SearchStrategy[Any]:
    elements: dict[str, Any] = {"allow_nan": not finite, "allow_infinity": not finite}
    extremes: list[Any] = [False, True]
    if dtype.kind in "iu":
        elements, extremes = {}, [np.iinfo(dtype).min, np.iinfo(dtype).max]
    elif dtype.kind == "f":
        extremes = [np.finfo(dtype).min, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal]
    else:
        elements = {}
    values = hnp.from_dtype(dtype, **elements) | st.sampled_from([dtype.type(v) for v in extremes])
    return hnp.arrays(dtype, shape, elements=values)


def _byte_strings(shape: tuple[int, ...], *, text: bool) -> st.SearchStrategy[Any]:
    count = math.prod(shape)
    values = st.text(max_size=8).map(str.encode) if text else st.binary(max_size=8)
    return st.lists(values, min_size=count, max_size=count).map(lambda v: bytes_array(v, shape))


@pytest.fixture(scope="session")
def tensors() -> Tensors:
    """Makes a strategy of one to three tensors with names of their own."""

    def strategy(
        datatypes: Sequence[str] = tuple(DTYPES), *, finite: bool = False, text: bool = False
    ) -> st.SearchStrategy[tuple[Tensor, ...]]:
        @st.composite
        def one(draw: st.DrawFn) -> tuple[str, Any]:
            datatype, shape = draw(st.sampled_from(datatypes)), draw(SHAPES)
            if datatype == "BYTES":
                return datatype, draw(_byte_strings(shape, text=text))
            return datatype, draw(_numbers(DTYPES[datatype], shape, finite=finite))

        return st.lists(one(), min_size=1, max_size=3).map(
            lambda drawn: tuple(Tensor(f"t{i}", *pair) for i, pair in enumerate(drawn))
        )

    return strategy
