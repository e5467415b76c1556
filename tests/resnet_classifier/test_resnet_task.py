from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from modelserve.engines import Arrays
from modelserve.errors import InvalidInput, ModelLoadError, TooLarge
from modelserve.images import open_image
from modelserve.protocol.messages import InferenceRequest, RequestedOutput, Tensor, bytes_array
from modelserve.task import Limits
from resnet_classifier.inference import ResNetTask
from resnet_classifier.preprocess import Preprocess, load_pixels, normalise

SPEC = Preprocess(resize=36, crop=32)
LIMITS = Limits(batch=100, image_bytes=5_000, image_pixels=40_000)
LABELS = ("red", "green", "blue", "bright", "dark", "même", "flat")


class MeanEngine:
    """Scores classes by an image's mean colour; deterministic, and independent of the batch."""

    is_accelerated = False

    name = "means"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        pixels = inputs["pixels"]
        assert pixels.dtype == np.float32
        self.shapes.append(pixels.shape)
        red, green, blue = means = pixels.mean(axis=(2, 3)).T
        total = red + green + blue
        logits = np.stack([red, green, blue, total, -total, total * 0, total * 0], axis=1)
        return {"logits": logits.astype(np.float32), "embedding": means.T.astype(np.float32)}


def build(folder: Path, *, engine: MeanEngine | None = None, limits: Limits = LIMITS) -> ResNetTask:
    (folder / "labels.txt").write_text("\n".join(LABELS), "utf-8")
    return ResNetTask(engine or MeanEngine(), SPEC, folder, digest="sha256:00", limits=limits)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> ResNetTask:
    return build(tmp_path_factory.mktemp("model"))


