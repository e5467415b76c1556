"""The canary controller on a cluster, as its folder deploys it but for journal, replicas, namespace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from databases import postgres_at
from rollouts import MODEL, QUICK_POLICY

_LABEL = "app.kubernetes.io/name=canary-controller"
# In this order: a policy of the API server's that has lost its parameters' definition refuses everything.
_OF_THE_CLUSTER = (
    "validatingadmissionpolicybinding",
    "validatingadmissionpolicy",
    "mutatingwebhookconfiguration",
    "clusterrolebinding",
    "clusterrole",
)


@dataclass(frozen=True)
class Controllers:
    """Two replicas of the controller, that obey the policies of the namespace.

    Attributes:
        namespace: that they and their services are in.
        prometheus: URL of the one that measures.
        wait_for: asks until there is an answer.
    """

    namespace: Any
    prometheus: str
    wait_for: Callable[..., Any]

    def obey(self, **spec: Any) -> None:
        """Have the model's policy say this beside the quick steps and checks."""
        whole = {
            "targetRef": {"name": MODEL},
            "prometheus": {"url": self.prometheus},
            **QUICK_POLICY,
            **spec,
        }
        policy = {
            "apiVersion": "modelserve.dev/v1alpha1",
            "kind": "CanaryPolicy",
            "metadata": {"name": MODEL},
            "spec": whole,
        }
        self.namespace.kubectl("apply", "--filename=-", stdin=json.dumps(policy))

    @property
    def status(self) -> dict[str, Any]:
        """Of the policy."""
        found: dict[str, Any] = self.namespace.get("canarypolicy", MODEL).get("status", {})
        return found

    def condition(self, name: str) -> dict[str, Any]:
        """One of the policy's conditions."""
        found = {one["type"]: one for one in self.status.get("conditions", [])}
        condition: dict[str, Any] = found.get(name, {})
        return condition

    def wait_ready(self) -> None:
        """Until the policy is obeyed."""
        self.wait_for(lambda: self.condition("Ready").get("status") == "True", seconds=60, said=self.story)

    def wait(
        self, phase: str, *, after: str, percent: int | None = None, seconds: float = 240
    ) -> dict[str, Any]:
        """Where the policy's canary stands, once it is there.

        Args:
            phase: of it.
            after: the canary revision that was the last one before it.
            percent: of the calls; whatever it is where there is none.
            seconds: how long that may take.
        """

        def there() -> dict[str, Any] | None:
            canary: dict[str, Any] = self.status.get("canary", {})
            is_there = canary.get("phase") == phase and canary["canaryRevision"] != after
            return canary if is_there and percent in (None, canary.get("percent")) else None

        found: dict[str, Any] = self.wait_for(there, seconds=seconds, said=self.story)
        return found

    def last(self) -> str:
        """The revision that was the last canary; empty where there was none."""
        return str(self.status.get("canary", {}).get("canaryRevision", ""))

    def kill_leader(self) -> str:
        """End the leading replica without notice; another leads when its lease has run out."""
        path = "jsonpath={.spec.holderIdentity}"
        holder = self.namespace.kubectl("get", "lease", "modelserve-canary-controller", f"--output={path}")
        pod, _, _ = holder.rpartition("-")
        self.namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
        return str(holder)

    def story(self) -> str:
        """What a person would look at when it does not go on."""
        logs = self.namespace.kubectl("logs", "--selector=app=canary-controller", "--tail=20", check=False)
        return f"{json.dumps(self.status, indent=1)}\n{logs}"


@pytest.fixture(scope="module")
def controllers(
    namespace: Any, prometheus: Any, own_address: str, wait_for: Callable[..., Any]
) -> Iterator[Controllers]:
    """The controller in the namespace, with its journal in a PostgreSQL beside the cluster."""
    definition = namespace.kubectl("get", "crd", "canarypolicies.modelserve.dev", "--ignore-not-found")
    with postgres_at(own_address) as postgres:
        try:
            namespace.apply(_kustomization(namespace.name, postgres.url))
            namespace.kubectl("rollout", "status", "deployment/canary-controller", "--timeout=180s")
            found = Controllers(namespace, prometheus.url, wait_for)
            wait_for(lambda: _is_trusted(namespace), seconds=60, said=found.story)
            yield found
        finally:
            for kind in _OF_THE_CLUSTER:
                namespace.kubectl("delete", kind, f"--selector={_LABEL}", "--ignore-not-found")
            namespace.kubectl("delete", "canarypolicy", "--all")
            namespace.kubectl("delete", "deployment", "canary-controller")
            if not definition:
                namespace.kubectl("delete", "crd", "canarypolicies.modelserve.dev")


def _is_trusted(namespace: Any) -> bool:
    """Whether the API server knows the webhook's certificate, and the admission policy its parameters."""
    found = namespace.get("mutatingwebhookconfiguration", "modelserve-canary")
    return bool(found["webhooks"][0]["clientConfig"].get("caBundle"))


def _kustomization(namespace: str, store: str) -> dict[str, Any]:
    here = {"op": "replace", "value": namespace}
    pod = "/spec/template/spec"
    changes: dict[str, list[dict[str, Any]]] = {
        "RoleBinding": [{**here, "path": "/subjects/0/namespace"}],
        "ClusterRoleBinding": [{**here, "path": "/subjects/0/namespace"}],
        "MutatingWebhookConfiguration": [{**here, "path": "/webhooks/0/clientConfig/service/namespace"}],
        "Deployment": [
            {"op": "replace", "path": "/spec/replicas", "value": 2},
            {"op": "replace", "path": "/spec/strategy", "value": {"type": "RollingUpdate"}},
            {"op": "replace", "path": f"{pod}/containers/0/args/0", "value": f"--store={store}"},
            {"op": "add", "path": f"{pod}/containers/0/args/-", "value": f"--namespace={namespace}"},
            {"op": "replace", "path": f"{pod}/volumes/0", "value": {"name": "state", "emptyDir": {}}},
        ],
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "canary-controller"},
        "$patch": "delete",
    }
    name = "canary-controller"
    return {
        "resources": [name],
        "images": [{"name": f"modelserve/{name}", "newName": f"dev.local/{name}", "newTag": "dev"}],
        "patches": [
            {"patch": yaml.safe_dump(claim)},
            *({"patch": yaml.safe_dump(to), "target": {"kind": kind}} for kind, to in changes.items()),
        ],
    }
