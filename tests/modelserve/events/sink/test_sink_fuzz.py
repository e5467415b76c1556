"""Whatever bytes are sent, as headers, body or neither: an answer that fits, and counts that add up."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

BATCH, STRUCTURED = "application/cloudevents-batch+json", "application/cloudevents+json"
PLENTY = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

values = st.binary(max_size=30).map(lambda raw: re.sub(rb"[\r\n\0\x0b\x0c]", b"", raw).strip())
kinds = st.sampled_from([None, BATCH, STRUCTURED, "application/json"])
documents = st.sampled_from(
    [
        b"[]",
        b"{}",
        b'[{"specversion": "1.0"}]',
        b'[{"specversion":"1.0","id":"1","source":"/","type":"t"}]',
        b'{"specversion":"1.0","id":"1","source":"/","type":"org.kubeflow.serving.inference.response",'
        b'"namespace":"n","inferenceservicename":"s","component":"c","data_base64":"AAAA"}',
    ]
)


@PLENTY
@given(
    changed=st.dictionaries(
        st.sampled_from(["ce-id", "ce-type", "ce-time", "ce-namespace", "ce-x", "x"]), values
    ),
    kind=kinds,
    body=st.binary(max_size=200) | documents,
    chunk=st.none() | st.integers(1, 100),
)
def test_a_request(module_sink: Any, agent: Any, changed: Any, kind: Any, body: bytes, chunk: Any) -> None:
    sink = module_sink
    headers = {**agent(), **changed}
    if kind is not None:
        headers["content-type"] = kind
    before = total(sink)
    content = body if chunk is None else (body[i : i + chunk] for i in range(0, len(body), chunk))
    answer = sink.client.post("/", headers=headers, content=content)
    assert answer.status_code in (202, 400, 413)
    assert (answer.status_code == 202) == (answer.content == b"")
    said = answer.json()["error"] if answer.content else ""
    # What is no HTTP is no event either, and of the batches above some hold one and some none.
    number = 0 if "no HTTP/1.1" in said or (kind == BATCH and not said and body == b"[]") else 1
    sink.eventually(lambda: total(sink) == before + number)


@PLENTY
@given(
    st.lists(
        st.binary(max_size=100) | st.sampled_from([b"POST / HTTP/1.1\r\n", b"a: b\r\n", b"\r\n"]), max_size=6
    )
)
@example([b"POST / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n\r\n"])
@example([b"POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n"])
@example([b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"])
@example([b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"])
@example([b"POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"])
@example([b"CONNECT sink:80 HTTP/1.1\r\nhost: sink\r\n\r\n"])
@example([b"GET /%ff%zz?a HTTP/1.1\r\nhost: sink\r\n\r\n"])
@example([b"POST * HTTP/1.1\r\nhost: sink\r\ncontent-length: 0\r\n\r\n"])
@example([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_a_connection(module_sink: Any, parts: list[bytes]) -> None:
    with module_sink.connect() as connection, contextlib.suppress(OSError):
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        answered = b""
        while some := connection.recv(65536):
            answered += some
        assert not re.search(rb"HTTP/1\.1 5\d\d", answered), answered
    module_sink.eventually(lambda: module_sink.gauge("queue_bytes") == 0)
    assert module_sink.client.get("/health/live").status_code == 200


def total(sink: Any) -> int:
    """Events that have ended."""
    return sum(sink.outcomes().values())
