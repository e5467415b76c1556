"""Explanations of the sample image classifier, over its own server."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

Explain = Callable[..., Any]


@pytest.fixture(scope="module")
def explain(server: Any, start_module_server: Any) -> Explain:
    """Calls an explainer before the sample predictor; the answer's status is checked."""
    explainer = start_module_server(
        *("image_attribution", "--predictor_host", f"127.0.0.1:{server.grpc_port}"),
        *("--predictor_protocol", "grpc-v2", "--max_image_bytes", "1000000"),
        *("--sent_pixels", "40000"),
    )

    def explain(*images: Any, status: int = 200, **parameters: Any) -> Any:
        instances = [
            {"b64": base64.b64encode(image).decode()} if isinstance(image, bytes) else image
            for image in images
        ]
        answer = explainer.post(
            "/v1/models/resnet-classifier:explain", json={"instances": instances, "parameters": parameters}
        )
        assert answer.status_code == status, answer.text
        return answer.json()["explanations" if status == 200 else "error"]

    return explain


def probabilities(server: Any, images: list[bytes]) -> dict[str, list[float]]:
    """The probabilities of each label, image by image."""
    instances = [base64.b64encode(image).decode() for image in images]
    answer = server.post(
        "/v2/models/resnet-classifier/infer",
        json={
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(images)], "data": instances}],
            "parameters": {"top_k": 10},
        },
    )
    label, score = (output["data"] for output in answer.json()["outputs"])
    found: dict[str, list[float]] = {}
    for name, value in zip(label, score, strict=True):
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def cat(explain: Explain, cat_jpeg: bytes) -> Any:
    """The explanation of the photograph of a cat."""
    (told,) = explain(cat_jpeg, picture="png")
    return told


def test_the_best_label_is_explained(server: Any, cat: Any, cat_jpeg: bytes) -> None:
    told = cat
    assert told["label"] == "cat"
    assert told["value"] == pytest.approx(probabilities(server, [cat_jpeg])["cat"][0], abs=0.02)
    assert (told["width"], told["height"]) == (451, 300)
    values = [region["attribution"] for region in told["regions"]]
    assert len(values) == 35
    assert sum(values) == pytest.approx(told["value"] - told["base_value"], abs=1e-4)
    assert max(values) > 2 * float(np.mean(np.abs(values)))
    assert told["evaluations"] <= 512
    assert told["model_digest"].startswith("sha256:")
    assert told["predictor_revision"] == "local"


def test_any_label_may_be_asked_for(server: Any, explain: Explain, cat_jpeg: bytes) -> None:
    for label in ("dog", "truck"):
        (told,) = explain(cat_jpeg, label=label, max_calls=40)
        assert told["label"] == label
        assert told["value"] == pytest.approx(probabilities(server, [cat_jpeg])[label][0], abs=0.02)
        assert told["evaluations"] <= 40
    assert "airplane" in explain(cat_jpeg, label="unicorn", status=400)
    assert "a string" in explain(cat_jpeg, label=3, status=400)


def test_several_images_share_the_budget(explain: Explain, cat_jpeg: bytes) -> None:
    with Image.open(io.BytesIO(cat_jpeg)) as image:
        file = io.BytesIO()
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file, "PNG")
    for told in explain(cat_jpeg, file.getvalue(), max_calls=60):
        assert told["evaluations"] <= 30
        assert told["complete"] is False
        values = [region["attribution"] for region in told["regions"]]
        assert sum(values) == pytest.approx(told["value"] - told["base_value"], abs=1e-4)


@pytest.mark.parametrize("cover", ["grey", "blurred"])
def test_hiding_the_regions_that_count_hurts_more_than_hiding_others(
    server: Any, cat: Any, cat_jpeg: bytes, cover: str
) -> None:
    """Nine of 35 regions are covered, not as the explainer does it with the image's mean colour."""
    regions, random = cat["regions"], np.random.default_rng(5)
    order = np.argsort([region["attribution"] for region in regions])[::-1]
    choices = [order[:9], *(random.permutation(len(regions))[:9] for _ in range(20))]
    images = [covered(cat_jpeg, [regions[index]["box"] for index in chosen], cover) for chosen in choices]
    strongest, *others = cat["value"] - np.array(probabilities(server, images)["cat"])
    assert strongest > 0.3
    assert strongest > 1.5 * np.mean(others)


def covered(jpeg: bytes, boxes: list[list[int]], cover: str) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as image:
        grey = Image.new("RGB", image.size, (128, 128, 128))
        under = grey if cover == "grey" else image.filter(ImageFilter.GaussianBlur(50))
        for left, top, right, bottom in boxes:
            image.paste(under.crop((left, top, right, bottom)), (left, top))
        file = io.BytesIO()
        image.save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_a_heat_map(explain: Explain, cat: Any, cat_jpeg: bytes) -> None:
    with Image.open(io.BytesIO(base64.b64decode(cat["picture"]))) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > 400
    assert "'png' is accepted" in explain(cat_jpeg, picture="html", status=400)


@pytest.mark.parametrize(
    ("image", "status", "said"),
    [
        ("text", 400, "instance 0 is a string"),
        (b"no image", 400, "image 0"),
        ({"b64": "?"}, 400, "base64"),
    ],
)
def test_what_is_no_image_is_refused(explain: Explain, image: Any, status: int, said: str) -> None:
    assert said in explain(image, status=status)


def test_a_corrupt_image_is_refused(explain: Explain, cat_jpeg: bytes) -> None:
    assert explain(cat_jpeg[:6000], status=400).startswith("image 0: the image is cut off")
