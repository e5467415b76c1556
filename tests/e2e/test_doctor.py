"""``modelserve doctor`` names faults that are put into a real cluster: each by its code, once, in a sentence.

All faults of services are there at the same time, in the module's namespace, and the platform's own ones one
after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kubeconfigs import kubeconfig_of

SHELF = Path(__file__).parents[2] / "inferenceservices"
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
SERVER: dict[str, Any] = {
    "name": "kserve-container",
    "image": "dev.local/bert-ner-sample:dev",
    "args": ["--model_name=bert-ner", "--model_dir=/mnt/models", "--log_format=json"],
    "ports": [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}],
    "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 2},
    "resources": {
        "requests": {"cpu": "10m", "memory": "200Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    },
}


def service(
    name: str,
    *,
    annotations: dict[str, str] | None = None,
    predictor: dict[str, Any] | None = None,
    **server: Any,
) -> dict[str, Any]:
    """An InferenceService: the sample's server with some fields changed, or a model from a store."""
    spec: dict[str, Any] = {"minReplicas": 1, "maxReplicas": 1, **(predictor or {})}
    if "model" not in spec:
        spec["containers"] = [{**SERVER, **server}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"predictor": spec},
    }


def stored(uri: str, *, model_format: str = "bert-token-classifier", **more: Any) -> dict[str, Any]:
    """A predictor whose model is fetched."""
    account = {"serviceAccountName": more.pop("account")} if "account" in more else {}
    return {**account, "model": {"modelFormat": {"name": model_format}, "storageUri": uri, **more}}


def from_value(kind: str) -> list[dict[str, Any]]:
    return [{"name": "VALUE", "valueFrom": {kind: {"name": "absent", "key": "value"}}}]


def asking(**amounts: str) -> dict[str, Any]:
    named = {name.replace("gpu", "nvidia.com/gpu"): amount for name, amount in amounts.items()}
    return {"requests": named, "limits": named}


SERVICES = [
    service("image", image="dev.local/absent:dev"),
    service("registry", image="registry.invalid/absent:1"),
    service("format", predictor=stored("s3://models/bert", model_format="bert-token-clasifier")),
    service("runtime", predictor=stored("s3://models/bert", runtime="modelserve-bert-nerr")),
    service("account", predictor={"serviceAccountName": "absent"}),
    service("secret", env=from_value("secretKeyRef")),
    service("configmap", env=from_value("configMapKeyRef")),
    service("cpu", resources=asking(cpu="640")),
    service("memory", resources=asking(memory="9000Gi")),
    service("gpu", resources=asking(gpu="1")),
    service("selector", predictor={"nodeSelector": {"disk": "absent"}}, annotations=STANDARD),
    service("feature", predictor={"nodeSelector": {"disk": "absent"}}),
    service("crash", args=["--model_name=bert-ner", "--model_dir=/tmp", "--log_format=json"]),
    service("memory-limit", resources=asking(memory="30Mi")),
    service("port", args=[*SERVER["args"], "--http_port=9999"]),
    service("claim", predictor=stored("pvc://absent/bert")),
    service("unbound", predictor=stored("pvc://unbound/bert")),
    service("scheme", predictor=stored("ftp://models/bert")),
    service("bucket", predictor=stored("s3://absent-bucket/bert", account="with-keys")),
    service("key", predictor=stored("s3://BUCKET/absent", account="with-keys")),
    service("host", predictor=stored("s3://models/bert", account="of-no-host")),
    service("keys", predictor=stored("s3://models/bert", account="of-a-closed-store")),
]

