"""A cluster for the tests: any one with KServe in Knative mode, named by KUBECONFIG.

Every module works in a namespace of its own, which goes away with it. The images are those that
``scripts/build_images.sh`` makes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import namespaces
import pytest
import yaml
from namespaces import SHELF, Gateway, Namespace


@pytest.fixture(scope="session")
def gateway() -> Gateway:
    """Knative's ingress: GATEWAY as HOST:PORT, or Kourier's address inside the cluster."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("KUBECONFIG names no cluster")
    for program in ("kubectl", "kn"):
        assert shutil.which(program), f"{program} is not on PATH"
    if "GATEWAY" in os.environ:
        host, _, port = os.environ["GATEWAY"].rpartition(":")
        return Gateway(host, int(port))
    found = subprocess.run(
        [
            *("kubectl", "get", "service", "kourier-internal", "--namespace=kourier-system"),
            "--output=jsonpath={.spec.clusterIP}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, f"GATEWAY has to name the ingress as HOST:PORT: {found.stderr}"
    return Gateway(found.stdout, 80)


@pytest.fixture(scope="module")
def namespace(
    gateway: Gateway, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Namespace]:
    """A namespace of the module's own."""
    module = Path(request.module.__file__).stem.removeprefix("test_").replace("_", "-")
    found = Namespace(f"e2e-{module}", gateway, tmp_path_factory.mktemp("kustomizations"))
    with found.made():
        yield found


@pytest.fixture(scope="session")
def sample_predictor() -> Callable[[str], dict[str, Any]]:
    """A kustomization of one predictor of the local overlay, without transformer and explainer."""

    def kustomization(name: str) -> dict[str, Any]:
        other = {"bert-ner": "resnet-classifier", "resnet-classifier": "bert-ner"}[name]
        gone = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": other},
            "$patch": "delete",
        }
        return {
            "resources": ["base"],
            "images": [
                {"name": f"modelserve/{name}", "newName": f"dev.local/{name}-sample", "newTag": "dev"}
            ],
            "patches": [
                {"patch": yaml.safe_dump(gone)},
                {
                    "patch": (SHELF / "overlays" / "local" / f"{name}.yaml").read_text(),
                    "target": {"kind": "InferenceService", "name": name},
                },
            ],
        }

    return kustomization


@pytest.fixture
def service(namespace: Namespace, sample_predictor: Callable[[str], dict[str, Any]]) -> str:
    """The address of the predictor ``bert-ner``; its InferenceService is made anew, with one revision."""
    namespace.kubectl("delete", "inferenceservice", "bert-ner", "--ignore-not-found", "--wait")
    namespace.apply(sample_predictor("bert-ner"))
    return namespace.predictor_url("bert-ner")


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """Asks until there is an answer."""
    return namespaces.wait_for
