"""Istio on a cluster, a model in it that wants tokens, and an issuer of them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
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
HOST = f"http://{MODEL}-predictor"
V1, V2 = f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"
BODIES = {
    V1: {"instances": ["Merkel in Berlin"]},
    V2: {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]},
}
STANDARD = (
    ("add", "/metadata/annotations/serving.kserve.io~1deploymentMode", "Standard"),
    # Istio tells HTTP by this name; else by a filter of its own Envoy, which is not there.
    ("replace", "/spec/predictor/containers/0/ports/0/name", "http"),
)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


Call = dict[str, Any]
Caller = Callable[..., list[Any]]


def token(*, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """One as the issuer gives it, with other claims or of another key."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a-client", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": "a"})


def issuer() -> dict[str, Any]:
    """What a RequestAuthentication is told of it."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    keys = json.dumps({"keys": [{**public, "kid": "a"}]})
    return {"issuer": ISSUER, "jwks": keys, "audiences": [AUDIENCE]}


def change(kind: str, name: str | None, *operations: tuple[str, str, Any]) -> dict[str, Any]:
    """A patch of a kustomization."""
    target = {"kind": kind, **({"name": name} if name else {})}
    patch = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return {"target": target, "patch": yaml.safe_dump(patch)}


def question() -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"Merkel in Berlin")
    return request


def infer(path: str = V2, *, host: str = HOST, **more: str) -> Call:
    body = json.dumps(BODIES.get(path, BODIES[V2])).encode()
    return {"method": "POST", "url": host + path, "body": base64.b64encode(body).decode(), **more}


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
    with namespace.beside("istio-system").made(is_waited_for=True) as system:
        try:
            system.kubectl("apply", "--server-side", "--filename=-", stdin=made)
            system.kubectl("rollout", "status", "deployment/istiod", "--timeout=180s")
            yield
        finally:
            system.kubectl("delete", "--ignore-not-found", "--filename=-", stdin=made)


@pytest.fixture(scope="module")
def deploy_in_mesh(
    namespace: Any, mesh: None, sample_predictor: Callable[[str], dict[str, Any]]
) -> Callable[..., None]:
    """Deploys the model with components, of which ``istio`` is one, and with what a test changes."""

    def deploy(*components: str, patches: Sequence[dict[str, Any]] = ()) -> None:
        kustomization = sample_predictor(MODEL)
        kustomization["components"] = [f"components/{one}" for one in components]
        callers = "/spec/rules/0/from/0/source/notNamespaces"
        kustomization["patches"] += [
            change("RequestAuthentication", None, ("replace", "/spec/jwtRules", [issuer()])),
            change(
                "AuthorizationPolicy", "modelserve-peers", ("replace", callers, [namespace.name, "gateways"])
            ),
            change("InferenceService", MODEL, *STANDARD),
            *patches,
        ]
        namespace.apply(kustomization)
        for one in namespace.list("inferenceservice"):
            name = one["metadata"]["name"]
            namespace.kubectl("wait", "inferenceservice", name, "--for=condition=Ready", "--timeout=240s")

    return deploy


@pytest.fixture(scope="module")
def mesh_model(deploy_in_mesh: Callable[..., None]) -> None:
    """The model, which a Gateway may let in."""
    deploy_in_mesh("istio", "gateway-api")


@pytest.fixture(scope="module")
def caller(namespace: Any, mesh: None) -> Caller:
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
        script = (FOLDER / "caller.py").read_text()
        command = ("exec", here, "--stdin", name, "--container=caller", "--", "python", "-c", script)
        found: list[Any] = json.loads(namespace.kubectl(*command, stdin=json.dumps(wanted)))
        return found

    return calls
