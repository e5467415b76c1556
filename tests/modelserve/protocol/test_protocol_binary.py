"""Raw tensor bytes, with Triton's own serializer as the other side."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import tritonclient.utils as triton
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.errors import InvalidInput
from modelserve.protocol.binary import decode_raw, encode_raw
from modelserve.protocol.messages import DTYPES, Tensor, bytes_array

EXAMPLES = settings(max_examples=60, deadline=None)


@EXAMPLES
@given(data=st.data())
def test_what_is_encoded_is_decoded(data: st.DataObject, tensors: Any) -> None:
    for tensor in data.draw(tensors()):
        decoded = decode_raw(tensor.datatype, list(tensor.shape), encode_raw(tensor), name="x")
        np.testing.assert_array_equal(decoded, tensor.array, strict=True)


@EXAMPLES
@given(data=st.data())
def test_bytes_are_those_of_triton(data: st.DataObject, tensors: Any) -> None:
    for tensor in data.draw(tensors()):
        ours = bytes(encode_raw(tensor))
        if tensor.datatype == "BYTES":
            theirs = triton.serialize_byte_tensor(tensor.array)
            assert ours == (theirs.item() if theirs.size else b"")
        else:
            assert ours == tensor.array.tobytes()


def test_numbers_are_not_copied() -> None:
    data = np.arange(6, dtype="<f4").tobytes()
    array = decode_raw("FP32", [2, 3], data, name="x")
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    tensor = Tensor("x", "FP32", np.arange(6, dtype="<f4"))
    assert np.shares_memory(np.frombuffer(encode_raw(tensor), np.uint8), tensor.array)


@pytest.mark.parametrize("offset", range(1, 8))
def test_unaligned_numbers_become_aligned(offset: int) -> None:
    numbers = np.arange(5, dtype="<f8")
    data = memoryview(b"\0" * offset + numbers.tobytes())[offset:]
    array = decode_raw("FP64", [5], data, name="x")
    assert array.flags.aligned
    np.testing.assert_array_equal(array, numbers, strict=True)


def test_a_bool_byte_other_than_0_is_true() -> None:
    array = decode_raw("BOOL", [4], b"\x00\x01\x02\xff", name="x")
    assert array.dtype == np.bool_
    assert array.view(np.uint8).tolist() == [0, 1, 1, 1]


def test_an_array_that_is_not_contiguous_is_written_in_row_major_order() -> None:
    columns = np.arange(6, dtype="<i2").reshape(2, 3).T
    assert bytes(encode_raw(Tensor("x", "INT16", columns))) == struct.pack("<6h", 0, 3, 1, 4, 2, 5)
    names = bytes_array([b"a", b"b", b"c", b"d"], (2, 2)).T
    assert bytes(encode_raw(Tensor("x", "BYTES", names)))[4::5] == b"acbd"


def test_an_array_of_another_byte_order_is_written_little_endian() -> None:
    assert bytes(encode_raw(Tensor("x", "INT16", np.array([1], ">i2")))) == b"\x01\x00"


@pytest.mark.parametrize("datatype", [d for d in DTYPES if d != "BYTES"])
@pytest.mark.parametrize("change", [-1, 1])
def test_numbers_of_another_length_are_refused(datatype: str, change: int) -> None:
    exact = 3 * DTYPES[datatype].itemsize
    with pytest.raises(
        InvalidInput, match=rf"^input 'x' of {datatype} .* {exact + change} bytes.*; exactly {exact} are"
    ):
        decode_raw(datatype, [3], bytes(exact + change), name="x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x00\x00",
        b"\x01\x00\x00\x00",
        b"\x02\x00\x00\x00a\x00\x00\x00\x00",
        b"\x01\x00\x00\x00a\x00\x00",
        b"\xff\xff\xff\xffabcd",
    ],
)
def test_byte_strings_that_end_too_early_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^the data of input 'x' ends before its last element"):
        decode_raw("BYTES", [2], data, name="x")


def test_bytes_after_the_last_byte_string_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^input 'x' has 2 bytes after its last element"):
        decode_raw("BYTES", [1], b"\x01\x00\x00\x00abc", name="x")


@pytest.mark.parametrize(
    "shape", [None, 3, "3", {}, [-1], [1.0], [True], ["3"], [None], [[1]], [2**70, -1]], ids=repr
)
def test_what_is_no_shape_is_refused(shape: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^input 'x' has the shape .*; a list of integers"):
        decode_raw("UINT8", shape, b"\0", name="x")


@pytest.mark.parametrize(
    "shape", [[2**63], [2**32, 2**32], [0, 2**62, 2**62], [10**400], [1] * 33], ids=lambda s: repr(s)[:20]
)
@pytest.mark.parametrize("datatype", ["UINT8", "FP64", "BYTES"])
def test_absurd_shapes_are_refused_before_any_memory_is_taken(shape: list[int], datatype: str) -> None:
    with pytest.raises(InvalidInput, match=r"^input 'x' has a shape of \d+ axes that is too large"):
        decode_raw(datatype, shape, b"", name="x")


def test_a_count_beyond_the_data_costs_nothing() -> None:
    with pytest.raises(InvalidInput, match="ends before its last element"):
        decode_raw("BYTES", [2**40], b"\0" * 64, name="x")


@pytest.mark.parametrize("datatype", ["BF16", "fp32", "", "FLOAT", None, 3, ["FP32"]], ids=repr)
def test_unknown_datatypes_are_refused(datatype: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^input 'x' has the unknown datatype .*; one of BOOL, "):
        decode_raw(datatype, [1], b"\0\0", name="x")
