"""The way in by components/gateway-api, before a model that wants tokens."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from meshes import BODIES, MODEL, V1, V2, question, token

from modelserve.canary.admission.certificates import Certificate, make_certificate

DOMAIN = "modelserve.example.com"


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """Of the Gateway."""
    return make_certificate(f"*.{DOMAIN}", now=datetime.now(timezone.utc))


@pytest.fixture(scope="module")
def edge(
    namespace: Any, mesh_model: None, certificate: Certificate, wait_for: Callable[..., Any]
) -> Iterator[str]:
    """The address of a Gateway, as components/gateway-api wants it."""
    pem = {"tls.crt": certificate.certificate.decode(), "tls.key": certificate.key.decode()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "modelserve-tls"},
        "stringData": pem,
    }
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "tls": {"certificateRefs": [{"name": "modelserve-tls"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": "modelserve",
            "annotations": {"networking.istio.io/service-type": "ClusterIP"},
        },
        "spec": {"gatewayClassName": "istio", "listeners": [listener]},
    }
    with namespace.beside("gateways").made(is_waited_for=True) as gateways:
        gateways.kubectl("apply", "--filename=-", stdin=json.dumps(secret))
        gateways.kubectl("apply", "--filename=-", stdin=json.dumps(gateway))
        gateways.kubectl("wait", "gateway", "modelserve", "--for=condition=Programmed", "--timeout=120s")
        address = gateways.kubectl(
            "get", "service", "modelserve-istio", "--output=jsonpath={.spec.clusterIP}"
        )

        def listens() -> bool:
            with socket.socket() as tried:
                return tried.connect_ex((address, 443)) == 0

        wait_for(listens, seconds=120)
        yield address


@pytest.fixture(scope="module")
def client(edge: str, certificate: Certificate) -> Iterator[Callable[..., httpx.Response]]:
    """Calls the model from outside, by its name."""
    host = f"{MODEL}.{DOMAIN}"
    trusted = ssl.create_default_context(cadata=certificate.certificate.decode())

    with httpx.Client(verify=trusted, timeout=30, headers={"Host": host}) as session:

        def call(method: str, path: str, *, bearer: str = "", body: Any = None) -> httpx.Response:
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            return session.request(
                method,
                f"https://{edge}{path}",
                headers=headers,
                json=body,
                # The path as it is written: httpx would tidy it up.
                extensions={"sni_hostname": host, "target": path.encode()},
            )

        yield call


def test_the_way_in_from_outside(client: Callable[..., httpx.Response], wait_for: Any) -> None:
    def answer() -> list[int]:
        return [
            client("POST", V2, body=BODIES[V2], bearer=bearer).status_code for bearer in ("", "abc", token())
        ]

    wait_for(lambda: answer() == [403, 401, 200], seconds=60, said=answer)
    assert client("POST", V1, body=BODIES[V1], bearer=token()).status_code == 200
    open_to_all = ["/v2", "/v2/health/ready", f"/v2/models/{MODEL}", "/v1/models"]
    assert [client("GET", path).status_code for path in open_to_all] == [200] * len(open_to_all)


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/repository/models/{MODEL}/unload",
        f"/v2%2Frepository/models/{MODEL}/unload",
        f"/v2/models/../repository/models/{MODEL}/unload",
        f"/v2/models/..%2Frepository/models/{MODEL}/unload",
        f"//v2/repository/models/{MODEL}/unload",
    ],
)
def test_no_model_is_unloaded_from_outside(client: Callable[..., httpx.Response], path: str) -> None:
    assert client("POST", path, bearer=token()).status_code == 404


def test_metrics_and_pages_stay_inside(client: Callable[..., httpx.Response]) -> None:
    assert [client("GET", path).status_code for path in ("/metrics", "/docs", "/openapi.json")] == [404] * 3


def test_grpc_from_outside(edge: str, certificate: Certificate, wait_for: Callable[..., Any]) -> None:
    credentials = grpc.ssl_channel_credentials(certificate.certificate)
    name = f"{MODEL}-grpc.{DOMAIN}"
    options = [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]

    def outcome(method: str, request: Any, *bearer: str) -> str:
        metadata = tuple(("authorization", f"Bearer {one}") for one in bearer)
        try:
            channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(
                request.SerializeToString(), timeout=30, metadata=metadata
            )
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    with grpc.secure_channel(f"{edge}:443", credentials, options) as channel:
        # Its route may come later than that of REST.
        ready = partial(outcome, "ServerReady", messages.ServerReadyRequest())
        wait_for(lambda: ready() == "OK", seconds=60, said=ready)
        assert outcome("ModelInfer", question()) == "PERMISSION_DENIED"
        assert outcome("ModelInfer", question(), token()) == "OK"
        unload = messages.RepositoryModelUnloadRequest(model_name=MODEL)
        assert outcome("RepositoryModelUnload", unload, token()) == "UNIMPLEMENTED"
