"""Why the API server does not take a pod, by the sentences in which it says so.

They reach a person by many ways: conditions of InferenceServices, of revisions and of Deployments. All quote
the same sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelserve.doctor.findings import Cause, Code

_LONGEST = 400
"""Characters of what is quoted."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A sentence, and what it means: ``{0}`` is what was found of it, ``{1}`` and ``{2}`` are its groups."""

    pattern: str
    code: Code
    wrong: str
    mend: str


def refusal(message: str) -> Cause | None:
    """What a sentence of the API server or of an admission webhook means; None where it is no refusal."""
    for one in _REFUSALS:
        if found := re.search(one.pattern, message, re.DOTALL):
            parts = [quoted(part) for part in (found[0], *found.groups())]
            return Cause(one.code, one.wrong.format(*parts), one.mend.format(*parts))
    return None


def quoted(text: str) -> str:
    """What somebody said, on one line and not longer than a person reads."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


_REFUSALS = (
    _Refusal(
        r"error looking up service account \S*?/(\S+?): serviceaccount",
        Code.SERVICE_ACCOUNT_MISSING,
        "its pods may not be made, as there is no ServiceAccount {1}",
        "make the ServiceAccount {1}, or name one that exists in serviceAccountName",
    ),
    _Refusal(
        r"exceeded quota: ([^,\s]+), (.*)",
        Code.QUOTA_EXCEEDED,
        "the ResourceQuota {1} leaves no room for its pods: {2}",
        "ask for less in resources.requests and limits, lower minReplicas, or raise the quota",
    ),
    _Refusal(
        r"failed quota: ([^:\s]+): must specify (.*)",
        Code.QUOTA_EXCEEDED,
        "the ResourceQuota {1} takes no pod that does not say its {2}",
        "write these resources to every container, or give the namespace a LimitRange with defaults",
    ),
    _Refusal(
        r'violates PodSecurity "([^"]+)": (.*)',
        Code.POD_SECURITY,
        "the namespace's Pod Security level {1} refuses its pods: {2}",
        "give every container the securityContext that is asked for (inferenceservices/base has one), or "
        "lower the namespace's label pod-security.kubernetes.io/enforce",
    ),
    _Refusal(
        r"(?:maximum|minimum) [\w./-]+ (?:usage )?per (?:Container|Pod) is .*",
        Code.LIMIT_RANGE,
        "a LimitRange of the namespace refuses its pods: {0}",
        "bring resources.requests and limits within it (kubectl describe limitrange), or change it",
    ),
    _Refusal(
        r"must not set the field\(s\): (.*)",
        Code.ADMISSION_REFUSED,
        "Knative takes no {1}",
        "switch the field on in Knative's ConfigMap config-features (kubernetes.podspec-…: enabled), take "
        "the field away, or deploy in Standard mode",
    ),
    _Refusal(
        r'failed calling webhook "([^"]+)": (.*)',
        Code.WEBHOOK_WITHOUT_ENDPOINTS,
        "the admission webhook {1} does not answer, and nothing is made without it: {2}",
        "start the controller that serves it; its Deployment is beside the webhook's Service",
    ),
    _Refusal(
        r'admission webhook "([^"]+)" denied the request: (.*)',
        Code.ADMISSION_REFUSED,
        "the admission webhook {1} refuses what it is made of: {2}",
        "change the InferenceService or its runtime so that what is named is accepted",
    ),
    _Refusal(
        r"ValidatingAdmissionPolicy '.*",
        Code.ADMISSION_REFUSED,
        "an admission policy of the cluster refuses its pods: {0}",
        "change what the policy names, or ask those who keep the policy",
    ),
)
