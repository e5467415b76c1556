"""Events as lines of JSON: what is written is read again, by us and by the CloudEvents SDK."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from cloudevents.http import from_json
from hypothesis import example, given
from hypothesis import strategies as st

from modelserve.events import Event, read_events, write_structured

STRUCTURED = {"content-type": "application/cloudevents+json"}
NOW = datetime(2026, 11, 25, 17, 6, 38, 412774, tzinfo=timezone.utc)

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.builds(
        Event,
        id=texts,
        source=texts,
        type=texts,
        time=st.just(NOW),
        data=st.binary(max_size=100) | values.map(lambda value: json.dumps(value, indent=1).encode()),
        content_type=st.sampled_from(
            [None, "application/json", "application/json; charset=utf-8", "image/jpeg"]
        ),
        subject=st.none() | texts,
        extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,10}", fullmatch=True), texts, max_size=3),
    )
)
@example(Event("1", "/", "t", NOW, b"null", "application/json"))
@example(Event("1", "/", "t", NOW, b'"a"', "application/json"))
@example(Event("1", "/", "t", NOW, b"", "application/json"))
def test_what_is_written_is_read_again(event: Event) -> None:
    line = write_structured(event)
    assert b"\n" not in line
    (read,) = read_events(STRUCTURED, line)
    for name in ("id", "source", "type", "time", "content_type", "subject", "extensions"):
        assert getattr(read, name) == getattr(event, name)
    if "data_base64" in json.loads(line):
        assert read.data == event.data
    else:
        assert json.loads(read.data) == json.loads(event.data)


def test_json_is_readable_and_the_rest_is_base64() -> None:
    event = Event("1", "/", "t", NOW, b'{ "instances": [1.5] }', "application/json", extensions={"x": "y"})
    document = json.loads(write_structured(event))
    assert document["data"] == {"instances": [1.5]}
    tensors = Event("1", "/", "t", NOW, b'{"inputs": []}\x00\x01', "application/json")
    assert "data" not in json.loads(write_structured(tensors))
    theirs = from_json(write_structured(event))
    assert (theirs["id"], theirs["x"], theirs.data) == ("1", "y", {"instances": [1.5]})
    assert from_json(write_structured(tensors)).data == tensors.data
