"""A file of ``KUBECONFIG`` for a server, and the process told of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def kubeconfig_of(server: str, folder: Path, **context: str) -> Path:
    """Write a file that names one cluster.

    Args:
        server: its URL.
        folder: of the file.
        context: what the context says besides, as ``namespace``.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", **context}}],
        "users": [{"name": "u", "user": {"token": "none"}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def use_kubeconfig(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process, and those that it starts, use a file."""
    monkeypatch.setenv("KUBECONFIG", str(path))
    # The client reads the variable when it is imported, and another test may have done that.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
