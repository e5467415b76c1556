"""Why a model does not come from where it is kept, by what KServe's storage initializer says at its end.

It says what the client of each store says: boto3's, Google's, Azure's, Hugging Face's or an HTTP status. So
what is looked for are the names of errors that these clients have, the more special ones first.
"""

from __future__ import annotations

import re

from modelserve.doctor.checks.refusals import quoted
from modelserve.doctor.facts import Facts, Object
from modelserve.doctor.findings import Cause, Code

INITIALIZER = "storage-initializer"
_STORAGES = "clusterstoragecontainers.serving.kserve.io"

_FORBIDDEN = re.compile(
    r"Access ?Denied|Invalid AWS credentials|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|Forbidden"
    r"|\(40[13]\)|Unauthorized|authentication failed|Unable to locate credentials|CredentialsError"
    r"|AuthorizationFailure|GatedRepo|does not have storage\.",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"NoSuch(?:Bucket|Key)|No model found in|\(404\)|Not ?Found|does not exist|No such file or directory",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"Could not connect|Failed to connect|ConnectionError|Timeout|Connection (?:refused|timed out|reset)"
    r"|Name or service not known|name resolution|NameResolutionError|Failed to resolve|Max retries exceeded"
    r"|SSLError|CERTIFICATE_VERIFY_FAILED",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"Cannot recognize storage type|StorageURI not supported")


def unread(uri: str, said: str) -> Cause:
    """What the storage initializer's last words mean.

    Args:
        uri: ``storageUri``; empty where it is not known.
        said: the end of its log.
    """
    line = quoted(_last_words(said))
    told = f": {line}" if line else ""
    where = uri or "the model's storage"
    if _SCHEME.search(said):
        return _unknown_scheme(uri, told)
    if _FORBIDDEN.search(line):
        return Cause(
            Code.STORAGE_FORBIDDEN,
            f"its pod may not read {where}{told}",
            "give its ServiceAccount a role that may read there, or a Secret with valid keys in `secrets`",
        )
    if _AWAY.search(line):
        return Cause(
            Code.STORAGE_AWAY,
            f"the store of {where} does not answer its pod{told}",
            "check the endpoint in the Secret's annotation serving.kserve.io/s3-endpoint, and whether "
            "NetworkPolicies and DNS let pods reach it",
        )
    if _MISSING.search(line):
        return Cause(
            Code.STORAGE_MISSING,
            f"there is no model at {where}{told}",
            "correct storageUri, or upload the model's folder there",
        )
    return Cause(
        Code.STORAGE_FAILED,
        f"its model could not be fetched from {where}{told}",
        f"read all that was said (kubectl logs POD -c {INITIALIZER}), and mend what it names",
    )


def unsupported_scheme(facts: Facts, uri: str) -> Cause | None:
    """Whether there is nothing in the cluster that fetches from such an address; None where there may be.

    Args:
        facts: with the ClusterStorageContainers.
        uri: ``storageUri``.
    """
    scheme = uri.partition("://")[0]
    if "://" not in uri or scheme in ("pvc", "oci") or not facts.was_read(_STORAGES, ""):
        return None
    formats = [
        one for storage in facts.all(_STORAGES) for one in storage["spec"].get("supportedUriFormats", [])
    ]
    if not formats or any(_fits(one, uri) for one in formats):
        return None
    return _unknown_scheme(uri, "", sorted({one["prefix"] for one in formats if one.get("prefix")}))


def _unknown_scheme(uri: str, told: str, prefixes: list[str] | None = None) -> Cause:
    accepted = ", ".join(["pvc://", *(prefixes or ["s3://", "gs://", "hf://", "https://"])])
    return Cause(
        Code.STORAGE_SCHEME,
        f"nothing in the cluster fetches models from an address as {uri}{told}",
        f"use one of {accepted}, or add a ClusterStorageContainer for it",
    )


def _fits(accepted: Object, uri: str) -> bool:
    prefix, pattern = accepted.get("prefix"), accepted.get("regex")
    # KServe matches at the beginning, as Python's match does.
    return bool(prefix and uri.startswith(prefix)) or bool(pattern and re.match(pattern, uri))


def _last_words(said: str) -> str:
    """The exception of a traceback, which may go on for some lines; else the last line."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    for place in range(len(lines) - 1, -1, -1):
        if re.match(r"[\w.]+(?:Error|Exception|Exit|Found|Forbidden|Timeout)\b", lines[place]):
            return " ".join(lines[place:])
    return lines[-1] if lines else ""
