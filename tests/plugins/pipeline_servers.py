"""Pipelines on a cluster: the server and a worker, with Redis there and a PostgreSQL beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from databases import postgres_at
from detectors import forwarded

_PARTS = ("statefulset/pipeline-redis", "deployment/pipeline-server", "deployment/pipeline-worker")


@contextmanager
def pipelines_at(namespace: Any, address: str, examples: Sequence[str]) -> Iterator[str]:
    """The server's URL on this machine.

    Args:
        namespace: that they are in.
        address: this machine's, as the cluster's pods reach it.
        examples: folders of ``examples`` whose pipelines there are.
    """
    small = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    # A test's cluster need not have volumes.
    volatile = [
        {"op": "remove", "path": "/spec/volumeClaimTemplates"},
        {
            "op": "add",
            "path": "/spec/template/spec/volumes",
            "value": [{"name": "data", "emptyDir": {}}],
        },
    ]
    with postgres_at(address) as postgres:
        urls = (f"--from-literal=store_url={postgres.url}", "--from-literal=queue_url=redis://nowhere")
        namespace.kubectl("create", "secret", "generic", "pipelines", *urls)
        namespace.apply(
            {
                "resources": ["pipelines/base"],
                "components": ["pipelines/components/redis", *(f"../examples/{name}" for name in examples)],
                "images": [
                    {"name": "modelserve/pipelines", "newName": "dev.local/pipelines", "newTag": "dev"},
                    {"name": "redis", "newName": "dev.local/redis", "newTag": "dev"},
                ],
                "patches": [
                    {"patch": yaml.safe_dump(small), "target": {"kind": "Deployment"}},
                    {"patch": yaml.safe_dump(volatile), "target": {"kind": "StatefulSet"}},
                ],
            }
        )
        try:
            for name in _PARTS:
                namespace.kubectl("rollout", "status", name, "--timeout=180s")
            with forwarded(namespace.name, "pipeline-server") as url:
                yield url
        finally:
            namespace.kubectl("delete", "deployment", "pipeline-server", "pipeline-worker", check=False)
