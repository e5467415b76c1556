"""Every row of the table of errors, over REST."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import zlib
from typing import Any

import httpx
import pytest
from PIL import Image

TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Berlin"]}
NER, RESNET = "/v2/models/bert-ner/infer", "/v2/models/resnet-classifier/infer"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A small file whose header promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def check(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    assert "\n" not in body["error"]
    assert "Traceback" not in body["error"]
    for word in words:
        assert word in body["error"]


def text(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**TEXT, **changes}]}


def image(data: bytes) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [b64(data)]}]}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (NER, b"", ()),
        (NER, b"{", ()),
        (NER, b"[]", ()),
        (NER, b"\xff\xfe", ()),
        (NER, b"{}", ("inputs",)),
        (NER, {"inputs": []}, ("inputs",)),
        (NER, {"inputs": [TEXT, TEXT]}, ("text",)),
        (NER, text(name="words"), ("words", "text")),
        (NER, text(datatype="FP32", data=[1.5]), ("text", "BYTES")),
        (NER, text(datatype="STRING"), ("STRING",)),
        (NER, text(shape=[2]), ("text",)),
        (NER, text(shape=[-1]), ("text",)),
        (NER, text(shape=[0], data=[]), ("text",)),
        (NER, text(data=[1]), ("text",)),
        (NER, text(data="Berlin"), ("text",)),
        (NER, {**text(), "outputs": [{"name": "labels"}]}, ("labels", "entities")),
        (NER, {**text(), "parameters": {"min_score": 2}}, ("min_score",)),
        (NER, {**text(), "parameters": {"min_score": "high"}}, ("min_score",)),
        (RESNET, image(b"no image"), ("JPEG",)),
        (RESNET, image(b""), ("JPEG",)),
        (RESNET, image(b"GIF89a" + bytes(30)), ("JPEG",)),
        (RESNET, image(png(8, 8)[:40]), ("JPEG",)),
        (RESNET, {"inputs": [{**TEXT, "name": "image", "data": ["not base64!"]}]}, ("base64",)),
        (RESNET, {**image(png(8, 8)), "parameters": {"top_k": 0}}, ("top_k", "10")),
        (RESNET, {**image(png(8, 8)), "parameters": {"top_k": 11}}, ("top_k", "10")),
        (
            RESNET,
            {
                "inputs": [
                    {"name": "pixels", "datatype": "FP32", "shape": [1, 1, 32, 32], "data": [0.0] * 1024}
                ]
            },
            ("pixels",),
        ),
        ("/v1/models/bert-ner:predict", b"{", ()),
        ("/v1/models/bert-ner:predict", {"texts": ["Berlin"]}, ("instances",)),
        ("/v1/models/bert-ner:predict", {"instances": "Berlin"}, ("instances",)),
        ("/v1/models/bert-ner:predict", {"instances": []}, ()),
        ("/v1/models/bert-ner:predict", {"instances": ["Berlin", 7]}, ()),
        ("/v1/models/resnet-classifier:predict", {"instances": [{"url": "x"}]}, ("b64",)),
        ("/v1/models/resnet-classifier:predict", {"instances": [{"b64": "%%%"}]}, ("base64",)),
        ("/v2/repository/index", b"[", ()),
        ("/v2/repository/index", {"ready": 1}, ("ready",)),
    ],
)
def test_what_does_not_fit_is_400(server: Any, path: str, body: Any, words: tuple[str, ...]) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    check(server.post(path, **sent), 400, *words)


def test_text_that_is_no_utf8_is_400(server: Any) -> None:
    head = b'{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}'
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = server.post(NER, content=head + b"\x02\x00\x00\x00\xff\xfe", headers=headers)
    check(answer, 400, "UTF-8")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Inference-Header-Content-Length": "many"}, "Inference-Header-Content-Length"),
        ({"Inference-Header-Content-Length": "100000"}, "100000"),
        ({"Content-Encoding": "br"}, "gzip"),
        ({"Content-Encoding": "gzip"}, "gzip"),
        ({"X-Request-Timeout-Ms": "soon"}, "X-Request-Timeout-Ms"),
        ({"X-Request-Timeout-Ms": "nan"}, "X-Request-Timeout-Ms"),
    ],
)
def test_a_header_that_does_not_fit_is_400(server: Any, headers: dict[str, str], word: str) -> None:
    check(server.post(NER, json=text(), headers=headers), 400, word)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/v2/models/nobody/infer", ("nobody", "bert-ner")),
        ("POST", "/v2/models/bert-ner/versions/7/infer", ("7", "1")),
        ("GET", "/v2/models/nobody", ("nobody",)),
        ("GET", "/v2/models/bert-ner/versions/7", ("7",)),
        ("GET", "/v2/models/nobody/ready", ("nobody",)),
        ("GET", "/v2/models/nobody/stats", ("nobody",)),
        ("GET", "/v1/models/nobody", ("nobody",)),
        ("POST", "/v1/models/nobody:predict", ("nobody",)),
        ("POST", "/v1/models/bert-ner:explain", ("explainer",)),
        ("POST", "/v2/repository/models/nobody/load", ("nobody",)),
        ("POST", "/v2/repository/models/nobody/unload", ("nobody",)),
        ("GET", "/v3", ("/v3", "/docs")),
    ],
)
def test_what_is_unknown_is_404(server: Any, method: str, path: str, words: tuple[str, ...]) -> None:
    check(httpx.request(method, f"{server.url}{path}", json=text()), 404, *words)


def test_a_wrong_method_is_405_and_names_the_right_one(server: Any) -> None:
    answer = server.get("/v2/models/bert-ner/infer")
    check(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        (NER, text(shape=[65], data=["a"] * 65), "64"),
        ("/v1/models/bert-ner:predict", {"instances": ["a"] * 65}, "64"),
        (NER, text(data=["a" * 200_001]), "200000"),
        (NER, text(data=["é" * 100_001]), "200000"),
        (RESNET, image(bytes(1_000_001)), "1000000"),
        (RESNET, image(png(2001, 2000)), "4000000"),
        (RESNET, image(png_bomb(60_000, 60_000)), "4000000"),
        (RESNET, image(png_bomb(10_000, 10_000)), "4000000"),
        ("/v1/models/resnet-classifier:predict", {"instances": [{"b64": b64(png(2001, 2000))}]}, "4000000"),
        (NER, b" " * 8_000_001, "8000000"),
    ],
)
def test_what_is_over_a_limit_is_413(server: Any, path: str, body: Any, word: str) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    check(server.post(path, **sent), 413, word)


def test_a_body_of_unsaid_length_is_cut_at_the_limit(server: Any) -> None:
    check(server.post(NER, content=(b" " * 100_000 for _ in range(100))), 413, "8000000")


def test_a_compressed_body_counts_unpacked(server: Any) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    check(server.post(NER, content=packed, headers={"Content-Encoding": "gzip"}), 413, "8000000")


def test_an_unloaded_model_is_503_until_it_is_loaded(start_server: Any, server: Any) -> None:
    own = start_server("bert_ner", "--model_dir", "samples/bert-ner", "--model_name", "names")
    path = "/v2/models/names/infer"
    assert own.post(path, json=text()).status_code == 200
    assert own.post("/v2/repository/models/names/unload").json() == {"name": "names", "unload": True}
    check(own.post(path, json=text()), 503, "names", "not loaded")
    check(own.get("/v2/health/ready"), 503)
    check(own.get("/v2/models/names/ready"), 503)
    check(own.get("/v1/models/names"), 503)
    check(own.get("/v2/models/names"), 503)
    assert own.get("/v2/health/live").status_code == 200
    index = own.post("/v2/repository/index")
    assert [model["state"] for model in index.json()] == ["UNAVAILABLE"]
    assert own.post("/v2/repository/index", json={"ready": True}).json() == []
    assert own.post("/v2/repository/models/names/load").json() == {"name": "names", "load": True}
    assert own.post(path, json=text()).status_code == 200
    assert own.get("/v2/health/ready").json() == {"ready": True}
