"""What is found, under codes that do not change: documents, tests and programs name them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Code(str, Enum):
    """The kinds of faults; ``docs/troubleshooting.md`` has an entry for each."""

    CLUSTER_AWAY = "cluster-away"
    RIGHTS_MISSING = "rights-missing"
    KSERVE_MISSING = "kserve-missing"
    KNATIVE_MISSING = "knative-missing"
    CONTROLLER_DOWN = "controller-down"
    WEBHOOK_WITHOUT_ENDPOINTS = "webhook-without-endpoints"
    DNS_DOWN = "dns-down"
    NAMESPACE_MISSING = "namespace-missing"
    SERVICE_MISSING = "service-missing"
    RUNTIME_MISSING = "runtime-missing"
    FORMAT_UNSUPPORTED = "format-unsupported"
    SERVICE_ACCOUNT_MISSING = "service-account-missing"
    QUOTA_EXCEEDED = "quota-exceeded"
    LIMIT_RANGE = "limit-range"
    POD_SECURITY = "pod-security"
    ADMISSION_REFUSED = "admission-refused"
    NO_NODE_FITS = "no-node-fits"
    CLAIM_MISSING = "claim-missing"
    CLAIM_NOT_BOUND = "claim-not-bound"
    VOLUME_NOT_MOUNTED = "volume-not-mounted"
    IMAGE_NOT_PULLED = "image-not-pulled"
    CONFIG_MISSING = "config-missing"
    CONTAINER_NOT_STARTED = "container-not-started"
    STORAGE_SCHEME = "storage-scheme"
    STORAGE_MISSING = "storage-missing"
    STORAGE_FORBIDDEN = "storage-forbidden"
    STORAGE_AWAY = "storage-away"
    STORAGE_FAILED = "storage-failed"
    OUT_OF_MEMORY = "out-of-memory"
    CRASHED = "crashed"
    NOT_ANSWERING = "not-answering"
    INGRESS_BLOCKED = "ingress-blocked"
    DNS_BLOCKED = "dns-blocked"
    STARTING = "starting"
    NOT_READY = "not-ready"


UNDECIDED = frozenset({Code.CLUSTER_AWAY, Code.RIGHTS_MISSING, Code.STARTING})
"""What is no fault of a service, and leaves open whether it has one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault.

    Attributes:
        code: its kind.
        about: the object that it is a fault of, as ``InferenceService NAMESPACE/NAME``.
        wrong: one sentence: what is wrong.
        mend: one sentence: what is to be done.
        still_serving: the revision that has the calls meanwhile; None where none has.
    """

    code: Code
    about: str
    wrong: str
    mend: str
    still_serving: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something of a service does not run, before it is said of which service.

    Attributes:
        code: its kind.
        wrong: one sentence without its full stop.
        mend: one sentence without its full stop.
    """

    code: Code
    wrong: str
    mend: str
