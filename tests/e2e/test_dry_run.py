"""A real API server says whether it would take each overlay, component and scenario.

It checks every field against the schemas of the custom resources that the cluster has, and asks the
webhooks of KServe and Knative. Nothing is made but the namespace.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

SHELF = Path(__file__).parents[2] / "inferenceservices"
TARGETS = sorted(
    str(p.parent.relative_to(SHELF))
    for pattern in ("overlays/*", "components/*", "scenarios/*", "knative/*", "gitops/flux")
    for p in SHELF.glob(f"{pattern}/kustomization.yaml")
)


@pytest.fixture(scope="module")
def groups(namespace: Any) -> set[str]:
    """The API groups of the cluster; the service accounts are there, as Knative's webhook looks for them."""
    namespace.apply({"resources": ["base/service-accounts"]})
    return {line.partition("/")[0] for line in namespace.kubectl("api-versions").split() if "/" in line}


@pytest.mark.parametrize("target", TARGETS)
def test_the_api_server_takes_it(target: str, namespace: Any, groups: set[str], tmp_path: Path) -> None:
    shelf = Path(os.path.relpath(SHELF, tmp_path.resolve()))
    is_component = target.startswith("components/")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace.name,
        "resources": [str(shelf / ("base" if is_component else target))],
        "components": [str(shelf / target)] if is_component else [],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    built = namespace.kubectl("kustomize", str(tmp_path))
    objects = [o for o in yaml.safe_load_all(built) if o]

    needed = {o["apiVersion"].partition("/")[0] for o in objects if "/" in o["apiVersion"]}
    if missing := needed - groups:
        pytest.skip(f"the cluster has no definitions of {', '.join(sorted(missing))}")
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
