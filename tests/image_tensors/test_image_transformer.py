"""The transformer's process in front of the sample predictor's: the same answers, by every way of asking."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc
import tritonclient.http
from PIL import Image
from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).parents[2]
V1 = "/v1/models/resnet-classifier:predict"
V2 = "/v2/models/resnet-classifier/infer"
OUTPUTS = ("label", "score", "probability", "embedding")


@pytest.fixture(scope="module", params=["grpc-v2", "v2"])
def ports(request: pytest.FixtureRequest, server: Any, start_module_server: Any) -> tuple[int, int]:
    """The ports for REST and gRPC of a transformer that asks the predictor by the parameter's protocol."""
    predictor = server.grpc_target if request.param == "grpc-v2" else server.url.removeprefix("http://")
    started = start_module_server(
        *("image_tensors", "--predictor_host", predictor, "--predictor_protocol", request.param),
        *("--preprocess_file", "samples/resnet-classifier/preprocess.json"),
        *("--max_batch", "64", "--max_image_bytes", "1000000", "--max_image_pixels", "4000000"),
    )
    return started.http_port, started.grpc_port


@pytest.fixture
def rest(ports: tuple[int, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=60) as client:
        yield client


def ask_http(
    port: int, inputs: dict[str, npt.NDArray[Any]], *, binary: bool = True, **parameters: Any
) -> dict[str, npt.NDArray[Any]]:
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}", network_timeout=60) as client:
        answer = client.infer(
            "resnet-classifier",
            [tensor(tritonclient.http, name, array) for name, array in inputs.items()],
            outputs=[tritonclient.http.InferRequestedOutput(name, binary_data=binary) for name in OUTPUTS],
            parameters=parameters,
        )
        return {name: answer.as_numpy(name) for name in OUTPUTS}


def ask_grpc(
    port: int, inputs: dict[str, npt.NDArray[Any]], **parameters: Any
) -> dict[str, npt.NDArray[Any]]:
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        answer = client.infer(
            "resnet-classifier",
            [tensor(tritonclient.grpc, name, array) for name, array in inputs.items()],
            outputs=[tritonclient.grpc.InferRequestedOutput(name) for name in OUTPUTS],
            parameters=parameters,
        )
        return {name: answer.as_numpy(name) for name in OUTPUTS}


def tensor(client: Any, name: str, array: npt.NDArray[Any]) -> Any:
    made = client.InferInput(name, list(array.shape), "BYTES" if array.dtype == object else "FP32")
    made.set_data_from_numpy(array)
    return made


def assert_same(found: dict[str, npt.NDArray[Any]], expected: dict[str, npt.NDArray[Any]]) -> None:
    np.testing.assert_array_equal(found["label"], expected["label"])
    for name in OUTPUTS[1:]:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def album() -> list[bytes]:
    """Images of every kind that is accepted, more than one request to the predictor holds."""
    cat = Image.open(ROOT / "samples/images/cat.jpg").convert("RGB")
    lying = Image.Exif()
    lying[0x0112] = 6
    kinds = [
        encoded(cat, "JPEG", quality=90),
        encoded(cat, "JPEG", progressive=True, exif=lying),
        encoded(cat.resize((800, 600)), "JPEG"),
        encoded(cat.convert("L"), "JPEG"),
        encoded(cat.convert("CMYK"), "JPEG"),
        encoded(cat.resize((100, 80)), "PNG"),
        encoded(cat.resize((80, 100)).quantize(32), "PNG"),
        encoded(cat.resize((33, 41)).convert("RGBA"), "PNG"),
        encoded(cat.resize((60, 60)), "WEBP"),
    ]
    noise = np.random.default_rng(7).integers(0, 256, (9, 40, 40, 3), np.uint8)
    return kinds + [encoded(Image.fromarray(pixels), "PNG") for pixels in noise]


def instances(images: list[bytes]) -> dict[str, Any]:
    return {"instances": [{"b64": base64.b64encode(data).decode()} for data in images]}