def picture(color: tuple[int, int, int] = (255, 0, 0), size: tuple[int, int] = (50, 40)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def image_tensor(*images: bytes, shape: tuple[int, ...] | None = None, from_json: bool = False) -> Tensor:
    values = [base64.b64encode(image) for image in images] if from_json else list(images)
    array = bytes_array(values, (len(values),) if shape is None else shape)
    return Tensor("image", "BYTES", array, from_json=from_json)


def pixels_tensor(array: npt.NDArray[Any], datatype: str = "FP32") -> Tensor:
    return Tensor("pixels", datatype, array)


def call(
    *tensors: Tensor, outputs: tuple[str, ...] = (), parameters: dict[str, Any] | None = None
) -> InferenceRequest:
    return InferenceRequest(
        model_name="resnet-classifier",
        inputs=tensors,
        outputs=tuple(RequestedOutput(name) for name in outputs),
        parameters=parameters or {},
    )


def infer(task: ResNetTask, request: InferenceRequest) -> dict[str, Tensor]:
    decoded = task.decode(request)
    tensors = task.encode(task.run(decoded.items), decoded, request)
    return {tensor.name: tensor for tensor in tensors}


RED, BLUE, BLACK = picture((255, 0, 0)), picture((0, 0, 255)), picture((0, 0, 0))
ALL = ("embedding", "probability", "score", "label")


def test_the_best_five_classes_by_default(task: ResNetTask) -> None:
    answer = infer(task, call(image_tensor(RED, BLUE)))
    assert list(answer) == ["label", "score"]
    assert answer["label"].shape == answer["score"].shape == (2, 5)
    assert answer["score"].array.dtype == np.float32
    assert answer["label"].array[0, 0] == b"red"
    assert answer["label"].array[1, 0] == b"blue"
    assert (np.diff(answer["score"].array) <= 0).all()


def test_outputs_are_those_asked_for_in_their_order(task: ResNetTask) -> None:
    answer = infer(task, call(image_tensor(RED), outputs=ALL, parameters={"top_k": len(LABELS)}))
    assert tuple(answer) == ALL
    tensor = normalise(load_pixels(open_image(RED, max_pixels=10**6), SPEC), SPEC)
    computed = MeanEngine().run({"pixels": tensor[None]})
    np.testing.assert_allclose(answer["embedding"].array, computed["embedding"], rtol=1e-6)
    exponents = np.exp(computed["logits"])
    np.testing.assert_allclose(answer["probability"].array, exponents / exponents.sum(), rtol=1e-6)
    probability = answer["probability"].array[0]
    order = [LABELS.index(label.decode()) for label in answer["label"].array[0]]
    assert order == sorted(range(len(LABELS)), key=lambda c: (-probability[c], c))
    np.testing.assert_array_equal(answer["score"].array[0], probability[order])
    for spec in task.outputs:
        tensor_ = answer[spec.name]
        assert tensor_.datatype == spec.datatype
        assert all(n in (-1, m) for n, m in zip(spec.shape, tensor_.shape, strict=True))


def test_of_equal_scores_the_lower_class_comes_first(tmp_path: Path) -> None:
    class ThreeScores(MeanEngine):
        def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
            logits = np.resize(np.array([0, 2, 1], np.float32), (len(inputs["pixels"]), 1000))
            return {**super().run(inputs), "logits": logits}

    task = ResNetTask(ThreeScores(), SPEC, tmp_path, digest="sha256:00", limits=LIMITS)
    answer = infer(task, call(image_tensor(RED), parameters={"top_k": 1000}))
    expected = [*range(1, 1000, 3), *range(2, 1000, 3), *range(0, 1000, 3)]
    assert [int(label) for label in answer["label"].array[0]] == expected


def test_json_is_base64_and_else_bytes_are_raw(task: ResNetTask) -> None:
    raw = infer(task, call(image_tensor(RED, BLUE), outputs=ALL))
    from_json = infer(task, call(image_tensor(RED, BLUE, from_json=True), outputs=ALL))
    with_axis = infer(task, call(image_tensor(RED, BLUE, shape=(2, 1)), outputs=ALL))
    for name in ALL:
        np.testing.assert_array_equal(raw[name].array, from_json[name].array)
        np.testing.assert_array_equal(raw[name].array, with_axis[name].array)


def test_pixels_answer_as_their_image_does(task: ResNetTask) -> None:
    tensor = normalise(load_pixels(open_image(BLUE, max_pixels=10**6), SPEC), SPEC)
    ours = infer(task, call(image_tensor(BLUE), outputs=ALL))
    theirs = infer(task, call(pixels_tensor(tensor[None]), outputs=ALL))
    for name in ALL:
        np.testing.assert_array_equal(ours[name].array, theirs[name].array)


def test_v1_answers_as_v2_does(task: ResNetTask) -> None:
    decoded = task.decode_v1([{"b64": base64.b64encode(image).decode()} for image in (RED, BLUE)])
    predictions = task.encode_v1(task.run(decoded.items), decoded)
    answer = infer(task, call(image_tensor(RED, BLUE)))
    assert predictions == [
        {"labels": [label.decode() for label in labels], "scores": scores}
        for labels, scores in zip(answer["label"].array, answer["score"].array.tolist(), strict=True)
    ]


def test_items_of_several_calls_are_computed_together_by_shape(tmp_path: Path) -> None:
    engine = MeanEngine()
    task = build(tmp_path, engine=engine)
    engine.shapes.clear()
    wide = np.random.default_rng(0).random((2, 3, 32, 64), np.float32)
    items = [
        *task.decode(call(image_tensor(RED))).items,
        *task.decode(call(pixels_tensor(wide))).items,
        *task.decode(call(image_tensor(BLUE, BLACK))).items,
    ]
    together = task.run(items)
    assert sorted(engine.shapes) == [(2, 3, 32, 64), (3, 3, 32, 32)]
    fresh = [
        *task.decode(call(image_tensor(RED))).items,
        *items[1:3],
        *task.decode(call(image_tensor(BLUE, BLACK))).items,
    ]
    for result, item in zip(together, fresh, strict=True):
        (alone,) = task.run([item])
        np.testing.assert_array_equal(result.probability, alone.probability)  # type: ignore[union-attr]


def test_a_batch_has_a_bounded_size(tmp_path: Path) -> None:
    engine = MeanEngine()
    task = build(tmp_path, engine=engine, limits=Limits(batch=100))
    engine.shapes.clear()
    side = 512
    task.run(task.decode(call(pixels_tensor(np.zeros((14, 3, side, side), np.float32)))).items)
    counts = [shape[0] for shape in engine.shapes]
    assert sum(counts) == 14
    assert max(counts) == task.policy.budget // side**2


def test_an_image_cut_off_fails_alone_and_refuses_its_own_call(task: ResNetTask) -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)).save(file, "PNG")
    broken = file.getvalue()[:-1000]
    request, good = call(image_tensor(RED, broken)), call(image_tensor(BLUE))
    decoded, decoded_good = task.decode(request), task.decode(good)
    results = task.run([*decoded.items, *decoded_good.items])
    with pytest.raises(InvalidInput, match=r"^image 1: the image is cut off or corrupt; an encoded JPEG"):
        task.encode(results[:2], decoded, request)
    with pytest.raises(InvalidInput, match=r"^image 1: "):
        task.encode_v1(results[:2], decoded)
    label, _ = task.encode(results[2:], decoded_good, good)
    assert label.array[0, 0] == b"blue"


