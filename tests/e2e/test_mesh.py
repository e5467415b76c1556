"""Tokens and certificates by components/istio, with Istio's control plane and Envoy in the pods.

In Standard mode: for Knative's the mesh would have to be Knative's ingress too.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages

MESH = Path(__file__).parent / "mesh"
ISSUER, AUDIENCE = "https://issuer.test", "modelserve"
MODEL = "bert-ner"
HOST = f"http://{MODEL}-predictor"
V1, V2 = f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"
BODIES = {
    V1: {"instances": ["Merkel in Berlin"]},
    V2: {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]},
}
INFER = "/inference.GRPCInferenceService/ModelInfer"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

Call = dict[str, Any]
Caller = Callable[..., list[Any]]


def token(*, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """One as the issuer gives it, with other claims or of another key."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a-client", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": "a"})


def infer(path: str = V2, *, host: str = HOST, **more: str) -> Call:
    body = json.dumps(BODIES.get(path, BODIES[V2])).encode()
    return {"method": "POST", "url": host + path, "body": base64.b64encode(body).decode(), **more}


def grpc_call(path: str, body: bytes = b"", **more: str) -> Call:
    url = f"http://{MODEL}-grpc:8081{path}"
    return {"method": "GRPC", "url": url, "body": base64.b64encode(body).decode(), **more}


def grpc_infer(**more: str) -> Call:
    request = messages.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"Merkel in Berlin")
    return grpc_call(INFER, request.SerializeToString(), **more)


@pytest.fixture(scope="module")
def mesh(namespace: Any) -> Iterator[None]:
    """Istio in ``istio-system``, without the definitions, which are the cluster's."""
    if "MESH_IMAGE" not in os.environ:
        pytest.skip("MESH_IMAGE names no image of Istio")
    operator = yaml.safe_load((MESH / "istio.yaml").read_text())
    values = operator["spec"]["values"]
    for part in (values["pilot"], values["global"]["proxy"], values["global"]["proxy_init"]):
        part["image"] = os.environ["MESH_IMAGE"]
    made = subprocess.run(
        [os.environ.get("ISTIOCTL", "istioctl"), "manifest", "generate", "--filename=-"],
        input=yaml.safe_dump(operator),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    system = "--namespace=istio-system"
    namespace.kubectl("create", "namespace", "istio-system")
    try:
        namespace.kubectl("apply", system, "--server-side", "--filename=-", stdin=made)
        for name in ("istiod", "istio-ingressgateway"):
            namespace.kubectl("rollout", system, "status", f"deployment/{name}", "--timeout=180s")
        yield
    finally:
        namespace.kubectl("delete", system, "--ignore-not-found", "--filename=-", stdin=made)
        # What istiod and those who ask it keep beside it.
        namespace.kubectl("delete", "namespace", "istio-system", "--wait=false")


@pytest.fixture(scope="module")
def other_namespace(namespace: Any) -> Iterator[str]:
    name = f"{namespace.name}-other"
    namespace.kubectl("create", "namespace", name)
    yield name
    namespace.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def model(namespace: Any, mesh: None, sample_predictor: Callable[[str], dict[str, Any]]) -> None:
    """The model with the component, as an overlay would take it."""
    kustomization = sample_predictor(MODEL)
    kustomization["components"] = ["components/istio"]
    public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    rule = {
        "issuer": ISSUER,
        "jwks": json.dumps({"keys": [{**public, "kid": "a"}]}),
        "audiences": [AUDIENCE],
    }
    callers = ["istio-system", "knative-serving", namespace.name, "monitoring"]
    path = "/spec/rules/0/from/0/source/notNamespaces"
    mode = "/metadata/annotations/serving.kserve.io~1deploymentMode"
    port = "/spec/predictor/containers/0/ports/0/name"
    kustomization["patches"] += [
        {
            "target": {"kind": "RequestAuthentication"},
            "patch": yaml.safe_dump([{"op": "replace", "path": "/spec/jwtRules", "value": [rule]}]),
        },
        {
            "target": {"kind": "AuthorizationPolicy", "name": "modelserve-peers"},
            "patch": yaml.safe_dump([{"op": "replace", "path": path, "value": callers}]),
        },
        {
            "target": {"kind": "InferenceService", "name": MODEL},
            "patch": yaml.safe_dump(
                [
                    {"op": "add", "path": mode, "value": "Standard"},
                    # Istio tells HTTP by this name; else by a filter of its own Envoy, which is not there.
                    {"op": "replace", "path": port, "value": "http"},
                ]
            ),
        },
    ]
    namespace.apply(kustomization)
    grpc_service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{MODEL}-grpc"},
        "spec": {
            "selector": {"serving.kserve.io/inferenceservice": MODEL},
            "ports": [{"name": "grpc", "port": 8081}],
        },
    }
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(grpc_service))
    namespace.kubectl(
        "wait", "inferenceservice", MODEL, "--for=condition=Ready", "--timeout=240s"
    )


@pytest.fixture(scope="module")
def caller(namespace: Any, model: None) -> Caller:
    """Makes calls from a pod in a namespace, with a sidecar or without."""

    def calls(*wanted: Call, where: str = namespace.name, sidecar: bool = True) -> list[Any]:
        name = "caller" if sidecar else "caller-without-sidecar"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": where,
                "labels": {"sidecar.istio.io/inject": str(sidecar).lower()},
            },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {
                        "name": "caller",
                        "image": f"dev.local/{MODEL}-sample:dev",
                        "command": ["sleep", "infinity"],
                        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                    }
                ],
            },
        }
        here = f"--namespace={where}"
        namespace.kubectl("apply", here, "--filename=-", stdin=json.dumps(pod))
        namespace.kubectl("wait", here, "pod", name, "--for=condition=Ready", "--timeout=120s")
        script = (MESH / "caller.py").read_text()
        command = ("exec", here, "--stdin", name, "--container=caller", "--", "python", "-c", script)
        found: list[Any] = json.loads(namespace.kubectl(*command, stdin=json.dumps(wanted)))
        return found

    return calls


@pytest.fixture(scope="module", autouse=True)
def policies_are_known(caller: Caller, wait_for: Callable[..., Any]) -> None:
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


def test_a_certificate_of_another_namespace_is_refused(
    caller: Caller, namespace: Any, other_namespace: str
) -> None:
    call = infer(host=f"{HOST}.{namespace.name}", token=token())
    assert caller(call, where=other_namespace) == [403]


def test_the_gateway_needs_a_token_as_well(caller: Caller, namespace: Any) -> None:
    gateway = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {
            "selector": {"istio": "ingressgateway"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        },
    }
    route = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "edge"},
        "spec": {
            "hosts": ["*"],
            "gateways": ["edge"],
            "http": [{"route": [{"destination": {"host": f"{MODEL}-predictor"}}]}],
        },
    }
    for one in (gateway, route):
        namespace.kubectl("apply", "--filename=-", stdin=json.dumps(one))
    host = "http://istio-ingressgateway.istio-system"
    calls = [infer(host=host), infer(host=host, token=token()), infer(host=host, token="abc")]
    deadline = time.monotonic() + 60
    while (found := caller(*calls, sidecar=False)) != [403, 200, 401] and time.monotonic() < deadline:
        time.sleep(1)
    assert found == [403, 200, 401]