def test_v1_answers_as_the_predictor_does(rest: httpx.Client, server: Any, album: list[bytes]) -> None:
    for images in (album[:1], album):
        found, expected = (
            client.post(V1, json=instances(images)).json()["predictions"] for client in (rest, server)
        )
        assert [one["labels"] for one in found] == [one["labels"] for one in expected]
        assert [one.keys() for one in found] == [{"labels": 0, "scores": 0}.keys()] * len(images)
        np.testing.assert_allclose(
            [one["scores"] for one in found], [one["scores"] for one in expected], atol=1e-5
        )
    assert found[0]["labels"][0] == "cat"


def test_v2_json_answers_as_the_predictor_does(rest: httpx.Client, server: Any, album: list[bytes]) -> None:
    data = [base64.b64encode(image).decode() for image in album]
    body = {
        "id": "a-1",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}],
        "parameters": {"top_k": 3},
    }
    found, expected = (client.post(V2, json=body).json() for client in (rest, server))
    assert [output["name"] for output in found["outputs"]] == ["label", "score"]
    for ours, theirs in zip(found["outputs"], expected["outputs"], strict=True):
        assert (ours["datatype"], ours["shape"]) == (theirs["datatype"], theirs["shape"])
    assert found["outputs"][0]["data"] == expected["outputs"][0]["data"]
    np.testing.assert_allclose(found["outputs"][1]["data"], expected["outputs"][1]["data"], atol=1e-5)
    assert (found["model_name"], found["model_version"], found["id"]) == ("resnet-classifier", "1", "a-1")
    assert found["parameters"]["revision"] == "local"
    assert found["parameters"]["predictor_revision"] == "local"
    assert found["parameters"]["model_digest"] == expected["parameters"]["model_digest"]


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_http_client(
    ports: tuple[int, int], server: Any, album: list[bytes], *, binary: bool
) -> None:
    inputs = {"image": np.array(album, dtype=object)}
    found = ask_http(ports[0], inputs, binary=binary, top_k=4)
    assert found["label"].shape == found["score"].shape == (len(album), 4)
    expected = ask_http(server.http_port, inputs, binary=binary, top_k=4)
    assert_same(found, expected)


def test_tritons_grpc_client(ports: tuple[int, int], server: Any, album: list[bytes]) -> None:
    # A client that was written for Triton sends [n, 1].
    inputs = {"image": np.array(album, dtype=object).reshape(-1, 1)}
    found = ask_grpc(ports[1], inputs)
    assert found["label"].shape == (len(album), 5)
    assert_same(found, ask_grpc(server.grpc_port, inputs))


@pytest.mark.parametrize("size", [(32, 32), (40, 48)])
def test_tensors_pass_through(ports: tuple[int, int], server: Any, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).normal(size=(18, 3, *size)).astype(np.float32)
    expected = ask_grpc(server.grpc_port, {"pixels": pixels})
    assert_same(ask_grpc(ports[1], {"pixels": pixels}), expected)
    assert_same(ask_http(ports[0], {"pixels": pixels}), expected)


def test_only_the_outputs_that_are_asked_for(rest: httpx.Client, album: list[bytes]) -> None:
    body = {
        "inputs": [
            {
                "name": "image",
                "datatype": "BYTES",
                "shape": [1],
                "data": [base64.b64encode(album[0]).decode()],
            }
        ],
        "outputs": [{"name": "embedding"}],
    }
    answer = rest.post(V2, json=body).json()
    assert [(output["name"], output["shape"]) for output in answer["outputs"]] == [("embedding", [1, 512])]
    # What was predicted is counted all the same.
    assert 'modelserve_predictions_total{label="cat",model="resnet-classifier"' in rest.get("/metrics").text


def test_metadata(rest: httpx.Client, server: Any) -> None:
    ours = rest.get("/v2/models/resnet-classifier").json()
    theirs = server.get("/v2/models/resnet-classifier").json()
    assert ours["inputs"] == [*theirs["inputs"], {"name": "url", "datatype": "BYTES", "shape": [-1]}]
    assert [(spec["name"], spec["datatype"], len(spec["shape"])) for spec in ours["outputs"]] == [
        (spec["name"], spec["datatype"], len(spec["shape"])) for spec in theirs["outputs"]
    ]
    assert rest.get("/v2/health/ready").status_code == 200


def image_input(*images: bytes | str, name: str = "image") -> dict[str, Any]:
    data = [base64.b64encode(one).decode() if isinstance(one, bytes) else one for one in images]
    return {"name": name, "datatype": "BYTES", "shape": [len(data)], "data": data}


