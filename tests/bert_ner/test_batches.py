from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bert_ner.batches import plan_batches


@given(st.lists(st.integers(2, 512)), st.integers(2, 4096))
def test_every_sequence_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget=budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
        assert min(lengths[index] for index in batch) >= longest / 2


def test_sequences_of_one_length_fill_a_batch() -> None:
    assert [len(batch) for batch in plan_batches([10] * 25, budget=100)] == [10, 10, 5]


def test_long_and_short_sequences_are_not_computed_together() -> None:
    assert plan_batches([4, 500, 5, 450], budget=8192) == [[1, 3], [2, 0]]
