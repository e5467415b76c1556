"""What a server does with a call beside answering it: caches, traces, and gives up on who has gone."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tritonclient.grpc import InferenceServerClient, InferInput

NER = ("bert_ner", "--model_dir", "samples/bert-ner")
TEXT = "Angela Merkel met Barack Obama in Berlin."
V1 = "/v1/models/bert-ner:predict"
V2 = "/v2/models/bert-ner/infer"


def metric(server: Any, name: str, **labels: str) -> float:
    for line in server.get("/metrics").text.splitlines():
        if line.startswith(f"{name}{{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


def hits(server: Any) -> tuple[float, float]:
    name = "modelserve_cache_hits_total"
    return metric(server, name, outcome="hit"), metric(server, name, outcome="miss")


def ask(server: Any, *texts: str, parameters: dict[str, Any] | None = None) -> list[Any]:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    answer = server.post(V2, json={"inputs": [tensor], "parameters": parameters or {}})
    assert answer.status_code == 200, answer.text
    return [json.loads(one) for one in answer.json()["outputs"][0]["data"]]


def ask_grpc(server: Any, text: str) -> list[Any]:
    import numpy as np

    tensor = InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
    with InferenceServerClient(server.grpc_target) as client:
        (found,) = client.infer("bert-ner", [tensor]).as_numpy("entities")
    entities: list[Any] = json.loads(found)
    return entities


def test_a_result_is_kept_for_every_protocol_and_every_option(start_server: Any) -> None:
    server = start_server(*NER, "--cache_url", "memory://")
    (first,) = ask(server, TEXT)
    assert hits(server) == (0, 1)
    assert server.post(V1, json={"instances": [TEXT]}).json()["predictions"] == [first]
    assert ask_grpc(server, TEXT) == first
    assert ask(server, TEXT, parameters={"min_score": 1.0}) == [[e for e in first if e["score"] == 1]]
    assert hits(server) == (3, 1)
    other, again, empty = ask(server, "Paris is in France.", TEXT, "")
    assert ([e["text"] for e in other], again, empty) == (["Paris", "France"], first, [])
    assert hits(server) == (4, 3)


def test_a_cache_that_is_not_there_costs_nothing_but_its_hits(start_server: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start_server(*NER, "--cache_url", f"redis://127.0.0.1:{port}/0")
    answers = [ask(server, TEXT) for _ in range(10)]
    assert all(answer == answers[0] for answer in answers)
    assert [e["text"] for e in answers[0][0]] == ["Angela Merkel", "Barack Obama", "Berlin"]
    assert hits(server) == (0, 10)


def test_a_call_is_a_trace_of_its_phases(start_server: Any, collector: Any) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    server = start_server(
        *NER, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    )
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
    body = {"instances": [TEXT]}
    assert httpx.post(f"{server.url}{V1}", json=body, headers=headers, timeout=60).status_code == 200
    spans = collector.of_trace(trace_id, 5)
    whole = spans.pop("POST /v1/models/{model_name}:predict")
    assert whole.parent_span_id.hex() == parent_id
    assert whole.kind == Span.SPAN_KIND_SERVER
    assert set(spans) == {"preprocess", "queue", "engine", "postprocess"}
    order = [spans[name] for name in ("preprocess", "queue", "engine", "postprocess")]
    assert {span.parent_span_id for span in order} == {whole.span_id}
    times = [time for span in order for time in (span.start_time_unix_nano, span.end_time_unix_nano)]
    assert times == sorted(times)
    attributes = {a.key: a.value for a in whole.attributes}
    assert attributes["modelserve.model"].string_value == "bert-ner"
    assert attributes["modelserve.outcome"].string_value == "ok"


def test_a_caller_that_closes_its_connection_leaves_the_queue(start_server: Any) -> None:
    server = start_server(*NER)
    long = json.dumps({"instances": [f"{TEXT} " * 20_000] * 2}).encode()

    def request(body: bytes) -> bytes:
        return f"POST {V1} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    with socket.create_connection(("127.0.0.1", server.http_port)) as busy:
        busy.sendall(request(long))
        while not metric(server, "modelserve_batch_size_count"):
            time.sleep(0.01)
        with socket.create_connection(("127.0.0.1", server.http_port)) as gone:
            gone.sendall(request(json.dumps({"instances": [f"{TEXT} " * 20_000]}).encode()))
            while not metric(server, "modelserve_queue_depth"):
                time.sleep(0.01)
        while metric(server, "modelserve_queue_depth"):
            time.sleep(0.01)
        assert metric(server, "modelserve_requests_total", outcome="cancelled") == 1
    # The first has hung up too, in the middle of its computation, and the server goes on.
    assert ask(server, TEXT)[0]
    assert metric(server, "modelserve_requests_total", outcome="internal") == 0
