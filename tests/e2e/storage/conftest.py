"""Models from where users keep them: what deploys from an address, and a claim with both samples."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml

SAMPLES = ("bert-ner", "resnet-classifier")
IMAGES = (*SAMPLES, "ner-text", "image-tensors")
SMALL = {
    "op": "replace",
    "path": "/spec/containers/0/resources/requests",
    "value": {"cpu": "50m", "memory": "256Mi"},
}


@pytest.fixture(scope="session")
def from_storage() -> Callable[..., dict[str, Any]]:
    """A kustomization of the base that takes the models named from the addresses given."""

    def kustomization(uris: dict[str, str], *, components: tuple[str, ...] = ()) -> dict[str, Any]:
        gone = [
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": name},
                "$patch": "delete",
            }
            for name in SAMPLES
            if name not in uris
        ]
        stored = [
            {
                "target": {"kind": "InferenceService", "name": name},
                "patch": json.dumps(
                    [{"op": "replace", "path": "/spec/predictor/model/storageUri", "value": uri}]
                ),
            }
            for name, uri in uris.items()
        ]
        return {
            "resources": ["base"],
            "components": list(components),
            "images": [
                {"name": f"modelserve/{name}", "newName": f"dev.local/{name}", "newTag": "dev"}
                for name in IMAGES
            ],
            "patches": [
                *stored,
                *({"patch": yaml.safe_dump(one)} for one in gone),
                {"patch": json.dumps([SMALL]), "target": {"kind": "ServingRuntime"}},
            ],
        }

    return kustomization


@pytest.fixture(scope="module")
def claim(namespace: Any, wait_for: Any) -> str:
    """The name of a claim to a volume that holds a folder for each sample, copied from the images."""
    classes = namespace.list("storageclasses")
    has_default = any(
        one["metadata"].get("annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true"
        for one in classes
    )
    kind = {} if has_default else {"storageClassName": "", "volumeName": _make_volume(namespace)}
    name = "models"
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    _apply(namespace, "PersistentVolumeClaim", name, {**size, **kind})
    volume = {"name": "store", "persistentVolumeClaim": {"claimName": name}}
    containers = [
        {
            "name": sample,
            "image": f"dev.local/{sample}-sample:dev",
            "command": ["cp", "-r", "/mnt/models", f"/store/{sample}"],
            "securityContext": {"runAsUser": 0},  # a new volume is root's
            "volumeMounts": [{"name": "store", "mountPath": "/store"}],
        }
        for sample in SAMPLES
    ]
    _apply(
        namespace, "Pod", "copy", {"restartPolicy": "Never", "volumes": [volume], "containers": containers}
    )
    wait_for(
        lambda: namespace.get("pod", "copy")["status"]["phase"] == "Succeeded",
        seconds=120,
        said=lambda: namespace.get("pod", "copy")["status"],
    )
    namespace.kubectl("delete", "pod", "copy")
    return name


def _make_volume(namespace: Any) -> str:
    """A folder of the one node, which goes with its claim: Kubernetes deletes those in /tmp."""
    name = f"models-{uuid.uuid4().hex[:8]}"
    _apply(
        namespace,
        "PersistentVolume",
        name,
        {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": f"/tmp/{name}", "type": "DirectoryOrCreate"},
        },
    )
    return name


def _apply(namespace: Any, kind: str, name: str, spec: dict[str, Any]) -> None:
    made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(made))