FAULTS = {
    "image": ("image-not-pulled", ["dev.local/absent:dev"]),
    "registry": ("image-not-pulled", ["registry.invalid/absent:1"]),
    "format": ("format-unsupported", ["bert-token-clasifier"]),
    "runtime": ("runtime-missing", ["modelserve-bert-nerr"]),
    "account": ("service-account-missing", ["ServiceAccount absent"]),
    "secret": ("config-missing", ["no Secret absent"]),
    "configmap": ("config-missing", ["no ConfigMap absent"]),
    "cpu": ("no-node-fits", ["have too little cpu", "it asks for 640", "largest node has"]),
    "memory": ("no-node-fits", ["have too little memory", "largest node has"]),
    "gpu": ("no-node-fits", ["have too little nvidia.com/gpu"]),
    "selector": ("no-node-fits", ["do not match its node selector"]),
    "feature": ("admission-refused", ["nodeSelector"]),
    "crash": ("crashed", ["exit code 1", "/tmp has no config.json"]),
    "memory-limit": ("out-of-memory", ["limit of 30Mi", "OOMKilled"]),
    "port": ("not-answering", ["GET /v2/health/ready at port 8080"]),
    "claim": ("claim-missing", ["no PersistentVolumeClaim absent"]),
    "unbound": ("claim-not-bound", ["PersistentVolumeClaim unbound", '"absent" not found']),
    "scheme": ("storage-scheme", ["ftp://models/bert"]),
    "bucket": ("storage-missing", ["s3://absent-bucket/bert", "not found"]),
    "key": ("storage-missing", ["/absent", "No model found"]),
    "host": ("storage-away", ["s3.absent.svc.cluster.local"]),
    "keys": ("storage-forbidden", ["s3://models/bert", "Forbidden"]),
}

