"""Calls are taken past the router, which would have done the same with each of them."""

from __future__ import annotations

import asyncio

import httpx
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from modelserve.server.dataplane import DataPlane
from modelserve.server.front import Front, called_model
from modelserve.server.rest import build_app

PLANE = DataPlane([], revision="r")
APP = build_app(PLANE, max_body_bytes=100)
FRONT = Front(APP, PLANE, max_body_bytes=100)

paths = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["/v1/models/", "/v2/models/", "/v1/models", "/v2/", "/v3/"]),
    st.text(alphabet="a1:/é ", max_size=6),
    st.sampled_from(["", "/versions/", "/versions/1", "/versions/1/versions/2"]),
    st.sampled_from([":predict", ":explain", "/infer", "/infer/", "infer", ""]),
)


def ask(app: ASGIApp, path: str) -> tuple[int, object]:
    """What a call of no instances to that path, with no models behind it, is answered."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post(path, json={"instances": []})

    response = asyncio.run(ask())
    return response.status_code, orjson.loads(response.content or b"null")


@settings(deadline=None)
@given(paths)
@example("/v2/models/m/infer")
@example("/v2/models/m/versions/1/infer")
@example("/v2/models/versions/versions/1/infer")
@example("/v1/models/m:predict")
@example("/v1/models/a:b:explain")
@example("/v1/models/a/b:predict")
@example("/v2/models//infer")
@example("/v2/models/infer")
def test_it_answers_as_the_router_would(path: str) -> None:
    assert ask(FRONT, path) == ask(APP, path)


def test_inference_is_among_what_it_takes() -> None:
    assert called_model("/v2/models/m/versions/1/infer") is not None
    assert called_model("/v1/models/a:b:explain") is not None
    assert ask(FRONT, "/v1/models/a:b:explain")[0] == 404
