"""The inputs that are shown: those that are least like the baseline, in the features that drifted."""

from __future__ import annotations

import numpy as np

from modelserve.drift.extremes import farthest
from modelserve.drift.table import Row, Table

RANDOM = np.random.default_rng(7)


def rows(size: int) -> list[Row]:
    return [
        {
            "length": float(RANDOM.normal(20, 3)),
            "language": str(RANDOM.choice(["en", "de"], p=[0.95, 0.05])),
            "has_PER": bool(RANDOM.random() < 0.9),
            "embedding": RANDOM.normal(size=4).astype(np.float32),
        }
        for _ in range(size)
    ]


BASELINE = Table.from_rows(rows(500))
ALL = ("length", "language", "has_PER", "embedding")


def places(changes: dict[int, Row], names: tuple[str, ...] = ALL, most: int = 3) -> list[int]:
    window = [dict(row) for row in rows(50)]
    for place, change in changes.items():
        window[place].update(change)
    return farthest(Table.from_rows(window), BASELINE, names, most)


def test_far_on_either_side() -> None:
    assert places({3: {"length": 60.0}}, ("length",))[0] == 3
    assert places({3: {"length": 0.0}}, ("length",))[0] == 3


def test_what_the_baseline_never_had() -> None:
    assert places({9: {"language": "xx"}}, ("language",))[0] == 9
    assert places({9: {"embedding": np.full(4, 30, np.float32)}}, ("embedding",))[0] == 9


def test_every_feature_named_takes_part() -> None:
    odd: Row = {"length": 60.0, "language": "xx", "embedding": np.full(4, 30, np.float32)}
    assert places({4: {"length": 60.0}, 8: odd})[0] == 8
    assert places({4: {"length": 60.0}, 8: {"language": "xx"}}, ("length",))[0] == 4


def test_what_cannot_be_told_is_not_far() -> None:
    window = [{**row, "language": ""} for row in rows(3)]
    assert farthest(Table.from_rows(window), BASELINE, ["language"], 3) == []
    missing = Table.from_rows([{"length": 20.0}, {}, {"length": 100.0}])
    assert farthest(missing, BASELINE, ["length"], 1) == [2]
    assert 1 not in farthest(missing, BASELINE, ["length"], 3)


def test_features_that_one_side_lacks() -> None:
    assert farthest(Table.from_rows([{"other": 1.0}]), BASELINE, ["other", "length"], 3) == []


def test_no_more_than_asked_for() -> None:
    assert len(places({}, most=2)) == 2
    assert places({}, most=0) == []
    assert places({}, ()) == []