# A store that lets nobody in, as S3 says it.
CLOSED_STORE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Closed(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_HEAD = do_GET
HTTPServer(("", 9000), Closed).serve_forever()
"""

Doctor = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="session")
def doctor() -> Doctor:
    """The command with ``--json``: its exit status, and what it prints."""

    def ask(*arguments: str, kubeconfig: str | None = None) -> tuple[int, dict[str, Any]]:
        environment = os.environ if kubeconfig is None else {**os.environ, "KUBECONFIG": kubeconfig}
        done = subprocess.run(
            [sys.executable, "-m", "modelserve.cli", "doctor", "--json", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=environment,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return ask


def apply(namespace: Any, *objects: dict[str, Any]) -> None:
    namespace.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(objects))


def core(kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, **content.pop("metadata", {})},
        **content,
    }


def account_of(host: str, account: str) -> list[dict[str, Any]]:
    """A ServiceAccount with keys for an S3 at a host."""
    notes = {"serving.kserve.io/s3-endpoint": host, "serving.kserve.io/s3-usehttps": "0"}
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    return [
        core("Secret", account, metadata={"annotations": notes}, stringData=keys),
        core("ServiceAccount", account, secrets=[{"name": account}]),
    ]


@pytest.fixture(scope="module")
def bucket() -> str:
    """An empty bucket of the cluster's S3."""
    asked = ["kubectl", "get", "service", "s3", "--namespace=s3", "--output=jsonpath={.spec.clusterIP}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("the cluster has no service s3 in the namespace s3 that speaks S3")
    name = f"models-{uuid.uuid4().hex[:8]}"
    httpx.put(f"http://{found.stdout}/{name}", timeout=60).raise_for_status()
    return name


@pytest.fixture(scope="module")
def faulty(namespace: Any, bucket: str) -> None:
    """All faulty services, and what they are to find."""
    runtimes = (SHELF / "base" / "bert-ner-runtimes.yaml").read_text()
    runtimes = runtimes.replace("modelserve/bert-ner\n", "dev.local/bert-ner:dev\n")
    runtimes = runtimes.replace('{cpu: "1", memory: 512Mi}', "{cpu: 10m, memory: 200Mi}")
    namespace.kubectl("apply", "--filename=-", stdin=runtimes)
    store = {
        "containers": [
            {
                "name": "store",
                "image": "dev.local/bert-ner:dev",
                "command": ["python", "-c", CLOSED_STORE],
                "securityContext": {"runAsUser": 65532},
            }
        ]
    }
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "absent",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    apply(
        namespace,
        *account_of("s3.s3.svc.cluster.local", "with-keys"),
        *account_of("s3.absent.svc.cluster.local", "of-no-host"),
        *account_of(f"closed.{namespace.name}.svc.cluster.local:9000", "of-a-closed-store"),
        core("Pod", "closed", metadata={"labels": {"app": "closed"}}, spec=store),
        core("Service", "closed", spec={"selector": {"app": "closed"}, "ports": [{"port": 9000}]}),
        core("PersistentVolumeClaim", "unbound", spec=claim),
    )
    namespace.kubectl("wait", "--for=condition=Ready", "pod/closed", "--timeout=120s")
    apply(namespace, *json.loads(json.dumps(SERVICES).replace("BUCKET", bucket)))


def wait_for_code(
    wait_for: Any, ask: Callable[[], tuple[int, dict[str, Any]]], code: str, *, seconds: float = 240
) -> dict[str, Any]:
    """The only finding, once it has this code."""
    said: dict[str, Any] = {}

    def found() -> bool:
        nonlocal said
        status, said = ask()
        codes = [one["code"] for one in said["findings"]]
        assert status == {"healthy": 0, "faulty": 1, "unknown": 3}[said["verdict"]]
        return codes == [code]

    wait_for(found, seconds=seconds, said=lambda: said)
    (finding,) = said["findings"]
    return dict(finding)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_once(
    name: str, faulty: None, namespace: Any, doctor: Doctor, wait_for: Any
) -> None:
    code, words = FAULTS[name]
    finding = wait_for_code(wait_for, lambda: doctor(name, f"--namespace={namespace.name}"), code)
    assert finding["about"] == f"InferenceService {namespace.name}/{name}"
    assert not [word for word in words if word not in finding["wrong"]], finding
    assert finding["wrong"].endswith(".")
    assert finding["mend"].endswith(".")
    assert finding["still_serving"] is None


def test_all_services_of_the_namespace_are_looked_at(faulty: None, namespace: Any, doctor: Doctor) -> None:
    status, said = doctor(f"--namespace={namespace.name}")
    assert status == 1
    assert set(FAULTS) <= set(said["services"])
    about = [one["about"].rpartition("/")[2] for one in said["findings"]]
    assert set(FAULTS) <= set(about)
    assert len(about) == len(set(about)), "a cause and no symptoms"


def test_close_names_are_suggested(faulty: None, namespace: Any, doctor: Doctor) -> None:
    status, said = doctor("imag", f"--namespace={namespace.name}")
    assert status == 1
    (finding,) = said["findings"]
    assert finding["code"] == "service-missing"
    assert "(image" in finding["mend"]


def test_a_namespace_that_is_not_there(namespace: Any, doctor: Doctor) -> None:
    status, said = doctor("image", f"--namespace={namespace.name}r")
    assert status == 1
    (finding,) = said["findings"]
    assert finding["code"] == "namespace-missing"
    assert namespace.name in finding["mend"]


@pytest.mark.parametrize(
    ("suffix", "labels", "policy", "code", "words"),
    [
        (
            "quota",
            {},
            core("ResourceQuota", "small", spec={"hard": {"limits.memory": "50Mi"}}),
            "quota-exceeded",
            ["ResourceQuota small", "limits.memory"],
        ),
        (
            "limits",
            {},
            core("LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"memory": "50Mi"}}]}),
            "limit-range",
            ["LimitRange", "memory"],
        ),
        (
            "security",
            {"pod-security.kubernetes.io/enforce": "restricted"},
            None,
            "pod-security",
            ["restricted:latest", "runAsNonRoot"],
        ),
    ],
    ids=["quota", "limits", "security"],
)
def test_pods_that_the_namespace_does_not_take(
    suffix: str,
    labels: dict[str, str],
    policy: dict[str, Any] | None,
    code: str,
    words: list[str],
    namespace: Any,
    doctor: Doctor,
    wait_for: Any,
) -> None:
    with namespace.beside(f"{namespace.name}-{suffix}").made() as other:
        for key, value in labels.items():
            other.kubectl("label", "namespace", other.name, f"{key}={value}")
        if policy:
            apply(other, policy)
        apply(other, service("names"))
        finding = wait_for_code(wait_for, lambda: doctor(f"--namespace={other.name}"), code)
        assert not [word for word in words if word not in finding["wrong"]], finding


@pytest.fixture(scope="module")
def served(namespace: Any) -> Iterator[Any]:
    """A namespace with a service that answers."""
    with namespace.beside(f"{namespace.name}-served").made() as other:
        apply(other, service("names", predictor={"minReplicas": 0}))
        other.wait_ready("inferenceservice", "names")
        yield other


def test_a_service_that_answers_is_healthy(served: Any, doctor: Doctor) -> None:
    for arguments in ((), ("names",)):
        status, said = doctor(*arguments, f"--namespace={served.name}")
        assert (status, said) == (
            0,
            {"verdict": "healthy", "namespace": served.name, "services": ["names"], "findings": []},
        )


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (
            {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []},
            "ingress-blocked",
            ["closed", "the gateway", "the activator", "8012"],
        ),
        (
            {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 443}]}]},
            "dns-blocked",
            ["closed", "port 53", "kube-system"],
        ),
    ],
    ids=["ingress", "egress"],
)
def test_policies_that_close_a_way(
    spec: dict[str, Any], code: str, words: list[str], served: Any, doctor: Doctor, wait_for: Any
) -> None:
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}}
    apply(served, {**policy, "spec": spec})
    try:
        finding = wait_for_code(wait_for, lambda: doctor(f"--namespace={served.name}"), code, seconds=30)
        assert not [word for word in words if word not in finding["wrong"]], finding
    finally:
        served.kubectl("delete", "networkpolicy", "closed")


