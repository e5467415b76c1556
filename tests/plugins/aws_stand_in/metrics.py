"""Of the managed Prometheus: the key that a workspace is encrypted with."""

from __future__ import annotations

import json
from typing import Any

from moto.amp import urls
from moto.amp.models import Workspace
from moto.amp.responses import PrometheusServiceResponse

_to_dict = Workspace.to_dict


class _Prometheus(PrometheusServiceResponse):  # type: ignore[misc]
    def create_workspace(self) -> str:
        answer: dict[str, Any] = json.loads(super().create_workspace())
        workspace = self.amp_backend.describe_workspace(workspace_id=answer["workspaceId"])
        workspace.__dict__["key"] = json.loads(self.body).get("kmsKeyArn")
        return json.dumps(workspace.to_dict())


def _with_key(workspace: Workspace) -> dict[str, Any]:
    return {**_to_dict(workspace), "kmsKeyArn": workspace.__dict__.get("key")}


def extend() -> None:
    """Have moto's server answer so."""
    Workspace.to_dict = _with_key
    for path in urls.url_paths:
        urls.url_paths[path] = _Prometheus.dispatch