def test_pixels_that_overflow_the_model_are_refused(task: ResNetTask) -> None:
    array = np.zeros((2, 3, 32, 32), np.float32)
    array[1] = 3e38
    request = call(pixels_tensor(array))
    decoded = task.decode(request)
    with np.errstate(over="ignore", invalid="ignore"):  # of the engine in this file
        results = task.run(decoded.items)
    with pytest.raises(InvalidInput, match=r"^image 1: its values are too large for the model"):
        task.encode(results, decoded, request)


def test_few_classes_are_all_named_by_default(tmp_path: Path) -> None:
    class TwoClasses(MeanEngine):
        def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
            outputs = super().run(inputs)
            return {**outputs, "logits": outputs["logits"][:, :2]}

    (tmp_path / "labels.txt").write_text("a\nb\n", "utf-8")
    task = ResNetTask(TwoClasses(), SPEC, tmp_path, digest="sha256:00", limits=LIMITS)
    assert infer(task, call(image_tensor(RED)))["label"].shape == (1, 2)
    with pytest.raises(InvalidInput, match="an integer from 1 to 2 is accepted"):
        task.decode(call(image_tensor(RED), parameters={"top_k": 5}))


def test_labels_that_do_not_fit_the_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n", "utf-8")
    with pytest.raises(ModelLoadError, match="names 2 classes, but the weights have 7"):
        ResNetTask(MeanEngine(), SPEC, tmp_path, digest="sha256:00", limits=LIMITS)


