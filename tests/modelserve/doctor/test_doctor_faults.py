"""Faults that were put into a real cluster, found in what was read of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from modelserve.doctor.diagnosis import Verdict, diagnose
from modelserve.doctor.facts import Facts
from modelserve.doctor.findings import Code

Captured = Callable[..., Facts]
Content = dict[str, Any]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("format", Code.FORMAT_UNSUPPORTED, ["bert-token-clasifier", "(bert-token-classifier?)"]),
        ("runtime", Code.RUNTIME_MISSING, ["The runtime nope"]),
        ("image", Code.IMAGE_NOT_PULLED, ["dev.local/absent:dev", "no such host"]),
        ("image2", Code.IMAGE_NOT_PULLED, ["registry.invalid/absent:1", "server misbehaving"]),
        ("account", Code.SERVICE_ACCOUNT_MISSING, ["ServiceAccount absent"]),
        ("secret", Code.CONFIG_MISSING, ["no Secret absent"]),
        ("configmap", Code.CONFIG_MISSING, ["no ConfigMap absent"]),
        ("cpu", Code.NO_NODE_FITS, ["1 have too little cpu left", "asks for 64.01", "largest node has 2 "]),
        (
            "gpu",
            Code.NO_NODE_FITS,
            ["have too little nvidia.com/gpu", "largest node has 0 ", "device plugin"],
        ),
        ("selector", Code.ADMISSION_REFUSED, ["nodeSelector", "config-features"]),
        ("std-selector", Code.NO_NODE_FITS, ["do not match its node selector", "label a node"]),
        ("crash", Code.CRASHED, ["exit code 1", "model bert-ner cannot be loaded: /tmp has no config.json"]),
        ("oom", Code.OUT_OF_MEMORY, ["limit of 30Mi", "resources.limits.memory"]),
        ("claim", Code.CLAIM_MISSING, ["PersistentVolumeClaim absent"]),
        (
            "unbound",
            Code.CLAIM_NOT_BOUND,
            ["PersistentVolumeClaim unbound", "StorageClass none: storageclass"],
        ),
        ("bucket", Code.STORAGE_MISSING, ["s3://absent-bucket/x", "S3 resource 'absent-bucket' not found"]),
        ("key", Code.STORAGE_MISSING, ["s3://doctor-cap/absent", "No model found in absent"]),
        ("host", Code.STORAGE_AWAY, ["s3.absent.svc.cluster.local", "s3-endpoint"]),
        ("scheme", Code.STORAGE_SCHEME, ["ftp://x/y", "s3://"]),
        ("standard-image", Code.IMAGE_NOT_PULLED, ["dev.local/absent:dev"]),
        ("probe", Code.NOT_ANSWERING, ["GET /v2/health/ready at port 9999"]),
        ("probe2", Code.NOT_ANSWERING, ["GET /v2/health/ready at port 8080"]),
    ],
)
def test_a_fault_is_found_and_no_symptom_of_it(
    name: str, code: Code, words: list[str], captured: Captured
) -> None:
    diagnosis = diagnose(captured(name))
    (finding,) = diagnosis.findings
    assert (finding.code, diagnosis.verdict) == (code, Verdict.FAULTY)
    assert finding.about == f"InferenceService doctor-cap/{name}"
    said = f"{finding.wrong} {finding.mend}"
    assert not [word for word in words if word not in said], said
    assert finding.wrong.endswith(".")
    assert finding.mend.endswith(".")


def _without_pods(content: Content) -> None:
    """Without pods, and without a word of the revision."""
    content["objects"]["pods"] = [
        one for one in content["objects"]["pods"] if one["metadata"]["namespace"] != "doctor-cap"
    ]
    (revision,) = content["objects"]["revisions.serving.knative.dev"]
    revision["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]


def _marked(reason: str, message: str, kind: str = "ContainerHealthy") -> Callable[[Content], None]:
    """As it is after ten minutes: Knative has taken the pods away and marked the revision."""

    def change(content: Content) -> None:
        _without_pods(content)
        (revision,) = content["objects"]["revisions.serving.knative.dev"]
        failed = {"status": "False", "reason": reason, "message": message}
        revision["status"]["conditions"] = [{"type": "Ready", **failed}, {"type": kind, **failed}]

    return change


@pytest.mark.parametrize(
    ("reason", "message", "kind", "code"),
    [
        ("ExitCode1", "Container failed with: OSError: no such model", "ContainerHealthy", Code.CRASHED),
        (
            "ExitCode1",
            "Container failed with: 1 storage.initializer ERROR\nRuntimeError: S3 bucket 'x' does not exist.",
            "ContainerHealthy",
            Code.STORAGE_MISSING,
        ),
        ("ImagePullBackOff", "Back-off pulling image", "ResourcesAvailable", Code.IMAGE_NOT_PULLED),
        (
            "Unschedulable",
            "0/1 nodes are available: 1 Insufficient cpu.",
            "ResourcesAvailable",
            Code.NO_NODE_FITS,
        ),
    ],
)
def test_what_knative_keeps_is_told_when_the_pods_are_gone(
    reason: str, message: str, kind: str, code: Code, captured: Captured
) -> None:
    (finding,) = diagnose(captured("crash", _marked(reason, message, kind))).findings
    assert finding.code is code


def test_a_revision_without_any_word_is_starting_and_later_not_ready(captured: Captured) -> None:
    facts = captured("crash", _without_pods)
    (finding,) = diagnose(facts).findings
    assert finding.code is Code.STARTING
    assert diagnose(facts).verdict is Verdict.UNKNOWN

    def later(content: Content) -> None:
        _without_pods(content)
        content["now"] = content["now"].replace("2026-11-27", "2026-11-28")

    (finding,) = diagnose(captured("crash", later)).findings
    assert finding.code is Code.NOT_READY


def test_an_older_revision_that_serves_is_named(captured: Captured) -> None:
    def change(content: Content) -> None:
        (knative,) = content["objects"]["services.serving.knative.dev"]
        knative["status"]["traffic"] = [{"revisionName": "image-predictor-00000", "percent": 100}]

    (finding,) = diagnose(captured("image", change)).findings
    assert finding.still_serving == "image-predictor-00000"
    assert finding.wrong.endswith("; meanwhile image-predictor-00000 has the calls.")


def _ready(content: Content) -> None:
    (revision,) = content["objects"]["revisions.serving.knative.dev"]
    for one in revision["status"]["conditions"]:
        one["status"] = "True"


def test_a_ready_service_without_pods_is_healthy(captured: Captured) -> None:
    def change(content: Content) -> None:
        _without_pods(content)
        _ready(content)

    diagnosis = diagnose(captured("crash", change))
    assert (diagnosis.verdict, diagnosis.findings) == (Verdict.HEALTHY, ())


def test_a_stopped_service_is_healthy(captured: Captured) -> None:
    def change(content: Content) -> None:
        (service,) = content["objects"]["inferenceservices.serving.kserve.io"]
        service["metadata"].setdefault("annotations", {})["serving.kserve.io/stop"] = "true"

    assert diagnose(captured("crash", change)).verdict is Verdict.HEALTHY


@pytest.mark.parametrize(("seconds", "is_told"), [(60, True), (2 * 3600, False)])
def test_a_pod_that_answers_again_tells_for_an_hour_that_it_was_killed(
    seconds: int, is_told: bool, captured: Captured
) -> None:
    def change(content: Content) -> None:
        _ready(content)
        (pod,) = [one for one in content["objects"]["pods"] if one["metadata"]["namespace"] == "doctor-cap"]
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        ended = datetime.fromisoformat(content["now"]) - timedelta(seconds=seconds)
        for one in pod["status"]["containerStatuses"]:
            one.update(ready=True, state={"running": {"startedAt": ended.isoformat()}})
            if one["name"] == "kserve-container":
                one["lastState"]["terminated"]["finishedAt"] = ended.isoformat()

    codes = [one.code for one in diagnose(captured("oom", change)).findings]
    assert codes == ([Code.OUT_OF_MEMORY] if is_told else [])


def test_a_service_that_is_not_there_has_close_names(captured: Captured) -> None:
    (finding,) = diagnose(captured("crash", lambda content: content.update(name="crahs"))).findings
    assert finding.code is Code.SERVICE_MISSING
    assert "(crash?)" in finding.mend


def test_a_namespace_that_is_not_there_has_close_names(captured: Captured) -> None:
    (finding,) = diagnose(captured("crash", lambda content: content.update(namespace="doctor-ca"))).findings
    assert finding.code is Code.NAMESPACE_MISSING
    assert "doctor-cap" in finding.mend