def test_our_own_policies_close_nothing(served: Any, doctor: Doctor) -> None:
    served.apply({"components": ["components/network-policies"]})
    try:
        served.kubectl("label", "inferenceservice", "names", "app.kubernetes.io/part-of=modelserve")
        served.wait_ready("inferenceservice", "names")
        status, said = doctor(f"--namespace={served.name}")
        assert (status, said["findings"]) == (0, [])
    finally:
        served.kubectl("delete", "networkpolicies", "--all")


def test_a_service_without_replicas_is_healthy(served: Any, doctor: Doctor, wait_for: Any) -> None:
    wait_for(lambda: not served.list("pods"), seconds=300, said=lambda: served.kubectl("get", "pods"))
    status, said = doctor("names", f"--namespace={served.name}")
    assert (status, said["findings"]) == (0, [])


def test_a_new_revision_that_fails_leaves_the_calls_where_they_are(
    served: Any, doctor: Doctor, wait_for: Any
) -> None:
    old = served.get("inferenceservice", "names")["status"]["components"]["predictor"]["latestReadyRevision"]
    image = "/spec/predictor/containers/0/image"
    served.patch(
        "inferenceservice", "names", {"op": "replace", "path": image, "value": "dev.local/absent:dev"}
    )
    try:
        finding = wait_for_code(wait_for, lambda: doctor(f"--namespace={served.name}"), "image-not-pulled")
        assert finding["still_serving"] == old
        assert finding["wrong"].endswith(f"meanwhile {old} has the calls.")
    finally:
        served.patch("inferenceservice", "names", {"op": "replace", "path": image, "value": SERVER["image"]})
    served.wait_ready("inferenceservice", "names")
    status, said = doctor(f"--namespace={served.name}")
    assert (status, said["findings"]) == (0, [])


