"""The sample models on both engines: right where anyone can tell, and of one opinion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bert_ner.config import BertConfig
from bert_ner.engine import load_engine as load_bert
from bert_ner.inference import NerTask
from bert_ner.tokenizer import load_tokenizer
from modelserve.task import Limits
from resnet_classifier.engine import load_engine as load_resnet
from resnet_classifier.inference import ResNetTask
from resnet_classifier.preprocess import Preprocess

ROOT = Path(__file__).parents[2]
NER, RESNET = ROOT / "samples" / "bert-ner", ROOT / "samples" / "resnet-classifier"
ENGINES = ("onnx", "torch")


@pytest.fixture(scope="module", params=ENGINES)
def tagger(request: pytest.FixtureRequest) -> NerTask:
    engine, digest = load_bert(NER, engine=request.param)
    return NerTask(engine, load_tokenizer(NER), BertConfig.load(NER), digest=digest, limits=Limits())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Angela Merkel met Barack Obama in Berlin.",
            ["PER Angela Merkel", "PER Barack Obama", "LOC Berlin"],
        ),
        ("The weather is nice today.", []),
        ("", []),
        ("Where does Maria Garcia live?", ["PER Maria Garcia"]),
        ("He moved from Paris to New York in 1998.", ["LOC Paris", "LOC New York"]),
    ],
)
def test_names_that_anyone_would_find(tagger: NerTask, text: str, expected: list[str]) -> None:
    (found,) = tagger.run([text])
    assert [f"{entity['type']} {entity['text']}" for entity in found] == expected
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in found)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cat_is_a_cat_at_any_size_and_in_any_format(engine: str, cat_jpeg: bytes, tmp_path: Path) -> None:
    loaded, digest = load_resnet(RESNET, engine=engine)
    task = ResNetTask(loaded, Preprocess.load(RESNET), RESNET, digest=digest, limits=Limits())
    assert (RESNET / "labels.txt").read_text().split() == [
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ]
    (tmp_path / "cat.jpg").write_bytes(cat_jpeg)
    image = Image.open(tmp_path / "cat.jpg")
    for side in (1024, 64):
        for kind in ("png", "webp", "jpg"):
            path = tmp_path / f"{side}.{kind}"
            image.resize((side * image.width // image.height, side)).save(path)
            pixels = task.decode_v1([{"b64": _base64(path.read_bytes())}])
            (answer,) = task.encode_v1(task.run(pixels.items), pixels)
            assert answer["labels"][0] == "cat"


def test_both_engines_agree_on_pictures() -> None:
    random = np.random.default_rng(5)
    pixels = random.normal(size=(64, 3, 32, 32)).astype(np.float32)
    onnx, torch = (load_resnet(RESNET, engine=engine)[0].run({"pixels": pixels}) for engine in ENGINES)
    for name, expected in torch.items():
        np.testing.assert_allclose(onnx[name], expected, atol=1e-3 * np.abs(expected).max())


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
