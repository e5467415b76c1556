"""KServe's router of InferenceGraphs, as far as compiled pipelines use it, without a cluster."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx


class Router:
    """Does as ``cmd/router/main.go`` of KServe 0.20 does with Sequences, Ensembles and hard dependencies.

    Args:
        graph: the InferenceGraph.
        client: reaches all that its steps name.
    """

    def __init__(self, graph: dict[str, Any], client: httpx.AsyncClient) -> None:
        self._nodes, self._client = graph["spec"]["nodes"], client

    async def call(self, body: bytes, node: str = "root") -> tuple[int, bytes]:
        """The status and the answer of a node, by default of the whole graph."""
        steps = self._nodes[node]["steps"]
        assert all(step["dependency"] == "Hard" for step in steps), "the router would go on after a failure"
        if self._nodes[node]["routerType"] == "Ensemble":
            answers = await asyncio.gather(*(self._step(step, body) for step in steps))
            failed = [(status, _as_go(json.loads(answer))) for status, answer in answers if status != 200]
            merged = {
                step["name"]: json.loads(answer) for step, (_, answer) in zip(steps, answers, strict=True)
            }
            return failed[0] if failed else (200, _as_go(merged))
        answer = b""
        for step in steps:
            if "condition" in step and step["condition"] not in json.loads(answer):
                return 200, answer
            status, answer = await self._step(step, answer if step.get("data") == "$response" else body)
            if status != 200:
                return status, answer
        return 200, answer

    async def _step(self, step: dict[str, Any], body: bytes) -> tuple[int, bytes]:
        if "nodeName" in step:
            return await self.call(body, step["nodeName"])
        answer = await self._client.post(step["serviceUrl"], content=body)
        return answer.status_code, answer.content


def _as_go(value: Any) -> bytes:
    """JSON as Go writes what it read to a map: names sorted, numbers floats, whole ones without a point."""

    def written(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: written(inside) for key, inside in sorted(one.items())}
        if isinstance(one, list):
            return [written(inside) for inside in one]
        if isinstance(one, int | float) and not isinstance(one, bool):
            return int(float(one)) if float(one).is_integer() else float(one)
        return one

    assert isinstance(value, dict), "an Ensemble takes objects only"
    return json.dumps(written(value)).encode()
