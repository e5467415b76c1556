"""Two answers to a request: what counts as the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.events.calls import Classification, Entity, ImageCall, TextCall
from modelserve.shadow.comparing import ComparisonError, EntityCounts, compare

ENTITIES = st.lists(
    st.builds(
        Entity,
        st.sampled_from(["PER", "ORG"]),
        st.just("x"),
        st.integers(0, 5),
        st.integers(6, 9),
        st.floats(0, 1),
    ),
    max_size=6,
    unique_by=lambda entity: entity[:1] + entity[2:4],
)


def texts(*answers: Sequence[Entity]) -> TextCall:
    return TextCall("m", "r", "d", 0.1, ["a text"] * len(answers), answers)


def images(*answers: Classification) -> ImageCall:
    return ImageCall("m", "r", "d", 0.1, [b""] * len(answers), answers)


def entity(kind: str, start: int, end: int, score: float = 0.9) -> Entity:
    return Entity(kind, "x" * (end - start), start, end, score)


def test_entities_are_matched_by_type_and_place() -> None:
    old = [entity("PER", 0, 6), entity("ORG", 10, 12, 0.7), entity("LOC", 20, 25)]
    new = [entity("PER", 0, 6, 0.8), entity("PER", 10, 12, 0.6), entity("LOC", 20, 26, 0.95)]
    (item,) = compare(texts(old), texts(new))
    assert item.entities == EntityCounts(both=1, only_new=2, only_logged=2)
    assert item.disagrees
    assert item.severity == 0.95
    assert item.distances == pytest.approx([0.1])


def test_the_order_of_entities_does_not_matter_and_their_text_neither() -> None:
    old = [entity("PER", 0, 6), entity("ORG", 10, 12)]
    new = [old[1]._replace(text="else"), old[0]]
    (item,) = compare(texts(old), texts(new))
    assert (item.disagrees, item.severity, list(item.distances)) == (False, 0.0, [0.0, 0.0])


@given(ENTITIES, ENTITIES)
def test_the_counts_add_up_and_turn_with_the_answers(old: list[Entity], new: list[Entity]) -> None:
    (item,), (turned,) = compare(texts(old), texts(new)), compare(texts(new), texts(old))
    assert item.entities is not None
    assert item.entities.both + item.entities.only_logged == len(old)
    assert item.entities.both + item.entities.only_new == len(new)
    assert item.disagrees == turned.disagrees == bool(item.entities.only_new + item.entities.only_logged)
    assert (item.severity, list(item.distances)) == (turned.severity, list(turned.distances))


def test_images_are_matched_by_their_best_label() -> None:
    old = Classification(["cat", "dog"], [0.6, 0.4])
    same = Classification(["cat", "frog"], [0.5, 0.3])
    other = Classification(["dog", "cat"], [0.7, 0.3])
    agreeing, differing = compare(images(old, old), images(same, other))
    assert (agreeing.disagrees, agreeing.severity, agreeing.entities) == (False, 0.0, None)
    assert agreeing.distances == pytest.approx([0.1])
    assert (differing.disagrees, differing.severity) == (True, 0.7)
    assert differing.distances == pytest.approx([0.3])


def test_a_label_that_is_not_among_the_best_is_at_most_the_least_of_them() -> None:
    old, new = Classification(["cat"], [0.9]), Classification(["dog", "frog"], [0.5, 0.2])
    (item,) = compare(images(old), images(new))
    assert item.distances == pytest.approx([0.7])


def test_no_label_and_no_number() -> None:
    none, nan = Classification([], []), Classification(["cat"], [math.nan])
    known = Classification(["cat"], [0.9])
    first, second, third = compare(images(none, known, nan), images(none, none, known))
    assert (first.disagrees, list(first.distances)) == (False, [])
    assert (second.disagrees, second.severity, list(second.distances)) == (True, 0.9, [])
    assert (third.disagrees, list(third.distances)) == (False, [])


def test_numpys_scores_become_pythons() -> None:
    """A report is written as JSON, which knows no others."""
    scores: Any = np.array([0.75, 0.25], np.float32)
    (item,) = compare(images(Classification(["a", "b"], scores)), images(Classification(["b", "a"], scores)))
    assert [type(value) for value in (*item.distances, item.severity)] == [float, float]


def test_answers_to_other_requests() -> None:
    with pytest.raises(ComparisonError, match="2 items, the logged one of 1"):
        compare(texts([]), texts([], []))
    with pytest.raises(ComparisonError, match="of texts and the other of images"):
        compare(texts([]), images(Classification([], [])))
