"""Events in a file, a line each."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.events import Event, EventError, Rejection
from modelserve.events.logfile import read_log, write_log

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
EVENTS = st.builds(
    Event,
    id=TEXT,
    source=TEXT,
    type=TEXT,
    time=st.datetimes(
        datetime(1970, 1, 2),
        datetime(2100, 1, 1),
        timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-5, minutes=-30))]),
    ),
    data=st.binary(max_size=50),
    content_type=st.none() | st.sampled_from(["application/json", "application/octet-stream", "text/plain"]),
    subject=st.none() | TEXT,
    extensions=st.dictionaries(st.sampled_from(["namespace", "component", "x1"]), TEXT),
)
LINE = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}\n'


@given(st.lists(EVENTS, max_size=4))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with path.open("wb") as stream:
        write_log(stream, events)
    assert list(read_log(path)) == events


def test_data_as_json_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINE + b"\n  \r\n" + LINE.rstrip())
    assert [event.data for event in read_log(path)] == [b'{"a":1}'] * 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINE * 2)))
    assert len(list(read_log("-"))) == 2


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"no JSON\n", "is no JSON"),
        (LINE[:40] + b"\n", "is no JSON"),
        (b"[]\n", "is no JSON object"),
        (b'{"specversion":"1.0","id":"1"}\n', "no source and no type"),
        (b"\xff\n", "is no JSON"),
    ],
)
def test_the_line_that_is_no_event_is_named(tmp_path: Path, line: bytes, sentence: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINE + b"\n" + line + LINE)
    events = read_log(path)
    next(events)
    with pytest.raises(EventError, match=f"{path}, line 3: .*{sentence}") as caught:
        next(events)
    assert caught.value.rejection is Rejection.MALFORMED


def test_a_line_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelserve.events.logfile._MOST_BYTES", 1000)
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINE + b" " * 2000)
    with pytest.raises(EventError, match="line 2: it is longer than the 1000 bytes") as caught:
        list(read_log(path))
    assert caught.value.rejection is Rejection.OVERSIZED


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "missing"))
