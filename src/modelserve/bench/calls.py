"""Calls as the bytes that go on the wire, made once before anything is timed."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from modelserve.protocol.samples import Item, json_request
from modelserve.secrecy import split_url, without_secrets

PROTOCOLS = ("v1", "v2", "v2-binary")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server listens; ``prefix`` is what stands before every path."""

    host: str
    port: int
    prefix: str = ""


def parse_url(url: str) -> Target:
    """Read a server's address.

    Raises:
        ValueError: it is not of the form http://host[:port][/prefix]; TLS would cost the generator
            more than the server's work.
    """
    parts = split_url(url)
    if parts is None or parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{without_secrets(url)} is not of the form http://host[:port][/prefix]")
    return Target(parts.hostname, parts.port or 80, parts.path.rstrip("/"))


def http_post(target: Target, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 request on a connection that stays open.

    Args:
        target: the server.
        path: below the target's prefix.
        body: of the request.
        headers: besides ``Host`` and ``Content-Length``; without them the body is JSON.
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    fields = {"Host": f"{host}:{target.port}", "Content-Length": str(len(body))}
    fields |= headers or {"Content-Type": "application/json"}
    lines = [f"POST {target.prefix}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def encode_call(target: Target, model: str, item: Item, *, protocol: str) -> bytes:
    """One text or image as a call.

    Args:
        target: the server.
        model: its name.
        item: what to send.
        protocol: one of ``PROTOCOLS``.
    """
    name = "text" if isinstance(item, str) else "image"
    raw = item.encode() if isinstance(item, str) else item
    if protocol == "v2-binary":
        framed = struct.pack("<I", len(raw)) + raw
        return encode_tensor(target, model, name, datatype="BYTES", shape=(1,), raw=framed)
    if protocol == "v1":
        instance = item if isinstance(item, str) else {"b64": base64.b64encode(item).decode()}
        return http_post(
            target, f"/v1/models/{quote(model)}:predict", orjson.dumps({"instances": [instance]})
        )
    return http_post(target, _infer(model), orjson.dumps(json_request([item])))


def encode_tensor(
    target: Target, model: str, name: str, *, datatype: str, shape: Sequence[int], raw: bytes
) -> bytes:
    """A call with one tensor in V2's binary extension, which asks for a binary answer.

    Args:
        target: the server.
        model: its name.
        name: of the tensor.
        datatype: V2's name for it.
        shape: of the tensor.
        raw: its bytes, as the extension lays them out.
    """
    tensor = {
        "name": name,
        "datatype": datatype,
        "shape": list(shape),
        "parameters": {"binary_data_size": len(raw)},
    }
    header = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
    }
    return http_post(target, _infer(model), header + raw, headers)


def _infer(model: str) -> str:
    return f"/v2/models/{quote(model)}/infer"
