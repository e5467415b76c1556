"""The calls are what the servers read: decoded here by the code that serves them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from modelserve.bench.calls import Target, encode_call, encode_tensor, parse_url
from modelserve.protocol.messages import InferenceRequest
from modelserve.protocol.rest import decode_request
from modelserve.protocol.samples import Item
from modelserve.protocol.v1 import decode_instances

TARGET = Target("localhost", 8080)
ITEMS: list[Item] = ["Zoë met “Bob”.", bytes(range(256))]


def split(call: bytes) -> tuple[str, dict[str, str], bytes]:
    """The path, the headers and the body of a call."""
    head, _, body = call.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    method, path, version = first.split()
    assert (method, version) == ("POST", "HTTP/1.1")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    return path, headers, body


def decode_v2(call: bytes) -> InferenceRequest:
    path, headers, body = split(call)
    assert path == "/v2/models/m/infer"
    length = headers.get("Inference-Header-Content-Length")
    return decode_request(
        body, model_name="m", model_version=None, header_length=None if length is None else int(length)
    )


def test_v1() -> None:
    path, _, body = split(encode_call(TARGET, "m", ITEMS[0], protocol="v1"))
    assert path == "/v1/models/m:predict"
    assert decode_instances(body) == [ITEMS[0]]
    _, _, body = split(encode_call(TARGET, "m", ITEMS[1], protocol="v1"))
    assert decode_instances(body) == [{"b64": base64.b64encode(bytes(range(256))).decode()}]


@pytest.mark.parametrize("item", ITEMS)
def test_v2_binary(item: Item) -> None:
    request = decode_v2(encode_call(TARGET, "m", item, protocol="v2-binary"))
    (tensor,) = request.inputs
    assert tensor.name == ("text" if isinstance(item, str) else "image")
    assert tensor.array.tolist() == [item.encode() if isinstance(item, str) else item]
    assert request.binary_output


def test_v2_json() -> None:
    (text,) = decode_v2(encode_call(TARGET, "m", ITEMS[0], protocol="v2")).inputs
    assert text.array.tolist() == [str(ITEMS[0]).encode()]
    (image,) = decode_v2(encode_call(TARGET, "m", ITEMS[1], protocol="v2")).inputs
    assert image.array.tolist() == [base64.b64encode(bytes(range(256)))]


def test_a_tensor() -> None:
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    call = encode_tensor(TARGET, "m", "pixels", datatype="FP32", shape=array.shape, raw=array.tobytes())
    (tensor,) = decode_v2(call).inputs
    np.testing.assert_array_equal(tensor.array, array)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.org", Target("example.org", 80)),
        ("http://localhost:8080/", Target("localhost", 8080)),
        ("http://[::1]:81/serving/", Target("::1", 81, "/serving")),
    ],
)
def test_addresses(url: str, target: Target) -> None:
    assert parse_url(url) == target
    path, headers, _ = split(encode_call(target, "m", "x", protocol="v1"))
    assert path == f"{target.prefix}/v1/models/m:predict"
    assert headers["Host"] == url.removeprefix("http://").partition("/")[0] + (":80" if ".org" in url else "")


@pytest.mark.parametrize(
    "url", ["https://localhost", "localhost:8080", "http://", "http://a/?b=c", "http://a:b"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"form|[Pp]ort"):
        parse_url(url)
