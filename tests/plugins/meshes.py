"""Istio on a cluster, a model in it that wants tokens, and an issuer of them."""

from __future__ import annotations

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

FOLDER = Path(__file__).parents[1] / "e2e" / "mesh"
ISSUER, AUDIENCE = "https://issuer.test", "modelserve"
MODEL = "bert-ner"
V1, V2 = f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"
BODIES = {
    V1: {"instances": ["Merkel in Berlin"]},
    V2: {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]},
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token(*, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """One as the issuer gives it, with other claims or of another key."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a-client", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": "a"})


def question() -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"Merkel in Berlin")
    return request


@pytest.fixture(scope="module")
def mesh(namespace: Any) -> Iterator[None]:
    """Istio in ``istio-system``, without the definitions, which are the cluster's."""
    if "MESH_IMAGE" not in os.environ:
        pytest.skip("MESH_IMAGE names no image of Istio")
    operator = yaml.safe_load((FOLDER / "istio.yaml").read_text())
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
        namespace.kubectl("rollout", system, "status", "deployment/istiod", "--timeout=180s")
        yield
    finally:
        namespace.kubectl("delete", system, "--ignore-not-found", "--filename=-", stdin=made)
        namespace.kubectl("delete", "namespace", "istio-system", "--timeout=180s")


@pytest.fixture(scope="module")
def mesh_model(namespace: Any, mesh: None, sample_predictor: Callable[[str], dict[str, Any]]) -> None:
    """The model with the component, as an overlay would take it."""
    kustomization = sample_predictor(MODEL)
    kustomization["components"] = ["components/istio", "components/gateway-api"]
    public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    rule = {
        "issuer": ISSUER,
        "jwks": json.dumps({"keys": [{**public, "kid": "a"}]}),
        "audiences": [AUDIENCE],
    }
    callers = [namespace.name, "gateways"]
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
    namespace.kubectl("wait", "inferenceservice", MODEL, "--for=condition=Ready", "--timeout=240s")
