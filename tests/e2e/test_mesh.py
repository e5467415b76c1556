"""Tokens and certificates by components/istio.

In Standard mode: for Knative's the mesh would have to be Knative's ingress too.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from meshes import HOST, MODEL, V1, V2, Call, Caller, infer, question, token

MONITOR = Path(__file__).parents[2] / "observability" / "prometheus" / "monitors" / "servers.yaml"


def grpc_call(path: str, body: bytes = b"", **more: str) -> Call:
    url = f"http://{MODEL}-grpc:8081{path}"
    return {"method": "GRPC", "url": url, "body": base64.b64encode(body).decode(), **more}


def grpc_infer(**more: str) -> Call:
    return grpc_call("/inference.GRPCInferenceService/ModelInfer", question().SerializeToString(), **more)


@pytest.fixture(scope="module")
def other_namespace(namespace: Any) -> Iterator[str]:
    with namespace.beside(f"{namespace.name}-other").made() as other:
        yield other.name


@pytest.fixture(scope="module", autouse=True)
def policies_are_known(mesh_model: None, caller: Caller, wait_for: Callable[..., Any]) -> None:
    """The sidecars hear of policies some moments after the API server has them."""
    outcomes: list[Any] = []

    def known() -> bool:
        outcomes[:] = caller(infer(), infer(token=token()))
        return outcomes == [403, 200]

    wait_for(known, seconds=60, said=lambda: outcomes)


def test_a_call_of_the_model_needs_a_token(caller: Caller) -> None:
    assert caller(infer(V1), infer(V2)) == [403, 403]
    assert caller(infer(V1, token=token()), infer(V2, token=token())) == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        f"/v2%2Fmodels/{MODEL}/infer",
        f"/v2/%6Dodels/{MODEL}/infer",
        f"//v2/models/{MODEL}/infer",
        f"/v2/health/../models/{MODEL}/infer",
        f"/v2/health/..%2Fmodels/{MODEL}/infer",
        f"/v2/models/{MODEL}/infer/",
        "/v2/repository/index",
        f"/grpc.health.v1.Health/Check/../../v2/models/{MODEL}/infer",
        f"/grpc.health.v1.Health/Check%2F..%2F..%2F..%2Fv2/models/{MODEL}/infer",
    ],
)
def test_another_way_to_write_the_path_is_no_way_around(caller: Caller, path: str) -> None:
    assert caller(infer(path)) == [403]


def test_health_and_metadata_need_none(caller: Caller) -> None:
    paths = ["/v2/health/live", "/v2/health/ready", "/v2", f"/v2/models/{MODEL}", "/v1/models", "/metrics"]
    calls = [{"method": "GET", "url": HOST + path} for path in paths]
    assert caller(*calls) == [200] * len(paths)


def test_a_wrong_token_is_worse_than_none(caller: Caller) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = {
        "of another key": token(key=other),
        "expired": token(exp=int(time.time()) - 120),
        "not yet valid": token(nbf=int(time.time()) + 600),
        "for others": token(aud="another-service"),
        "of another issuer": token(iss="https://evil.test"),
        "without a signature": token(key=None, algorithm="none"),
        "no token": "abc",
    }
    outcomes = caller(*(infer(token=one) for one in wrong.values()))
    expected = {**dict.fromkeys(wrong, 401), "for others": 403}
    assert dict(zip(wrong, outcomes, strict=True)) == expected


def test_grpc_is_no_way_around(caller: Caller) -> None:
    assert caller(grpc_infer(), grpc_infer(token=token()), grpc_infer(token="abc")) == [
        "PERMISSION_DENIED",
        "OK",
        "UNAUTHENTICATED",
    ]
    about = messages.ModelReadyRequest(name=MODEL).SerializeToString()
    open_to_all = [
        grpc_call("/grpc.health.v1.Health/Check"),
        grpc_call("/inference.GRPCInferenceService/ServerLive"),
        grpc_call("/inference.GRPCInferenceService/ServerReady"),
        grpc_call("/inference.GRPCInferenceService/ServerMetadata"),
        grpc_call("/inference.GRPCInferenceService/ModelReady", about),
        grpc_call("/inference.GRPCInferenceService/ModelMetadata", about),
    ]
    assert caller(*open_to_all) == ["OK"] * len(open_to_all)
    assert caller(grpc_call("/inference.GRPCInferenceService/RepositoryModelUnload")) == ["PERMISSION_DENIED"]


def test_a_pod_without_a_certificate_is_not_heard(caller: Caller) -> None:
    (outcome,) = caller(infer(token=token()), sidecar=False)
    assert outcome in {"ReadError", "RemoteProtocolError"}, "the connection ends before there is an answer"


def test_metrics_are_passed_on_to_who_has_no_certificate(caller: Caller, namespace: Any) -> None:
    caller(infer(token=token()))
    (pod,) = namespace.list("pods", f"--selector=serving.kserve.io/inferenceservice={MODEL}")
    (monitor,) = yaml.safe_load(MONITOR.read_text())["spec"]["podMetricsEndpoints"]
    port, path = (
        rule["replacement"]
        for rule in monitor["relabelings"]
        if "security_istio_io_tlsMode" in str(rule.get("sourceLabels")) and "replacement" in rule
    )
    told = httpx.get(f"http://{port.replace('$1', pod['status']['podIP'])}{path}", timeout=30).text
    assert f'modelserve_requests_total{{model="{MODEL}",outcome="ok"' in told


def test_a_certificate_of_another_namespace_is_refused(
    caller: Caller, namespace: Any, other_namespace: str
) -> None:
    call = infer(host=f"{HOST}.{namespace.name}", token=token())
    assert caller(call, where=other_namespace) == [403]
