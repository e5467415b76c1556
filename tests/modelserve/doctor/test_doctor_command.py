"""``modelserve doctor`` before an API server that has what was captured: statuses, JSON, rights, bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from http_servers import Request, answering
from jsonschema_rs import Draft202012Validator
from kubeconfigs import kubeconfig_of, use_kubeconfig

from modelserve.cli import main
from modelserve.doctor.facts import Facts

SCHEMA = json.loads(files("modelserve.doctor").joinpath("diagnosis.schema.json").read_text("utf-8"))
PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+))?/(?P<rest>.+)")


@dataclass
class Cluster:
    """An API server that has what was captured.

    Attributes:
        facts: what it has.
        refused: resources that it does not show, with their namespaces.
        absent: groups that it does not know.
        status: of every answer; 0 for the right one.
        page: objects of an answer.
        asked: paths.
    """

    facts: Facts
    refused: set[tuple[str, str]] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    status: int = 0
    page: int = 500
    asked: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        self.asked.append(request.path)
        assert request.method == "GET"
        found = PATH.fullmatch(request.path)
        assert found is not None, request.path
        group, namespace, rest = found["group"] or "", found["namespace"] or "", found["rest"]
        resource = f"{rest}.{group}" if group else rest
        if self.status:
            return self.status, b'{"message": "not now"}'
        if rest.endswith("/log"):
            resource = "pods/log"
        if (resource, namespace) in self.refused or ("*", "*") in self.refused:
            return 403, b'{"message": "forbidden"}'
        if group in self.absent:
            return 404, b"404 page not found"
        if resource == "pods/log":
            return 200, b"OSError: no labels.txt\n"
        assert "secrets" not in resource
        items = self.facts.of(resource, namespace)
        return 200, json.dumps({"metadata": {}, "items": items}).encode()


@pytest.fixture
def cluster(
    captured: Callable[..., Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names, with the fault ``crash``."""
    there = Cluster(captured("crash"))
    with answering(there.answer) as port:
        server = f"http://127.0.0.1:{port}"
        use_kubeconfig(kubeconfig_of(server, tmp_path, namespace="doctor-cap"), monkeypatch)
        yield there


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The status, and what is printed as JSON, which has the form that is promised."""
    status = main(["doctor", "--json", *arguments])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(said)
    return status, said


def codes(said: dict[str, Any]) -> list[str]:
    return [one["code"] for one in said["findings"]]


def test_a_fault_is_printed_in_two_lines(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "crash"]) == 1
    wrong, mend = capsys.readouterr().out.splitlines()
    assert wrong.startswith("crashed: InferenceService doctor-cap/crash: Its container kserve-container ends")
    assert mend.startswith("  To mend it: ")


@pytest.mark.parametrize("arguments", [(), ("crash",), ("--namespace=doctor-cap",)])
def test_programs_read_json(
    arguments: tuple[str, ...], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = doctor(capsys, *arguments)
    assert (status, said["verdict"], said["namespace"], said["services"]) == (
        1,
        "faulty",
        "doctor-cap",
        ["crash"],
    )
    assert codes(said) == ["crashed"]


def test_nothing_is_wrong(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = doctor(capsys, "--namespace=default")
    assert (status, said) == (
        0,
        {"verdict": "healthy", "namespace": "default", "services": [], "findings": []},
    )
    assert main(["doctor", "--namespace=default"]) == 0
    assert "Nothing is wrong" in capsys.readouterr().out


def test_another_name_is_suggested(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = doctor(capsys, "crahs")
    assert (status, codes(said)) == (1, ["service-missing"])


def test_what_may_not_be_read_is_named(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.refused = {("*", "*")}
    status, said = doctor(capsys)
    assert (status, said["verdict"], codes(said)) == (3, "unknown", ["rights-missing"])
    (finding,) = said["findings"]
    for words in ("list ", "inferenceservices.serving.kserve.io", "in doctor-cap", "nodes", "of the cluster"):
        assert words in finding["wrong"]


def test_a_fault_is_told_in_spite_of_missing_rights(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.refused = {("nodes", ""), ("deployments.apps", "kserve")}
    status, said = doctor(capsys)
    assert (status, codes(said)) == (1, ["crashed", "rights-missing"])
    assert (
        said["findings"][1]["wrong"]
        == "It may not list deployments.apps in kserve; nor list nodes of the cluster."
    )


@pytest.mark.parametrize("status", [401, 500, 503])
def test_a_cluster_that_does_not_tell(
    status: int, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.status = status
    found, said = doctor(capsys)
    assert (found, said["verdict"], codes(said)) == (3, "unknown", ["cluster-away"])
    assert f"{status}, not now" in said["findings"][0]["wrong"]


def test_no_cluster_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "absent")
    )
    status, said = doctor(capsys)
    assert (status, codes(said)) == (3, ["cluster-away"])


@pytest.mark.parametrize(
    ("group", "expected"),
    [("serving.kserve.io", ["kserve-missing"]), ("serving.knative.dev", ["knative-missing"])],
)
def test_parts_that_are_not_installed(
    group: str, expected: list[str], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.absent = {group}
    status, said = doctor(capsys)
    assert (status, codes(said)[:1]) == (1, expected)


@pytest.mark.parametrize(
    ("namespace", "expected"), [("kserve", "kserve-missing"), ("knative-serving", "knative-missing")]
)
def test_definitions_without_a_controller(
    namespace: str,
    expected: str,
    captured: Callable[..., Facts],
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def gone(content: dict[str, Any]) -> None:
        for resource in ("deployments.apps", "endpointslices.discovery.k8s.io"):
            content["objects"][resource] = [
                one for one in content["objects"][resource] if one["metadata"]["namespace"] != namespace
            ]

    cluster.facts = captured("crash", gone)
    status, said = doctor(capsys)
    assert (status, codes(said)) == (1, [expected, "crashed"])


@pytest.mark.parametrize("arguments", [("--kubeconfig=a",), ("one", "two")])
def test_bad_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *arguments])
    assert ended.value.code == 2


def test_the_log_of_a_container_that_left_no_message_is_read(
    captured: Callable[..., Facts], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        for pod in content["objects"]["pods"]:
            for one in pod["status"]["containerStatuses"]:
                for state in (*one["state"].values(), *one.get("lastState", {}).values()):
                    state.pop("message", None)

    cluster.facts = captured("crash", change)
    _, said = doctor(capsys)
    assert "said last: OSError: no labels.txt" in said["findings"][0]["wrong"]
    cluster.refused = {("pods/log", "doctor-cap")}
    _, said = doctor(capsys)
    assert codes(said) == ["crashed", "rights-missing"]
    assert "get pods/log in doctor-cap" in said["findings"][1]["wrong"]


@pytest.mark.parametrize(
    ("resource", "name", "change", "expected", "words"),
    [
        (
            "deployments.apps",
            "kserve-controller-manager",
            {"spec": {"replicas": 0}, "status": {}},
            "controller-down",
            "It is scaled to 0, so nothing is made of new or changed InferenceServices.",
        ),
        (
            "deployments.apps",
            "activator",
            {"status": {}},
            "controller-down",
            "It has no ready pod, so services without replicas are not woken.",
        ),
        (
            "endpointslices.discovery.k8s.io",
            "kube-dns",
            {"endpoints": []},
            "dns-down",
            "No pod of CoreDNS is ready",
        ),
        (
            "endpointslices.discovery.k8s.io",
            "kserve-webhook-server-service",
            {"endpoints": [{"conditions": {"ready": False}}]},
            "webhook-without-endpoints",
            "has nobody behind it",
        ),
    ],
    ids=["kserve", "activator", "dns", "webhook"],
)
def test_a_platform_that_is_down_is_told_first(
    resource: str,
    name: str,
    change: dict[str, Any],
    expected: str,
    words: str,
    captured: Callable[..., Facts],
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def down(content: dict[str, Any]) -> None:
        found = [one for one in content["objects"][resource] if one["metadata"]["name"].startswith(name)]
        assert found
        for one in found:
            for key, value in change.items():
                one[key] = {**one[key], **value} if key == "spec" else value

    cluster.facts = captured("crash", down)
    status, said = doctor(capsys)
    assert (status, codes(said)) == (1, [expected, "crashed"])
    assert words in said["findings"][0]["wrong"]


def test_a_service_that_waits_for_a_platform_that_is_down_is_no_fault_of_its_own(
    captured: Callable[..., Facts], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(content: dict[str, Any]) -> None:
        objects = content["objects"]
        for resource in ("pods", "services.serving.knative.dev", "revisions.serving.knative.dev", "events"):
            objects[resource] = [
                one for one in objects[resource] if one["metadata"]["namespace"] != "doctor-cap"
            ]
        (service,) = objects["inferenceservices.serving.kserve.io"]
        del service["status"]
        for one in objects["deployments.apps"]:
            if one["metadata"]["name"] == "kserve-controller-manager":
                one["status"] = {}

    cluster.facts = captured("crash", down)
    status, said = doctor(capsys)
    assert (status, codes(said)) == (1, ["controller-down"])


def test_a_read_is_bounded(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    doctor(capsys)
    assert len(cluster.asked) < 45
    assert len(cluster.asked) == len(set(cluster.asked)), "nothing is asked twice"
