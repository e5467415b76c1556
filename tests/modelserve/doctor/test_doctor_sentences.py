"""What is made of the words of Kubernetes, Knative and the stores' clients."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from modelserve.doctor.checks.pods import last_words
from modelserve.doctor.checks.refusals import quoted, refusal
from modelserve.doctor.checks.resources import unschedulable
from modelserve.doctor.checks.storage import unread
from modelserve.doctor.facts import Facts
from modelserve.doctor.findings import Code


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            'pods "a" is forbidden: exceeded quota: small, requested: limits.memory=1Gi, used: 0',
            Code.QUOTA_EXCEEDED,
            "ResourceQuota small leaves no room for its pods: requested: limits.memory=1Gi",
        ),
        (
            'pods "a" is forbidden: failed quota: small: must specify limits.cpu for: queue-proxy',
            Code.QUOTA_EXCEEDED,
            "does not say its limits.cpu for: queue-proxy",
        ),
        (
            'pods "a" is forbidden: maximum memory usage per Container is 50Mi, but limit is 1Gi',
            Code.LIMIT_RANGE,
            "maximum memory usage per Container is 50Mi, but limit is 1Gi",
        ),
        (
            'pods "a" is forbidden: minimum cpu usage per Pod is 1, but request is 100m',
            Code.LIMIT_RANGE,
            "minimum cpu usage per Pod",
        ),
        (
            'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            Code.POD_SECURITY,
            "restricted:latest refuses its pods: runAsNonRoot != true",
        ),
        (
            'Internal error occurred: failed calling webhook "m": no endpoints available for service "s"',
            Code.WEBHOOK_WITHOUT_ENDPOINTS,
            'no endpoints available for service "s"',
        ),
        (
            'admission webhook "guard.example.com" denied the request: no latest tags',
            Code.ADMISSION_REFUSED,
            "guard.example.com refuses what it is made of: no latest tags",
        ),
        (
            "pods is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            Code.ADMISSION_REFUSED,
            "ValidatingAdmissionPolicy 'p'",
        ),
    ],
)
def test_refusals(said: str, code: Code, words: str) -> None:
    cause = refusal(said)
    assert cause is not None
    assert cause.code is code
    assert words in cause.wrong


@pytest.mark.parametrize("said", ["", "Revision is being deployed.", "0/1 nodes are available"])
def test_what_is_no_refusal(said: str) -> None:
    assert refusal(said) is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("RuntimeError: S3 bucket 'models' does not exist.", Code.STORAGE_MISSING),
        ("RuntimeError: GCS resource 'models' not found.", Code.STORAGE_MISSING),
        ("RuntimeError: HTTP resource not found at 'https://a/b'.", Code.STORAGE_MISSING),
        ("RuntimeError: S3 error [403]: Forbidden", Code.STORAGE_FORBIDDEN),
        (
            "RuntimeError: Access denied to Azure resource 'models'. Verify permissions.",
            Code.STORAGE_FORBIDDEN,
        ),
        ("RuntimeError: S3 authentication failed. Set AWS_ACCESS_KEY_ID.", Code.STORAGE_FORBIDDEN),
        ("RuntimeError: Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID.", Code.STORAGE_FORBIDDEN),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", Code.STORAGE_FORBIDDEN),
        ("RuntimeError: Failed to connect to S3 endpoint 'models'.", Code.STORAGE_AWAY),
        ("botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL", Code.STORAGE_AWAY),
        ("Exception: Cannot recognize storage type for ftp://a", Code.STORAGE_SCHEME),
        ("PermissionError: [Errno 13] Permission denied: '/mnt/models/a'", Code.STORAGE_FAILED),
        ("OSError: [Errno 28] No space left on device", Code.STORAGE_FAILED),
        ("", Code.STORAGE_FAILED),
    ],
)
def test_what_a_storage_initializer_says_last(said: str, code: Code) -> None:
    cause = unread(
        "s3://models/a", f"INFO Copying contents of s3://models/a\nTraceback\n{said}\n" if said else said
    )
    assert cause.code is code
    assert said.rstrip(".") in cause.wrong


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("starting\nOSError: no labels.txt\n", "OSError: no labels.txt"),
        (
            "Traceback (most recent call last):\n  File x\nValueError: no labels\nshutting down\n",
            "ValueError: no labels",
        ),
        ('{"level": "ERROR", "message": "no labels"}\n{"level": "INFO", "message": "stopping"}', "no labels"),
        ('{"level": "INFO", "message": "one"}\n{"level": "INFO", "message": "two"}', "two"),
        ('{"broken\n[1]\n', "[1]"),
    ],
)
def test_why_a_server_ended(text: str, words: str) -> None:
    assert last_words(text) == words


def test_what_is_quoted_is_one_line_of_bounded_length() -> None:
    assert quoted("a\n  b.") == "a b"
    assert len(quoted("x" * 10_000)) < 500


def test_why_no_node_takes_a_pod() -> None:
    pod = {
        "metadata": {"namespace": "a"},
        "spec": {"containers": [{"resources": {"requests": {"memory": "3Gi"}}}, {"resources": {}}]},
    }
    nodes = tuple(
        {"metadata": {"name": size}, "status": {"allocatable": {"memory": size}}} for size in ("2Gi", "1Gi")
    )
    facts = Facts("a", None, datetime.now(timezone.utc), {"nodes": nodes})
    said = (
        "0/9 nodes are available: 1 Insufficient memory, 2 Too many pods, 3 node(s) had untolerated taint "
        "{gpu: only}, 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/9 nodes are "
        "available: 9 Preemption is not helpful for scheduling."
    )
    cause = unschedulable(facts, said, pod)
    assert cause.code is Code.NO_NODE_FITS
    assert cause.wrong == (
        "no node takes its pod: of the nodes 1 have too little memory left, 2 have as many pods as they may, "
        "3 have a taint that it does not tolerate {gpu: only}, 3 do not match its node selector or affinity; "
        "it asks for 3.0Gi of memory, the largest node has 2.0Gi in all"
    )
    assert "toleration" in cause.mend
    assert "resources.requests" in cause.mend


def test_taints_are_named_where_the_scheduler_does_not() -> None:
    pod: dict[str, Any] = {
        "metadata": {"namespace": "a"},
        "spec": {
            "containers": [],
            "tolerations": [
                {"key": "tolerated", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "spot", "value": "no"},
                {"key": "equal", "value": "yes"},
            ],
        },
    }
    taints = [
        {"key": "tolerated", "value": "any", "effect": "NoSchedule"},
        {"key": "equal", "value": "yes", "effect": "NoExecute"},
        {"key": "rather-not", "effect": "PreferNoSchedule"},
        {"key": "spot", "value": "yes", "effect": "NoSchedule"},
        {"key": "away", "effect": "NoExecute"},
    ]
    node = {"metadata": {"name": "n"}, "spec": {"taints": taints}, "status": {}}
    facts = Facts("a", None, datetime.now(timezone.utc), {"nodes": (node,)})
    cause = unschedulable(facts, "0/1 nodes are available: 1 node(s) had untolerated taint(s).", pod)
    assert cause.wrong.endswith("; taints that it does not tolerate are away:NoExecute, spot=yes:NoSchedule")
    everything = {**pod, "spec": {**pod["spec"], "tolerations": [{"operator": "Exists"}]}}
    said = unschedulable(facts, "0/1 nodes are available: 1 node(s) had untolerated taint(s).", everything)
    assert "taints that" not in said.wrong


def test_a_claim_that_waits_for_a_volume() -> None:
    pod = {
        "metadata": {"namespace": "a"},
        "spec": {"containers": [], "volumes": [{"persistentVolumeClaim": {"claimName": "models"}}]},
    }
    claim = {
        "metadata": {"name": "models", "namespace": "a"},
        "spec": {"storageClassName": "fast"},
        "status": {"phase": "Pending"},
    }
    facts = Facts("a", None, datetime.now(timezone.utc), {"persistentvolumeclaims": (claim,)})
    cause = unschedulable(
        facts, "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", pod
    )
    assert cause.code is Code.CLAIM_NOT_BOUND
    assert "PersistentVolumeClaim models has no volume (StorageClass fast)" in cause.wrong