@pytest.fixture
def account(served: Any, tmp_path: Path) -> str:
    """A kubeconfig of an account without rights."""
    apply(served, core("ServiceAccount", "reader"))
    token = served.kubectl("create", "token", "reader").strip()
    config = yaml.safe_load(served.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    config["users"] = [{"name": "reader", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "reader"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_rights_that_are_missing_are_named(served: Any, doctor: Doctor, account: str, wait_for: Any) -> None:
    status, said = doctor(f"--namespace={served.name}", kubeconfig=account)
    assert (status, said["verdict"]) == (3, "unknown")
    (finding,) = said["findings"]
    assert finding["code"] == "rights-missing"
    for words in (
        "list ",
        "inferenceservices.serving.kserve.io",
        f"in {served.name}",
        "nodes",
        "of the cluster",
    ):
        assert words in finding["wrong"]

    role = yaml.safe_load((SHELF / "components" / "rbac" / "doctor.yaml").read_text())
    role["metadata"]["name"] = served.name
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": served.name}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": served.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": served.name},
        "subjects": [subject],
    }
    try:
        apply(served, role, binding)
        wait_for(lambda: doctor(f"--namespace={served.name}", kubeconfig=account)[0] == 0, seconds=30)
    finally:
        served.kubectl("delete", "clusterrole,clusterrolebinding", served.name)


@contextmanager
def scaled_away(namespace: Any, place: str, name: str) -> Iterator[None]:
    """A Deployment of the platform without replicas while the body of the ``with`` runs."""
    there = replace(namespace, name=place)
    before = there.get("deployment", name)["spec"]["replicas"]
    there.kubectl("scale", "deployment", name, "--replicas=0")
    try:
        yield
    finally:
        there.kubectl("scale", "deployment", name, f"--replicas={before}")
        there.kubectl("rollout", "status", "deployment", name, "--timeout=180s")


@pytest.mark.parametrize(
    ("place", "name", "code", "about", "words"),
    [
        (
            "kserve",
            "kserve-controller-manager",
            "controller-down",
            "Deployment kserve/kserve-controller-manager",
            ["scaled to 0", "InferenceServices"],
        ),
        (
            "knative-serving",
            "activator",
            "controller-down",
            "Deployment knative-serving/activator",
            ["scaled to 0", "not woken"],
        ),
        ("kube-system", "coredns", "dns-down", "Service kube-system/kube-dns", ["CoreDNS", "scaled to 0"]),
    ],
    ids=["kserve", "activator", "dns"],
)
def test_a_platform_that_is_down(
    place: str, name: str, code: str, about: str, words: list[str], served: Any, doctor: Doctor, wait_for: Any
) -> None:
    with scaled_away(served, place, name):
        finding = wait_for_code(wait_for, lambda: doctor(f"--namespace={served.name}"), code, seconds=90)
        assert finding["about"] == about
        assert not [word for word in words if word not in finding["wrong"]], finding
    wait_for(lambda: doctor(f"--namespace={served.name}")[0] == 0, seconds=90)


def test_a_webhook_that_nobody_answers(served: Any, doctor: Doctor, wait_for: Any) -> None:
    kserve = replace(served, name="kserve")
    service_name = "kserve-webhook-server-service"
    before = kserve.get("service", service_name)["spec"]["selector"]
    key = next(iter(before))
    change = f'{{"spec": {{"selector": {json.dumps({key: "nobody"})}}}}}'
    kserve.kubectl("patch", "service", service_name, "--type=merge", f"--patch={change}")
    try:
        finding = wait_for_code(
            wait_for, lambda: doctor(f"--namespace={served.name}"), "webhook-without-endpoints", seconds=60
        )
        assert finding["about"] == f"Service kserve/{service_name}"
    finally:
        back = json.dumps({"spec": {"selector": before}})
        kserve.kubectl("patch", "service", service_name, "--type=merge", f"--patch={back}")
    wait_for(lambda: doctor(f"--namespace={served.name}")[0] == 0, seconds=90)


def test_nodes_with_a_taint(served: Any, doctor: Doctor, wait_for: Any) -> None:
    """A taint keeps new pods from every node; those that run stay."""
    nodes = [one["metadata"]["name"] for one in served.list("nodes")]
    try:
        served.kubectl("taint", "nodes", *nodes, "doctor=test:NoSchedule")
        apply(served, service("tainted"))
        finding = wait_for_code(
            wait_for, lambda: doctor("tainted", f"--namespace={served.name}"), "no-node-fits"
        )
        assert "a taint that it does not tolerate" in finding["wrong"]
        assert "doctor=test:NoSchedule" in finding["wrong"]
    finally:
        served.kubectl("taint", "nodes", *nodes, "doctor-")
        served.kubectl("delete", "inferenceservice", "tainted", "--ignore-not-found")


def test_a_cluster_that_does_not_answer(doctor: Doctor, tmp_path: Path) -> None:
    status, said = doctor(kubeconfig=str(kubeconfig_of("https://127.0.0.1:9", tmp_path)))
    assert (status, said["verdict"]) == (3, "unknown")
    (finding,) = said["findings"]
    assert finding["code"] == "cluster-away"
