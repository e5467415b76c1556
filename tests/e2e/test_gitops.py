"""A commit that Flux brings to the cluster, and a canary's share that no sync takes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

SHELF = Path(__file__).parents[2] / "inferenceservices"
PATH = "/v2/models/bert-ner/infer"
BODY = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Merkel in Berlin"]}]}


class Repository:
    """A clone of a repository that the cluster reads."""

    def __init__(self, folder: Path, address: str, name: str) -> None:
        self.folder, self.address, self.name = folder, address, name
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "e2e")
        self._git("config", "user.email", "e2e@example.com")
        self._git("remote", "add", "origin", address)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, path: str, content: Any) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(content))

    def push(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")
        self._git("push", "--quiet", "origin", "main")


@pytest.fixture(scope="module")
def repository(gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An empty repository.

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
    address = f"{os.environ['GIT_URL']}/{name}.git"
    return Repository(tmp_path_factory.mktemp("clone"), address, name)


@pytest.fixture(scope="module")
def commit(
    repository: Repository,
    namespace: Any,
    sample_predictor: Callable[[str], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., None]]:
    """Commits the manifests with a version of the model; Flux reads them by the files of ``gitops/flux``."""
    shutil.copytree(SHELF, repository.folder / "inferenceservices")

    def commit(version: str, **metadata: str) -> None:
        overlay = sample_predictor("bert-ner")
        flag = {
            "op": "add",
            "path": "/spec/predictor/containers/0/args/-",
            "value": f"--model_version={version}",
        }
        overlay["patches"].append(
            {"patch": yaml.safe_dump([flag]), "target": {"kind": "InferenceService", "name": "bert-ner"}}
        )
        overlay["resources"] = ["../../base"]
        overlay["namespace"] = namespace.name
        repository.write("inferenceservices/overlays/e2e/kustomization.yaml", overlay)
        repository.write("inferenceservices/overlays/e2e/notes.yaml", metadata)
        repository.push(f"Serve version {version}")

    commit("1")
    folder = tmp_path_factory.mktemp("flux")
    shutil.copytree(SHELF / "gitops" / "flux", folder, dirs_exist_ok=True)
    changes = {
        "GitRepository": {"/spec/url": repository.address, "/spec/interval": "3s"},
        "Kustomization": {
            "/spec/path": "./inferenceservices/overlays/e2e",
            "/spec/interval": "10s",
            "/spec/healthChecks/0/namespace": namespace.name,
        },
    }
    flux = yaml.safe_load((folder / "kustomization.yaml").read_text())
    flux["nameSuffix"] = f"-{repository.name}"
    flux["patches"] = [
        {
            "patch": yaml.safe_dump(
                [{"op": "replace", "path": path, "value": value} for path, value in of.items()]
            ),
            "target": {"kind": kind},
        }
        for kind, of in changes.items()
    ]
    flux["patches"][1]["patch"] += yaml.safe_dump(
        [
            {"op": "replace", "path": "/spec/sourceRef/name", "value": f"modelserve-{repository.name}"},
            {"op": "remove", "path": "/spec/healthChecks/1"},
        ]
    )
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(flux))
    subprocess.run(["kubectl", "apply", "--kustomize", str(folder)], check=True)
    yield commit
    # Without waiting for what Flux made: the namespace goes too.
    subprocess.run(["kubectl", "delete", "--kustomize", str(folder), "--wait=false"], check=True)


def version_and_revision(namespace: Any, url: str) -> tuple[str, str]:
    answer = namespace.gateway.post(url, PATH, json=BODY)
    assert answer.status_code == 200, answer.text
    return answer.json()["model_version"], answer.json()["parameters"]["revision"]


def applied(repository: Repository) -> str:
    """The commit that Flux has applied."""
    asked = ["kubectl", "get", "kustomizations.kustomize.toolkit.fluxcd.io", f"modelserve-{repository.name}"]
    found = subprocess.run(
        [*asked, "--namespace=flux-system", "--output=jsonpath={.status.lastAppliedRevision}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def test_a_commit_changes_the_model_and_a_canarys_share_outlives_the_sync(
    commit: Callable[..., None], repository: Repository, namespace: Any, wait_for: Any
) -> None:
    wait_for(lambda: "bert-ner" in namespace.kubectl("get", "inferenceservice", "--output=name"), seconds=120)
    service = namespace.wait_ready("inferenceservice", "bert-ner")
    url = service["status"]["components"]["predictor"]["url"]
    assert version_and_revision(namespace, url)[0] == "1"

    commit("2")
    wait_for(lambda: version_and_revision(namespace, url)[0] == "2", seconds=180)
    namespace.wait_ready("inferenceservice", "bert-ner")
    revision = version_and_revision(namespace, url)[1]

    # A person goes back to the revision before: 0 after a promotion.
    namespace.kubectl(
        *("patch", "inferenceservice", "bert-ner", "--type=merge", "--field-manager=canary"),
        '--patch={"spec": {"predictor": {"canaryTrafficPercent": 0}}}',
    )
    wait_for(lambda: version_and_revision(namespace, url)[0] == "1", seconds=60)

    # Two syncs later, of nothing and of a commit about something else, the share is as it was.
    before = applied(repository)
    commit("2", note="nothing of the model")
    wait_for(lambda: applied(repository) != before, seconds=60)
    found = namespace.get("inferenceservice", "bert-ner")
    assert found["spec"]["predictor"]["canaryTrafficPercent"] == 0
    assert version_and_revision(namespace, url)[0] == "1"
    assert found["status"]["components"]["predictor"]["latestReadyRevision"] == revision
