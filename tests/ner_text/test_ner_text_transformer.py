"""The transformer's process in front of the sample predictor's, asked in every way there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

V1 = "/v1/models/bert-ner:predict"
V2 = "/v2/models/bert-ner/infer"

DOCUMENT = (
    "Dr. Angela Merkel met Barack Obama of the U.S. Army in St. Louis. 🙂 They went on to "
    "New\nYork with George W. Bush and J. R. R. Tolkien!\r\n\r\n"
    "François Mitterrand was born in Jarnac 👩‍👩‍👧. He died in Paris… "
)
NAMES = ["Angela Merkel", "Barack Obama", "U.S. Army", "St. Louis", "New\nYork", "J. R. R. Tolkien", "Paris"]


@pytest.fixture(scope="module", params=["v2", "grpc-v2"])
def transformer(request: pytest.FixtureRequest, server: Any, start_module_server: Any) -> Any:
    """A transformer that asks the predictor by the parameter's protocol, three sentences at a time."""
    predictor = server.grpc_target if request.param == "grpc-v2" else server.url.removeprefix("http://")
    return start_module_server(
        *("ner_text", "--predictor_host", predictor, "--predictor_protocol", request.param),
        *("--predictor_batch", "3", "--max_text_bytes", "300000"),
    )


@pytest.fixture
def http_client(transformer: Any) -> Iterator[tritonclient.http.InferenceServerClient]:
    with tritonclient.http.InferenceServerClient(transformer.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def grpc_client(transformer: Any) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    with tritonclient.grpc.InferenceServerClient(transformer.grpc_target) as client:
        yield client


def v1(running: Any, *texts: str) -> list[list[dict[str, Any]]]:
    answer = running.post(V1, json={"instances": list(texts)})
    assert answer.status_code == 200, answer.text
    predictions: list[list[dict[str, Any]]] = answer.json()["predictions"]
    return predictions


def v2(running: Any, *texts: str, **parameters: Any) -> httpx.Response:
    text = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    response: httpx.Response = running.post(V2, json={"inputs": [text], "parameters": parameters})
    return response


def text_input(client: Any, *texts: str) -> list[Any]:
    made = client.InferInput("text", [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=object))
    return [made]


def test_names_of_a_document_are_whole_and_where_they_say(transformer: Any) -> None:
    (found,) = v1(transformer, DOCUMENT)
    for entity in found:
        assert entity["text"] == DOCUMENT[entity["start"] : entity["end"]]
        assert 0 < entity["score"] <= 1
    texts = [entity["text"] for entity in found]
    assert [name for name in NAMES if name not in texts] == []
    assert [entity["start"] for entity in found] == sorted(entity["start"] for entity in found)
    assert {entity["type"] for entity in found if entity["text"] == "Angela Merkel"} == {"PER"}


def test_a_documents_names_are_those_of_its_sentences(transformer: Any, server: Any) -> None:
    sentences = ["Angela Merkel met Barack Obama in Berlin.", "Apple is in Cupertino!", "Nobody came."]
    sentences = [f"{text[:-1]} on day {day}{text[-1]}" for day in range(20) for text in sentences]
    expected = []
    for sentence, found in zip(sentences, v1(server, *sentences), strict=True):
        place = sum(len(before) + 1 for before in sentences[: sentences.index(sentence)])
        expected += [(one["type"], one["start"] + place, one["end"] + place, one["score"]) for one in found]
    (found,) = v1(transformer, " ".join(sentences))
    assert [(one["type"], one["start"], one["end"]) for one in found] == [one[:3] for one in expected]
    # Other sentences beside one change the order in which its sums are formed.
    np.testing.assert_allclose([one["score"] for one in found], [one[3] for one in expected], atol=2e-3)
    assert len(found) > 60


def test_every_client_sees_the_same(
    transformer: Any,
    http_client: tritonclient.http.InferenceServerClient,
    grpc_client: tritonclient.grpc.InferenceServerClient,
) -> None:
    texts = [DOCUMENT, "", "Barack Obama.", " \r\n"]
    expected = [[one["text"] for one in found] for found in v1(transformer, *texts)]
    assert [bool(names) for names in expected] == [True, False, True, False]
    answer = v2(transformer, *texts)
    (output,) = answer.json()["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("entities", "BYTES", [4])
    assert [[one["text"] for one in json.loads(found)] for found in output["data"]] == expected
    over_http = http_client.infer("bert-ner", text_input(tritonclient.http, *texts)).as_numpy("entities")
    over_grpc = grpc_client.infer("bert-ner", text_input(tritonclient.grpc, *texts)).as_numpy("entities")
    for values in (over_http, over_grpc):
        assert [[one["text"] for one in json.loads(found)] for found in values] == expected


def test_the_answer_tells_who_answered(transformer: Any, server: Any) -> None:
    theirs = v2(server, "Berlin.").json()["parameters"]
    assert v2(transformer, "Berlin.").json()["parameters"] == {
        "revision": "local",
        "predictor_revision": theirs["revision"],
        "model_digest": theirs["model_digest"],
    }
    for path in ("/v2/models/bert-ner", "/v2/models/bert-ner/ready"):
        ours, their = transformer.get(path), server.get(path)
        assert (ours.status_code, ours.json()) == (their.status_code, their.json())


def test_min_score(transformer: Any, grpc_client: tritonclient.grpc.InferenceServerClient) -> None:
    (found,) = v1(transformer, DOCUMENT)
    middle = sorted(one["score"] for one in found)[len(found) // 2] - 0.01
    kept = [one["text"] for one in found if one["score"] >= middle]
    assert 0 < len(kept) < len(found)
    (output,) = v2(transformer, DOCUMENT, min_score=middle).json()["outputs"]
    assert [one["text"] for one in json.loads(output["data"][0])] == kept
    with pytest.raises(
        InferenceServerException, match=r"'min_score' is 1\.5; a number from 0 to 1"
    ) as raised:
        grpc_client.infer("bert-ner", text_input(tritonclient.grpc, ""), parameters={"min_score": 1.5})
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (V1, {"instances": []}),
        (V1, {"instances": [5]}),
        (V1, {"instances": [{"text": "a"}]}),
        (V1, {}),
        (V2, {"inputs": []}),
        (V2, {"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}),
        (V2, {"inputs": [{"name": "text", "datatype": "INT8", "shape": [1], "data": [1]}]}),
        (V2, {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}]}),
        *(
            (
                V2,
                {
                    "inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}],
                    "parameters": {"min_score": value},
                },
            )
            for value in (2, -1, "high", True)
        ),
    ],
)
def test_the_same_refusals_as_the_predictors(transformer: Any, server: Any, path: str, body: Any) -> None:
    ours, theirs = transformer.post(path, json=body), server.post(path, json=body)
    assert ours.status_code == theirs.status_code == 400
    assert ours.json() == theirs.json()


def test_a_document_may_be_longer_than_a_text(transformer: Any, server: Any) -> None:
    lines = [f"On day {day} Angela Merkel met nobody in Berlin." for day in range(20)]
    document = (" " * 11_000).join(lines)
    assert server.post(V1, json={"instances": [document]}).status_code == 413
    (found,) = v1(transformer, document)
    assert [one["text"] for one in found] == ["Angela Merkel", "Berlin"] * 20
    assert found[-1]["end"] == len(document) - 1
    answer = transformer.post(V1, json={"instances": ["a" * 300_001]})
    assert answer.status_code == 413
    assert answer.json() == {"error": "text 0 has 300001 bytes; at most 300000 are accepted"}


def test_what_was_found_is_counted(transformer: Any) -> None:
    v1(transformer, "Angela Merkel lives in Berlin. Barack Obama does not.")
    metrics = transformer.get("/metrics").text
    assert 'modelserve_predictions_total{label="PER",model="bert-ner"' in metrics
    assert 'modelserve_predictions_total{label="LOC",model="bert-ner"' in metrics
