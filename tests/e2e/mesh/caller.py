"""Runs in a pod: makes the calls that come on the standard input, and prints what became of each.

A call has ``url`` and ``method``, where ``GRPC`` stands for a call of the method in the path, and may
have ``token`` and ``body`` (base64). An outcome is a status, or the name of the exception in its place; of a
call with ``tells`` it is that parameter of the answer.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx


def call(client: httpx.Client, one: dict[str, Any]) -> int | str:
    """The outcome of one call."""
    body = base64.b64decode(one.get("body", ""))
    headers = {"authorization": f"Bearer {one['token']}"} if "token" in one else {}
    if one["method"] == "GRPC":
        return call_grpc(one["url"], body, headers)
    try:
        # The path as it is written: httpx would tidy it up.
        as_written = {"target": b"/" + one["url"].split("/", 3)[3].encode()}
        answer = client.request(
            one["method"], one["url"], content=body, headers=headers, extensions=as_written
        )
    except httpx.HTTPError as error:
        return type(error).__name__
    if "tells" in one and answer.status_code == 200:
        return str(answer.json()["parameters"][one["tells"]])
    return answer.status_code


def call_grpc(url: str, body: bytes, headers: dict[str, str]) -> str:
    """The name of the status."""
    parts = urlsplit(url)
    with grpc.insecure_channel(parts.netloc) as channel:
        try:
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes]
            ask = channel.unary_unary(parts.path, request_serializer=bytes)
            ask(body, timeout=30, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


with httpx.Client(timeout=30) as session:
    print(json.dumps([call(session, one) for one in json.load(sys.stdin)]))
