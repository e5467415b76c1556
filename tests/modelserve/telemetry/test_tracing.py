"""Spans arrive at a real collector as the conventions have them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.datastructures import Headers

import modelserve
from modelserve.errors import InvalidInput, NotFound, Overloaded, Unavailable
from modelserve.telemetry import NO_CALL
from modelserve.telemetry.conventions import BATCH_SIZE, grpc_call, rest_call

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SERVER, INTERNAL = 2, 1  # SpanKind in OTLP
UNSET, ERROR = 0, 2  # StatusCode in OTLP

REST = rest_call(
    method="POST",
    route="/v2/models/{model_name}/infer",
    path="/v2/models/tagger/infer",
    model="tagger",
    protocol="v2",
)
GRPC = grpc_call(method="inference.GRPCInferenceService/ModelInfer", model="tagger")


def attributes(span: Any) -> dict[str, Any]:
    found = {}
    for item in span.attributes:
        found[item.key] = getattr(item.value, item.value.WhichOneof("value"))
    return found


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_TRACES_EXPORTER": "made-up"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke signals"},
        {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
        },
    ],
)
def test_off_is_one_call_that_does_nothing(configure: Any, variables: dict[str, str]) -> None:
    tracing = configure(**variables)
    assert not tracing.enabled
    call = tracing.start("POST /", carrier={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert call is NO_CALL
    carrier: dict[str, str] = {}
    call.inject(carrier)
    with call.active():
        call.phase("engine", 1, 2)
    call.end(outcome="ok")
    assert carrier == {}
    assert (call.trace_id, call.span_id, call.recording) == ("", "", False)
    assert tracing.shutdown(timeout_seconds=0)


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_call_and_its_phases_over_http(
    configure: Any, http_collector: Any, variable: str, encoding: str
) -> None:
    path = "/v1/traces" if "TRACES" in variable else ""
    compression = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"} if encoding == "gzip" else {}
    tracing = configure(**{variable: http_collector.endpoint + path}, **compression)
    assert tracing.enabled
    name, given = REST
    began = time.time_ns() - 1_000_000
    call = tracing.start(name, attributes=given, start_ns=began)
    assert call.recording
    call.phase("queue", began + 1_000, began + 2_000)
    call.phase("engine", began + 2_000, began + 9_000, attributes={BATCH_SIZE: 3})
    call.end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)

    assert http_collector.paths == ["/v1/traces"]
    assert http_collector.encodings == [encoding]
    server = http_collector.named("POST /v2/models/{model_name}/infer")
    assert server.trace_id.hex() == call.trace_id
    assert server.span_id.hex() == call.span_id
    assert server.parent_span_id == b""
    assert (server.kind, server.status.code) == (SERVER, UNSET)
    assert server.start_time_unix_nano == began < server.end_time_unix_nano
    assert attributes(server) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v2/models/{model_name}/infer",
        "url.path": "/v2/models/tagger/infer",
        "url.scheme": "http",
        "modelserve.model": "tagger",
        "modelserve.protocol": "v2",
        "modelserve.revision": "tagger-00007",
        "modelserve.outcome": "ok",
    }
    engine = http_collector.named("engine")
    assert (engine.trace_id, engine.parent_span_id) == (server.trace_id, server.span_id)
    assert (engine.start_time_unix_nano, engine.end_time_unix_nano) == (began + 2_000, began + 9_000)
    assert (engine.kind, attributes(engine)) == (INTERNAL, {"modelserve.batch_size": 3})
    assert len(http_collector.spans) == 3


def test_a_call_over_grpc(configure: Any, grpc_collector: Any) -> None:
    tracing = configure(
        OTEL_EXPORTER_OTLP_ENDPOINT=grpc_collector.endpoint, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="grpc"
    )
    name, given = GRPC
    call = tracing.start(name, attributes=given)
    call.end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    span = grpc_collector.named("inference.GRPCInferenceService/ModelInfer")
    assert span.trace_id.hex() == call.trace_id
    assert attributes(span) == {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "OK",
        "modelserve.model": "tagger",
        "modelserve.protocol": "grpc",
        "modelserve.revision": "tagger-00007",
        "modelserve.outcome": "ok",
    }


def test_the_resource_names_the_service_and_the_revision(configure: Any, http_collector: Any) -> None:
    tracing = configure(OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    tracing.start("a").end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    [resource] = http_collector.resources
    assert resource["service.name"] == "tagger"
    assert resource["service.version"] == modelserve.__version__
    assert resource["faas.version"] == "tagger-00007"
    assert resource["service.instance.id"]


def test_the_environment_wins_over_our_resource(configure: Any, http_collector: Any) -> None:
    tracing = configure(
        OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint,
        OTEL_SERVICE_NAME="mine",
        OTEL_RESOURCE_ATTRIBUTES="service.version=9,k8s.pod.name=mine-0",
    )
    tracing.start("a").end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    [resource] = http_collector.resources
    wanted = {"service.name": "mine", "service.version": "9", "k8s.pod.name": "mine-0"}
    assert wanted.items() <= resource.items()


PARENTS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "rojo=1", "baggage": "tenant=a"}


@pytest.mark.parametrize(
    "carrier",
    [
        Headers(PARENTS),
        {"Traceparent": PARENTS["traceparent"], "TraceState": "rojo=1", "Baggage": "tenant=a"},
        tuple(PARENTS.items()),
        (*((key, value.encode()) for key, value in PARENTS.items()), ("other-bin", b"\xff\xfe")),
        [(key.encode(), value.encode()) for key, value in PARENTS.items()],
    ],
    ids=["starlette", "mapping", "grpc", "grpc bytes", "asgi"],
)
def test_a_callers_trace_goes_on(configure: Any, http_collector: Any, carrier: Any) -> None:
    tracing = configure(OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    call = tracing.start("a", carrier=carrier)
    onward: dict[str, str] = {}
    call.inject(onward)
    call.end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    span = http_collector.named("a")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.trace_state == "rojo=1"
    assert onward == {
        "traceparent": f"00-{TRACE}-{span.span_id.hex()}-01",
        "tracestate": "rojo=1",
        "baggage": "tenant=a",
    }


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        "é",
    ],
)
def test_a_malformed_parent_is_ignored(configure: Any, http_collector: Any, header: str) -> None:
    tracing = configure(OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    tracing.start("a", carrier={"traceparent": header}).end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    span = http_collector.named("a")
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE


@pytest.mark.parametrize(
    ("sampler", "argument", "flags", "kept"),
    [
        ("parentbased_always_on", "", "01", True),
        ("parentbased_always_on", "", "00", False),
        ("always_on", "", "00", True),
        ("always_off", "", "01", False),
        ("traceidratio", "0", "01", False),
        ("traceidratio", "1", "00", True),
    ],
)
def test_the_sampler_decides(
    configure: Any, http_collector: Any, sampler: str, argument: str, flags: str, *, kept: bool
) -> None:
    tracing = configure(
        OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint,
        OTEL_TRACES_SAMPLER=sampler,
        OTEL_TRACES_SAMPLER_ARG=argument,
    )
    call = tracing.start("a", carrier={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"})
    assert call.recording is kept
    call.phase("engine", 1, 2)
    onward: dict[str, str] = {}
    call.inject(onward)
    call.end(outcome="ok")
    assert tracing.shutdown(timeout_seconds=60)
    assert {span.name for span in http_collector.spans} == ({"a", "engine"} if kept else set())
    assert call.trace_id == TRACE  # the log has it either way
    assert onward["traceparent"] == f"00-{TRACE}-{call.span_id}-{'01' if kept else '00'}"


@pytest.mark.parametrize(
    ("error", "http_status", "grpc_status", "status", "told"),
    [
        (InvalidInput("what was wrong"), 400, "INVALID_ARGUMENT", UNSET, ""),
        (NotFound("there is none"), 404, "NOT_FOUND", UNSET, ""),
        (Overloaded("the queue is full"), 429, "RESOURCE_EXHAUSTED", UNSET, ""),
        (Unavailable("the server is draining"), 503, "UNAVAILABLE", ERROR, "the server is draining"),
        (RuntimeError("with a caller's text"), 500, "INTERNAL", ERROR, ""),
        (asyncio.CancelledError(), None, "CANCELLED", UNSET, ""),
    ],
)
@pytest.mark.parametrize("kind", [REST, GRPC], ids=["rest", "grpc"])
def test_only_faults_of_the_server_are_errors(
    configure: Any,
    http_collector: Any,
    error: BaseException,
    http_status: int | None,
    grpc_status: str,
    status: int,
    told: str,
    kind: tuple[str, dict[str, Any]],
) -> None:
    tracing = configure(OTEL_EXPORTER_OTLP_ENDPOINT=http_collector.endpoint)
    name, given = kind
    tracing.start(name, attributes=given).end(outcome="failed", error=error)
    assert tracing.shutdown(timeout_seconds=60)
    span = http_collector.named(name)
    assert (span.status.code, span.status.message) == (status, told)
    found = attributes(span)
    assert found["modelserve.outcome"] == "failed"
    assert found.get("error.type") == (type(error).__name__ if status == ERROR else None)
    if kind is REST:
        assert found.get("http.response.status_code") == http_status
    else:
        assert found["rpc.response.status_code"] == grpc_status
