"""Calls that hold URLs, through the application and the sample predictor, to a host on this machine."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from image_tensors.model import ImageTensors
from image_tensors.settings import ImageTensorsSettings
from modelserve.server.dataplane import DataPlane
from modelserve.server.rest import build_app

PREPROCESS = Path(__file__).parents[2] / "samples/resnet-classifier/preprocess.json"
V1 = "/v1/models/resnet-classifier:predict"
V2 = "/v2/models/resnet-classifier/infer"


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(getattr(request, "param", "http_host"))


@pytest.fixture
async def rest(server: Any, host: Any) -> AsyncIterator[httpx.AsyncClient]:
    settings = ImageTensorsSettings.model_validate(
        {
            "predictor_host": server.grpc_target,
            "preprocess_file": PREPROCESS,
            "allowed_url_hosts": f"elsewhere.test, {host.origin}",
            "max_image_bytes": 1_000_000,
            "max_image_pixels": 4_000_000,
        }
    )
    model = ImageTensors("resnet-classifier", settings, fetcher=host.fetcher())
    plane = DataPlane([model], revision="r1")
    await plane.load("resnet-classifier")
    transport = httpx.ASGITransport(build_app(plane, max_body_bytes=8_000_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client
    await plane.close()


def url_input(*urls: str) -> dict[str, Any]:
    return {"name": "url", "datatype": "BYTES", "shape": [len(urls)], "data": list(urls)}


@pytest.mark.parametrize("host", ["http_host", "https_host"], indirect=True)
async def test_urls_and_images_in_one_call(
    rest: httpx.AsyncClient, server: Any, host: Any, files: dict[str, bytes]
) -> None:
    paths = ["/red.png", "/cat.jpg", "/blue.webp"] * 6
    encoded = [{"b64": base64.b64encode(files[path]).decode()} for path in paths]
    mixed = [
        one if place % 2 else {"url": host.text(path)}
        for place, (path, one) in enumerate(zip(paths, encoded, strict=True))
    ]
    answer = await rest.post(V1, json={"instances": mixed})
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    expected = server.post(V1, json={"instances": encoded}).json()["predictions"]
    assert [one["labels"] for one in found] == [one["labels"] for one in expected]
    np.testing.assert_allclose(
        [one["scores"] for one in found], [one["scores"] for one in expected], atol=1e-5
    )
    assert len(host.asked) == 9


async def test_v2(rest: httpx.AsyncClient, host: Any) -> None:
    body = {"inputs": [url_input(host.text("/cat.jpg"))], "parameters": {"top_k": 1}}
    outputs = (await rest.post(V2, json=body)).json()["outputs"]
    assert [(output["name"], output["shape"]) for output in outputs] == [("label", [1, 1]), ("score", [1, 1])]
    assert outputs[0]["data"] == ["cat"]
    raw = host.text("/cat.jpg").encode()
    header = (
        b'{"inputs":[{"name":"url","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":%d}}]}'
    )
    header %= 4 + len(raw)
    answer = await rest.post(
        V2,
        content=header + len(raw).to_bytes(4, "little") + raw,
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    assert answer.json()["outputs"][0]["data"][0] == "cat"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/page.html", 400, "the data is no image of a known format; an encoded JPEG, PNG or WebP image is"),
        ("/torn.jpg", 400, "the image is cut off or corrupt; "),
        ("/wide.png", 413, "the image has 3000 x 2000 pixels; at most 4000000 pixels are accepted"),
        ("/endless", 413, "the file at its URL is too large; at most 1000000 bytes are accepted"),
        ("/redirect", 400, "{origin} answers 302; "),
        ("/missing", 400, "{origin} answers 404; "),
        ("/cut", 400, "{origin} cannot be reached, or breaks off; "),
    ],
)
async def test_what_is_at_a_url_is_refused_as_the_callers(
    rest: httpx.AsyncClient, host: Any, path: str, status: int, sentence: str
) -> None:
    body = {"inputs": [url_input(host.text("/red.png"), host.text(path))]}
    answer = await rest.post(V2, json=body)
    assert (answer.status_code, answer.json().keys()) == (status, {"error"})
    assert answer.json()["error"].startswith(f"image 1: {sentence.format(origin=host.origin)}")


@pytest.mark.parametrize(
    "url", ["https://evil.test/", "ftp://images.test/", "https://127.0.0.1/", "cat.jpg", "\u2028"]
)
async def test_other_urls_are_refused_before_any_is_fetched(
    rest: httpx.AsyncClient, host: Any, url: str
) -> None:
    answer = await rest.post(V1, json={"instances": [{"url": host.text("/cat.jpg")}, {"url": url}]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("image 1: its URL ")
    assert not host.asked


async def test_bytes_that_are_no_text(rest: httpx.AsyncClient) -> None:
    header = b'{"inputs":[{"name":"url","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}'
    answer = await rest.post(
        V2,
        content=header + b"\2\0\0\0\xff\xfe",
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("image 0: its URL has no host")


async def test_an_address_of_this_machine_is_refused(server: Any, http_host: Any) -> None:
    """Without a test's own fetcher: a name of the list that stands for an address within."""
    settings = ImageTensorsSettings.model_validate(
        {
            "predictor_host": server.grpc_target,
            "allowed_url_hosts": f"http://localhost:{http_host.origin.port}",
        }
    )
    model = ImageTensors("resnet-classifier", settings)
    plane = DataPlane([model], revision="r1")
    await plane.load("resnet-classifier")
    transport = httpx.ASGITransport(build_app(plane, max_body_bytes=8_000_000))
    url = f"http://localhost:{http_host.origin.port}/cat.jpg"
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        answer = await client.post(V1, json={"instances": [{"url": url}]})
    await plane.close()
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "image 0: localhost has an address within a private network; "
        "hosts on the internet are accepted"
    }
    assert http_host.connections == 0


async def test_the_callers_deadline_ends_the_fetching(rest: httpx.AsyncClient, host: Any) -> None:
    answer = await rest.post(
        V1, json={"instances": [{"url": host.text("/drip")}]}, headers={"X-Request-Timeout-Ms": "100"}
    )
    assert answer.status_code == 504
    assert await asyncio.to_thread(host.gone.wait, 60)


async def test_calls_go_on_while_a_host_is_silent(
    rest: httpx.AsyncClient, host: Any, picture: Callable[..., bytes]
) -> None:
    waiting = asyncio.ensure_future(rest.post(V1, json={"instances": [{"url": host.text("/silent")}] * 8}))
    await asyncio.sleep(0)
    data = base64.b64encode(picture((1, 2, 3), "PNG")).decode()
    answer = await rest.post(V1, json={"instances": [{"b64": data}]})
    assert answer.status_code == 200
    assert not waiting.done()
    host.closing.set()
    assert (await waiting).status_code == 400
