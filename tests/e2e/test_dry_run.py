"""A real API server says whether it would take each overlay, component and scenario.

It checks every field against the schemas of the custom resources that the cluster has, and asks the
webhooks of KServe and Knative. Nothing is made but the namespace.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

SHELF = Path(__file__).parents[2] / "inferenceservices"
TARGETS = sorted(
    str(p.parent.relative_to(SHELF))
    for pattern in ("overlays/*", "components/*", "scenarios/*", "knative/*", "gitops/*")
    for p in SHELF.glob(f"{pattern}/kustomization.yaml")
)
DETECTOR = "../observability/drift_detector/manifests"
SHADOW = "../observability/shadow/manifests"


@pytest.fixture(scope="module")
def kinds(namespace: Any) -> set[tuple[str, str]]:
    """What the cluster knows; the service accounts are there, as Knative's webhook looks for them."""
    namespace.apply({"resources": ["base/service-accounts"]})
    rows = [line.split() for line in namespace.kubectl("api-resources", "--no-headers").splitlines()]
    return {(row[-3], row[-1]) for row in rows}


@pytest.mark.parametrize("target", TARGETS)
def test_the_api_server_takes_it(
    target: str, namespace: Any, kinds: set[tuple[str, str]], tmp_path: Path
) -> None:
    if target.startswith("components/"):
        _check(namespace, kinds, tmp_path, "base", target)
    else:
        _check(namespace, kinds, tmp_path, target)


@pytest.mark.parametrize(
    ("form", "components"),
    [
        *itertools.product(("deployment", "knative"), ((), ("broker",), ("broker", "kafka"))),
        ("knative", ("replicas", "broker")),
    ],
    ids=str,
)
def test_the_api_server_takes_the_drift_detector(
    form: str, components: tuple[str, ...], namespace: Any, kinds: set[tuple[str, str]], tmp_path: Path
) -> None:
    namespace.apply({"resources": [f"{DETECTOR}/base"]})  # Knative's webhook looks for the account
    _check(namespace, kinds, tmp_path, f"{DETECTOR}/{form}", *(f"{DETECTOR}/{name}" for name in components))


@pytest.mark.parametrize("components", [(), ("triggers",)], ids="-".join)
def test_the_api_server_takes_the_shadow(
    components: tuple[str, ...], namespace: Any, kinds: set[tuple[str, str]], tmp_path: Path
) -> None:
    _check(namespace, kinds, tmp_path, f"{SHADOW}/deployment", *(f"{SHADOW}/{name}" for name in components))


@pytest.mark.parametrize("components", [(), ("pipelines/components/keda",)])
def test_the_api_server_takes_the_pipelines(
    namespace: Any, kinds: set[tuple[str, str]], tmp_path: Path, components: tuple[str, ...]
) -> None:
    _check(namespace, kinds, tmp_path, "pipelines/overlays/examples", *components)


def _check(
    namespace: Any, kinds: set[tuple[str, str]], tmp_path: Path, resource: str, *components: str
) -> None:
    """Build, and ask the API server."""
    shelf = Path(os.path.relpath(SHELF, tmp_path.resolve()))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace.name,
        "resources": [str(shelf / resource)],
        "components": [str(shelf / name) for name in components],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    built = namespace.kubectl("kustomize", str(tmp_path))
    objects = [o for o in yaml.safe_load_all(built) if o]

    if missing := {(one["apiVersion"], one["kind"]) for one in objects} - kinds:
        named = ", ".join(sorted(f"{kind} ({version})" for version, kind in missing))
        pytest.skip(f"the cluster has no definitions of {named}")
    said = subprocess.run(
        ["kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"],
        input=built,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("serverside-applied (server dry run)") == len(objects)
