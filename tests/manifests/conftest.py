"""The shelf of manifests, with components as a test chooses them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
SHELF = Path(__file__).parents[2] / "inferenceservices"


@pytest.fixture(scope="session")
def with_components(
    build_folder: Callable[[Path], list[Object]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[Object]]:
    """Builds the base with the components named, in their order."""
    made: dict[tuple[str, ...], Path] = {}

    def build(*names: str) -> list[Object]:
        if names not in made:
            folder = made[names] = tmp_path_factory.mktemp("build")
            shelf = Path(os.path.relpath(SHELF, folder.resolve()))
            kustomization = {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "namespace": "modelserve",
                "resources": [str(shelf / "base")],
                "components": [str(shelf / "components" / name) for name in names],
            }
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return build_folder(made[names])

    return build
