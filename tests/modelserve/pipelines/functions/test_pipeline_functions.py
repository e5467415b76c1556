from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.pipelines import functions
from modelserve.pipelines.functions import UnknownFunction, find_function
from modelserve.pipelines.functions.documents import gather_entities, split_documents, split_sentences
from modelserve.pipelines.functions.entities import count_entities, redact

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def entity(text: str, start: int, end: int, kind: str = "PER") -> dict[str, Any]:
    return {"type": kind, "text": text[start:end], "start": start, "end": end, "score": 1.0}


def test_functions_are_found_with_what_they_take() -> None:
    found = find_function("redact")
    assert found.call is redact
    assert found.required == {"texts", "entities"}
    assert list(found.arguments) == ["texts", "entities", "types"]


def test_a_function_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "modelserve.no_such_module:f", functions.GROUP)
    monkeypatch.setattr(functions, "entry_points", lambda group: [broken])
    find_function.cache_clear()
    try:
        with pytest.raises(UnknownFunction, match="function broken cannot be used: No module named"):
            find_function("broken")
        with pytest.raises(UnknownFunction, match="there is no function redact; there are broken"):
            find_function("redact")
    finally:
        find_function.cache_clear()


async def waits(text: str) -> str:
    return text


def takes_any(*texts: str) -> list[str]:
    return list(texts)


NO_FUNCTION = 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("waits", "it is async, and a plain one is accepted"),
        ("takes_any", "it has arguments without names"),
        ("NO_FUNCTION", "3 is not a callable object"),
    ],
)
def test_what_a_step_cannot_call_is_told(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def __init__(self) -> None:
            self.name = name

        def load(self) -> Any:
            return globals()[name]

    monkeypatch.setattr(functions, "entry_points", lambda group: [Entry()])
    with pytest.raises(UnknownFunction, match=f"function {name} cannot be used: {said}"):
        find_function(name)


def test_a_text_is_split_into_its_sentences() -> None:
    assert split_sentences("Ada met Dr. Bob.  He left.") == ["Ada met Dr. Bob.", "He left."]
    assert split_sentences(" ") == []


@settings(deadline=None)
@given(st.lists(texts, max_size=4))
def test_sentences_are_where_they_are_said_to_be(documents: list[str]) -> None:
    found = split_documents(documents)
    for text, place in zip(found["texts"], found["places"], strict=True):
        document = documents[place["document"]]
        assert document[place["start"] : place["start"] + len(text)] == text


@settings(deadline=None)
@given(st.lists(texts, max_size=4), st.data())
def test_what_was_found_in_sentences_is_in_the_documents(documents: list[str], data: st.DataObject) -> None:
    split = split_documents(documents)
    found = []
    for text in split["texts"]:
        start = data.draw(st.integers(0, len(text) - 1))
        found.append([entity(text, start, data.draw(st.integers(start + 1, len(text))))])
    gathered = gather_entities(documents, split["places"], found)
    assert len(gathered) == len(documents)
    for document, inside in zip(documents, gathered, strict=True):
        assert all(document[one["start"] : one["end"]] == one["text"] for one in inside)
    assert sum(map(len, gathered)) == len(found)


@settings(deadline=None)
@given(texts, st.data())
def test_what_is_left_of_a_text_is_what_no_entity_covers(text: str, data: st.DataObject) -> None:
    spans = st.integers(0, max(0, len(text) - 1)).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(start + 1, max(start + 1, len(text))))
    )
    inside = [entity(text, *span) for span in data.draw(st.lists(spans, max_size=4))] if text else []
    (redacted,) = redact([text], [inside])
    covered = {place for one in inside for place in range(one["start"], one["end"])}
    left = "".join(letter for place, letter in enumerate(text) if place not in covered)
    assert "".join(redacted.split("[PER]")) == left or "[PER]" in text


def test_kinds_that_are_not_asked_for_stay() -> None:
    text = "Ada in Rome"
    inside = [entity(text, 0, 3), entity(text, 7, 11, "LOC")]
    assert redact([text], [inside], ["LOC"]) == ["Ada in [LOC]"]
    assert redact([text], [inside]) == ["[PER] in [LOC]"]


def test_names_are_counted_by_kind_the_most_frequent_first() -> None:
    found = [[entity("Ada", 0, 3)], [entity("Bob", 0, 3), entity("Bob", 0, 3), entity("Rome", 0, 4, "LOC")]]
    assert count_entities(found) == {"LOC": {"Rome": 1}, "PER": {"Bob": 2, "Ada": 1}}
    assert list(count_entities(found)["PER"]) == ["Bob", "Ada"]


def test_lists_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        redact(["a"], [])
    with pytest.raises(ValueError, match="zip"):
        gather_entities(["a"], [], [[]])