def test_the_same_refusals_as_the_predictors(rest: httpx.Client, server: Any, album: list[bytes]) -> None:
    torn = album[0][: len(album[0]) // 2]
    large = encoded(Image.new("L", (2500, 2000)), "PNG")
    pixels = {"name": "pixels", "datatype": "FP32", "shape": [1, 3, 2, 2], "data": [0.5] * 12}
    for path, body in (
        (V1, instances([*album[:17], torn, album[0], torn])),
        (V1, instances([album[0], b"no image"])),
        (V1, instances([large])),
        (V1, instances([b"\xff\xd8\xff" + bytes(1_000_000)])),
        (V1, instances([b"x"] * 65)),
        (V1, {"instances": [{"b64": "?"}]}),
        (V1, {"instances": [{"b64": "data:image/png;base64,AAAA"}]}),
        (V1, {"instances": []}),
        (V2, {"inputs": [image_input(torn)]}),
        (V2, {"inputs": [image_input(b"")]}),
        (V2, {"inputs": [{**image_input(album[0]), "shape": [1, 1, 1]}]}),
        (V2, {"inputs": [pixels]}),
        (V2, {"inputs": [image_input(album[0])], "outputs": [{"name": "boxes"}]}),
    ):
        found, expected = rest.post(path, json=body), server.post(path, json=body)
        assert (found.status_code, found.json()) == (expected.status_code, expected.json())
        assert found.status_code in {400, 413}


@pytest.mark.parametrize("top_k", [0, 11, -1, 1.5, "3", True])
def test_the_predictor_refuses_and_is_quoted(
    ports: tuple[int, int], rest: httpx.Client, server: Any, album: list[bytes], top_k: Any
) -> None:
    body = {"inputs": [image_input(*album[5:7])], "parameters": {"top_k": top_k}}
    found, expected = rest.post(V2, json=body), server.post(V2, json=body)
    assert (found.status_code, expected.status_code) == (400, 400)
    assert expected.json()["error"].endswith("an integer from 1 to 10 is accepted")
    assert found.json() == {"error": f"predictor: {expected.json()['error']}"}
    if top_k == 0:
        with pytest.raises(InferenceServerException, match="'top_k' is 0; an integer from 1 to 10") as raised:
            ask_grpc(ports[1], {"image": np.array(album[:1], dtype=object)}, top_k=top_k)
        assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (V1, {"instances": [[1]]}, "instance 0 is an array"),
        (V1, {"instances": ["https://images.test/"]}, "instance 0 is a string"),
        (V1, {"instances": [{}]}, "instance 0 is an object with other keys"),
        (V1, {"instances": [{"href": "x"}]}, "instance 0 is an object with other keys"),
        (V1, {"instances": [{"url": "x", "b64": "AAAA"}]}, "instance 0 is an object with other keys"),
        (V1, {"instances": [{"url": None}]}, "instance 0 is an object whose url is null"),
        (V1, {"instances": [{"b64": 5}]}, "instance 0 is an object whose b64 is a number"),
    ],
)
def test_instances_of_another_form(rest: httpx.Client, path: str, body: Any, sentence: str) -> None:
    answer = rest.post(path, json=body)
    assert answer.status_code == 400
    accepted = '{"b64": "<an image in base64>"} or {"url": "<the address of one>"} is accepted'
    assert answer.json() == {"error": f"{sentence}; {accepted}"}


def test_one_kind_of_input(rest: httpx.Client, album: list[bytes]) -> None:
    url = image_input("https://images.test/", name="url")
    answer = rest.post(V2, json={"inputs": [image_input(album[0]), url]})
    assert answer.status_code == 400
    assert answer.json() == {"error": "2 inputs are given; one of 'image', 'pixels' and 'url' is accepted"}
    assert rest.post(V2, json={"inputs": [{**url, "name": "uri"}]}).json()["error"].startswith("input 'uri'")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (V1, {"instances": [{"url": "https://images.test/cat.jpg"}]}),
        (V2, {"inputs": [image_input("https://images.test/cat.jpg", name="url")]}),
    ],
)
def test_urls_are_refused_where_no_host_is_allowed(rest: httpx.Client, path: str, body: Any) -> None:
    answer = rest.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "image 0: this server fetches no URLs; the encoded image itself is accepted"
    }
