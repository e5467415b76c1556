"""A Git repository that the cluster's Flux brings to a namespace, every ten seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

SHELF = Path(__file__).parents[2] / "inferenceservices"
_KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"


class Repository:
    """A clone of a repository that the cluster reads."""

    def __init__(self, folder: Path, address: str, name: str) -> None:
        self.folder, self.address, self.name = folder, address, name
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "e2e")
        self._git("config", "user.email", "e2e@example.com")
        self._git("remote", "add", "origin", address)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, content: Any) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(content))

    def push(self, message: str) -> str:
        """Commit everything; the commit's name."""
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")
        self._git("push", "--quiet", "origin", "main")
        return self._git("rev-parse", "HEAD")


@dataclass(frozen=True)
class Flux:
    """Manifests in Git, and what Flux says of them."""

    namespace: Any
    repository: Repository

    def commit(self, overlay: dict[str, Any], message: str, **notes: str) -> str:
        """Commit a kustomization whose resources are paths from ``inferenceservices``; the commit's name."""
        here = Path("inferenceservices/overlays/e2e")
        above = [str(Path("../..") / path) for path in overlay["resources"]]
        whole = {**overlay, "namespace": self.namespace.name, "resources": above}
        self.repository.write(f"{here}/kustomization.yaml", whole)
        self.repository.write(f"{here}/notes.yaml", notes)
        return self.repository.push(message)

    def applied(self) -> str:
        """The commit that was applied last."""
        revision: str = self._status().get("lastAppliedRevision", "")
        return revision.rpartition(":")[2]

    def ready(self) -> dict[str, Any]:
        """The condition Ready."""
        conditions = {one["type"]: one for one in self._status().get("conditions", [])}
        condition: dict[str, Any] = conditions.get("Ready", {})
        return condition

    def _status(self) -> dict[str, Any]:
        name = f"modelserve-{self.repository.name}"
        found = self.namespace.kubectl(
            "get", _KUSTOMIZATIONS, name, "--namespace=flux-system", "--output=yaml"
        )
        status: dict[str, Any] = yaml.safe_load(found).get("status", {})
        return status


@pytest.fixture(scope="module")
def repository(gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with this one's manifests.

    GIT_FOLDER is where bare repositories are served from, GIT_URL the address of that folder.
    """
    asked = ["kubectl", "get", "crd", "gitrepositories.source.toolkit.fluxcd.io"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("the cluster has no Flux")
    if "GIT_FOLDER" not in os.environ or "GIT_URL" not in os.environ:
        pytest.skip("GIT_FOLDER and GIT_URL name no folder of repositories that the cluster can read")
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    bare = Path(os.environ["GIT_FOLDER"]) / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    found = Repository(tmp_path_factory.mktemp("clone"), f"{os.environ['GIT_URL']}/{name}.git", name)
    shutil.copytree(SHELF, found.folder / "inferenceservices")
    return found


@pytest.fixture(scope="module")
def flux(repository: Repository, namespace: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    """Reads the repository by the files of ``gitops/flux``."""
    folder = tmp_path_factory.mktemp("flux")
    shutil.copytree(SHELF / "gitops" / "flux", folder, dirs_exist_ok=True)
    changes = {
        "GitRepository": [
            {"op": "replace", "path": "/spec/url", "value": repository.address},
            {"op": "replace", "path": "/spec/interval", "value": "3s"},
        ],
        "Kustomization": [
            {"op": "replace", "path": "/spec/path", "value": "./inferenceservices/overlays/e2e"},
            {"op": "replace", "path": "/spec/interval", "value": "10s"},
            {"op": "replace", "path": "/spec/retryInterval", "value": "5s"},
            {"op": "replace", "path": "/spec/sourceRef/name", "value": f"modelserve-{repository.name}"},
            {"op": "replace", "path": "/spec/healthChecks/0/namespace", "value": namespace.name},
            {"op": "remove", "path": "/spec/healthChecks/1"},
        ],
    }
    objects = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects["nameSuffix"] = f"-{repository.name}"
    objects["patches"] = [
        {"patch": yaml.safe_dump(operations), "target": {"kind": kind}}
        for kind, operations in changes.items()
    ]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(objects))
    subprocess.run(["kubectl", "apply", "--kustomize", str(folder)], check=True)
    yield Flux(namespace, repository)
    # Without waiting for what Flux made: the namespace goes too.
    subprocess.run(["kubectl", "delete", "--kustomize", str(folder), "--wait=false"], check=True)
