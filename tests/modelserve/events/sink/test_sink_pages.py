"""Pages of the unit that a sink belongs to, beside the events that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelserve.events.sink import Answer


def echo(body: bytes) -> Answer:
    return Answer(201, body, "text/plain")


def broken(_: bytes) -> Answer:
    raise RuntimeError("a secret")


PAGES = {("PUT", "/echo"): echo, ("GET", "/broken"): broken}


def test_a_page_is_answered(start_sink: Callable[..., Any]) -> None:
    sink = start_sink(pages=PAGES)
    answer = sink.client.put("/echo", content=b"x" * 100_000)
    assert (answer.status_code, answer.headers["content-type"]) == (201, "text/plain")
    assert answer.content == b"x" * 100_000
    sink.ends_with()


def test_an_event_is_one_whatever_its_path(start_sink: Callable[..., Any]) -> None:
    sink = start_sink(pages=PAGES)
    assert sink.client.post("/echo", content=b"no event").status_code == 400
    assert sink.client.get("/echo").status_code == 405
    sink.ends_with(malformed=1)


def test_a_page_that_fails_says_so_and_no_more(start_sink: Callable[..., Any], caplog: Any) -> None:
    sink = start_sink(pages=PAGES)
    answer = sink.client.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "a secret" in caplog.text
    assert sink.post().status_code == 202, "the sink goes on"
    sink.ends_with(taken=1)


def test_a_body_that_is_too_large(start_sink: Callable[..., Any]) -> None:
    sink = start_sink(pages=PAGES, max_event_bytes=1000)
    answer = sink.client.put("/echo", content=b"x" * 1001)
    assert answer.status_code == 413
    assert "at most 1000 bytes are accepted" in answer.json()["error"]
