"""All dashboards as the JSON that Grafana reads."""

from __future__ import annotations

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import canary, cost, drift, gpu, pipelines, serving

_BOARDS = (serving, canary, drift, pipelines, gpu, cost)


def render() -> dict[str, str]:
    """Each dashboard's JSON, by its file's name."""
    boards = [module.board() for module in _BOARDS]
    return {
        f"{board.uid}.json": json.dumps(
            board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for board in boards
    }