def blank(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def with_value(value: float) -> npt.NDArray[np.float32]:
    array = blank(3, 3, 32, 32)
    array[1, 2, 3, 4] = value
    return array


B64 = Tensor("image", "BYTES", bytes_array([b"a?=="], (1,)), from_json=True)
URL = Tensor("image", "BYTES", bytes_array([b"data:image/png;base64,AAAA"], (1,)), from_json=True)
LINES = Tensor("image", "BYTES", bytes_array([base64.encodebytes(RED)], (1,)), from_json=True)
UNPADDED = Tensor("image", "BYTES", bytes_array([b"AAA"], (1,)), from_json=True)
LONG = Tensor("image", "BYTES", bytes_array([b"AAAA" * 1667], (1,)), from_json=True)
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        pytest.param(call(), InvalidInput, "neither of the inputs", id="no input"),
        pytest.param(
            call(image_tensor(RED), pixels_tensor(blank(1, 3, 32, 32))),
            InvalidInput,
            "both of the inputs",
            id="both",
        ),
        pytest.param(
            call(Tensor("img", "BYTES", blank(1))),
            InvalidInput,
            "'image' and 'pixels' are accepted",
            id="name",
        ),
        pytest.param(
            call(Tensor("image", "UINT8", blank(1))),
            InvalidInput,
            "UINT8; BYTES is accepted",
            id="image type",
        ),
        pytest.param(
            call(image_tensor(RED, RED, shape=(1, 2))), InvalidInput, r"\[n\] or \[n, 1\]", id="image shape"
        ),
        pytest.param(call(image_tensor()), InvalidInput, "at least one", id="no image"),
        pytest.param(call(image_tensor(*[RED] * 101)), TooLarge, "at most 100", id="batch"),
        pytest.param(
            call(image_tensor(RED, b"GIF89a")), InvalidInput, "^image 1: the data is no image", id="GIF"
        ),
        pytest.param(
            call(image_tensor(RED, b"")), InvalidInput, "^image 1: the data is empty", id="empty image"
        ),
        pytest.param(
            call(image_tensor(RED, picture(size=(201, 200)))),
            TooLarge,
            r"^image 1: .* 201 x 200 pixels",
            id="image pixels",
        ),
        pytest.param(
            call(image_tensor(RED, bytes(5001))), TooLarge, "image 1 has 5001 bytes", id="image bytes"
        ),
        pytest.param(call(LONG), TooLarge, "image 0 has 5001 bytes", id="base64 bytes"),
        pytest.param(call(B64), InvalidInput, "image 0 is no base64; standard base64", id="base64"),
        pytest.param(call(LINES), InvalidInput, "without line breaks", id="base64 lines"),
        pytest.param(call(UNPADDED), InvalidInput, "with padding", id="base64 padding"),
        pytest.param(call(URL), InvalidInput, "a data: URL", id="URL"),
        pytest.param(
            call(image_tensor(RED), outputs=("logits",)),
            InvalidInput,
            "'logits' is unknown; 'label', 'score', 'probability' and 'embedding' are",
            id="output",
        ),
        pytest.param(
            call(pixels_tensor(blank(1, 3, 32, 32), "FP16")),
            InvalidInput,
            "FP16; FP32 is accepted",
            id="pixels type",
        ),
        pytest.param(
            call(pixels_tensor(blank(3, 32, 32))), InvalidInput, r"\[n, 3, height, width\]", id="pixels rank"
        ),
        pytest.param(
            call(pixels_tensor(blank(1, 32, 32, 3))),
            InvalidInput,
            r"\[n, 3, height, width\]",
            id="channels last",
        ),
        pytest.param(call(pixels_tensor(blank(1, 3, 31, 64))), InvalidInput, "at least 32", id="small"),
        pytest.param(call(pixels_tensor(blank(0, 3, 32, 32))), InvalidInput, "at least one", id="no pixels"),
        pytest.param(call(pixels_tensor(blank(101, 3, 32, 32))), TooLarge, "at most 100", id="pixels batch"),
        pytest.param(
            call(pixels_tensor(blank(1, 3, 201, 200))),
            TooLarge,
            "201 x 200 pixels; at most 40000",
            id="many pixels",
        ),
        pytest.param(
            call(pixels_tensor(with_value(NAN))),
            InvalidInput,
            "image 1 of input 'pixels' holds NaN",
            id="NaN",
        ),
        pytest.param(
            call(pixels_tensor(with_value(-INF))),
            InvalidInput,
            "image 1 of input 'pixels' holds NaN or inf",
            id="infinity",
        ),
        *(
            pytest.param(
                call(image_tensor(RED), parameters={"top_k": value}),
                InvalidInput,
                "an integer from 1 to 7 is accepted",
                id=f"top_k {value!r}",
            )
            for value in (0, 8, 2.0, "2", True)
        ),
    ],
)
def test_v2_requests_that_are_refused(
    task: ResNetTask, request_: InferenceRequest, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task.decode(request_)


@pytest.mark.parametrize(
    ("instances", "error", "message"),
    [
        ([], InvalidInput, "at least one"),
        ([{"b64": ""}] * 101, TooLarge, "at most 100"),
        (["abc"], InvalidInput, "instance 0 is a string; "),
        ([None], InvalidInput, "instance 0 is null"),
        ([{"b64": 1}], InvalidInput, "instance 0 is an object whose b64 is a number"),
        ([{"image": "a"}], InvalidInput, "instance 0 is an object with other keys"),
        ([{"b64": "", "key": 1}], InvalidInput, "instance 0 is an object with other keys"),
        ([{"b64": ""}], InvalidInput, "image 0: the data is empty"),
        ([{"b64": "é\ud800"}], InvalidInput, "image 0 is no base64"),
        ([{"b64": "AAAA"}], InvalidInput, "image 0: the data is no image"),
    ],
)
def test_v1_instances_that_are_refused(
    task: ResNetTask, instances: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task.decode_v1(instances)


def test_metadata(tmp_path: Path) -> None:
    engine = MeanEngine()
    task = build(tmp_path, engine=engine)
    assert [(s.name, s.datatype, s.shape) for s in (*task.inputs, *task.outputs)] == [
        ("image", "BYTES", (-1,)),
        ("pixels", "FP32", (-1, 3, -1, -1)),
        ("label", "BYTES", (-1, -1)),
        ("score", "FP32", (-1, -1)),
        ("probability", "FP32", (-1, 7)),
        ("embedding", "FP32", (-1, 3)),
    ]
    assert task.digest == "sha256:00"
