"""The report: everything is in it, in one file that is safe to open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import orjson
import pytest
from pages import Page

from modelserve.events import LoggedMessage, Side
from modelserve.events.calls import Call, Classification, Entity, ImageCall, TextCall
from modelserve.reports import format_seconds
from modelserve.shadow.comparing import compare
from modelserve.shadow.curves import Curves
from modelserve.shadow.feeding import Choice, LoggedCalls
from modelserve.shadow.gallery import example_of
from modelserve.shadow.report import render
from modelserve.shadow.results import Results, Source
from modelserve.shadow.summary import Summary, summarise
from modelserve.shadow.verdicts import Criteria

HOSTILE = '<script>alert("x")</script>&amp;<img src=http://evil.example/x>'


def text_call(name: str, *, revision: str = "old-1", text: str = "Angela", seconds: float = 0.02) -> Call:
    return TextCall(
        "m", revision, f"sha256:{revision}", seconds, [text], [[Entity("PER", name, 0, len(name), 0.9)]]
    )


def image_call(label: str, image: bytes) -> Call:
    return ImageCall("m", "r", "d", 0.1, [image], [Classification([label, "frog"], [0.8, 0.1])])


def found(calls: Any, pairs: Sequence[tuple[Call, Call]]) -> tuple[Curves, Summary]:
    """What a comparison of those calls comes to."""
    results = Results(Criteria(), examples=3)
    logged = LoggedCalls(calls.events(calls.pair(0, b"{}")), Choice())
    assert len(list(logged)) == 1
    for number, (old, new) in enumerate(pairs):
        items = compare(old, new)
        results.add(old, new, items, 1.8e9 + number)
        results.answered_by(Source.of(old), Source.of(new))
        if items[0].disagrees:
            request = LoggedMessage(calls.pair(0, b"").component, HOSTILE, Side.REQUEST, 1.8e9 + number, b"")
            results.gallery.keep(example_of(request, 0, items[0].severity, old, new))
    results.fail("500")
    results.skip("skipped_rate")
    written = datetime(2027, 1, 15, 12, tzinfo=timezone.utc)
    summary = summarise(
        results,
        component=logged.component,
        events=logged.outcomes,
        target="http://candidate",
        written=written,
    )
    return Curves.of(results), summary


def test_a_report_of_texts(calls: Any) -> None:
    same = (text_call("Angela"), text_call("Angela", revision="new-2"))
    other = (text_call("Angela", text=HOSTILE), text_call("Ang", revision="new-2", seconds=0.3, text=HOSTILE))
    curves, summary = found(calls, [same] * 50 + [other] * 10)
    text = render(summary, curves)
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") == 2
    assert "script" not in tags
    assert "img" not in tags
    assert HOSTILE not in text
    assert "The shadow disagrees" in text
    assert "10 of 60 texts or images" in text
    assert "2027-01-15 08:00:00" in text, "the first call"
    assert "failed 500" in text
    assert "skipped rate" in text
    assert "sha256:new-2" in text
    assert "PER Ang [0, 3)" in text
    assert "F1 of the new entities" in text


def test_nothing_is_fetched(calls: Any, cat_jpeg: bytes) -> None:
    curves, summary = found(calls, [(image_call("cat", cat_jpeg), image_call("dog", cat_jpeg))] * 6)
    text = render(summary, curves)
    addresses = [
        value or ""
        for _, attributes in Page(text).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action", "data", "style")
    ]
    assert addresses
    assert all(not re.search(r"(?i)//|url\((?!#)", one) for one in addresses if not one.startswith("data:"))
    assert sum(one.startswith("data:image/png;base64,") for one in addresses) == 3
    assert not re.search(r"(?i)@import|url\((?!#)|<!doctype svg|<\?xml", text)
    assert "F1 of the new entities" not in text, "images have none"


def test_an_image_that_cannot_be_shown(calls: Any) -> None:
    curves, summary = found(calls, [(image_call("cat", b"broken"), image_call("dog", b"broken"))])
    assert "an image that cannot be shown" in render(summary, curves)


def test_a_report_of_nothing(calls: Any) -> None:
    curves, summary = found(calls, [])
    text = render(summary, curves)
    assert "No verdict yet" in text
    assert "no call was compared" in text
    assert "svg" not in {tag for tag, _ in Page(text).tags}


def test_a_report_of_one_call(calls: Any) -> None:
    curves, summary = found(calls, [(text_call("Angela"), text_call("Angela"))])
    assert "No verdict yet" in render(summary, curves)
    assert summary.f1 is None


def test_the_same_as_json(calls: Any) -> None:
    other = (text_call("Angela"), text_call("Ang", revision="new-2"))
    _, summary = found(calls, [other] * 10)
    document = orjson.loads(orjson.dumps(summary.as_json()))
    assert document["verdict"] == "disagrees"
    assert document["criteria"] == {"tolerance": 0.01, "limit": 0.03, "confidence": 0.95}
    assert document["calls"] == {"disagreed": 10, "failed_500": 1, "skipped_rate": 1}
    assert document["events"] == {"paired": 2}
    assert document["component"] == "default/bert-ner/predictor"
    assert document["first_call"] == "2027-01-15T08:00:00+00:00"
    assert document["disagreement"]["estimate"] == 1.0
    assert document["entities"] == {"both": 0, "only_new": 10, "only_logged": 10}
    assert document["replayed_by"] == [
        {"model": "m", "revision": "new-2", "model_digest": "sha256:new-2", "calls": 10}
    ]
    assert len(document["examples"]) == 3
    assert document["examples"][0]["logged"] == [{"name": "PER Angela [0, 6)", "score": 0.9, "differs": True}]
    assert "thumbnail" not in document["examples"][0]


def test_what_a_reader_should_know(calls: Any) -> None:
    same = (text_call("Angela"), text_call("Angela"))
    _, summary = found(calls, [same])
    assert "Revision old-1, with the same weights" in summary.notes[0]
    _, mixed = found(calls, [same, (text_call("Angela"), text_call("Angela", revision="new-2"))])
    assert any("more than one model or revision" in note for note in mixed.notes)
    _, clean = found(calls, [(text_call("Angela"), text_call("Angela", revision="new-2"))])
    assert not clean.notes


def test_more_sources_than_are_told_apart(calls: Any) -> None:
    pairs = [
        (text_call("Angela", revision=f"old-{number}"), text_call("Angela", revision="new"))
        for number in range(50)
    ]
    _, summary = found(calls, pairs)
    assert len(summary.logged_by) == 21
    assert sum(one.calls for one in summary.logged_by) == 50


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (0.0456, "45.6 ms"), (-0.002, "-2 ms"), (0.00001, "10 µs")]
)
def test_seconds_in_the_unit_that_makes_them_short(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
