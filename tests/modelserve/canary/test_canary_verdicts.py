"""Four verdicts, folded to the worst."""

from __future__ import annotations

import itertools

from modelserve.canary.judge.verdicts import Finding, Judgement, Verdict, worst


def test_the_worst_is_told_whatever_the_order() -> None:
    ascending = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAIL]
    for size in range(1, 5):
        for chosen in itertools.permutations(ascending, size):
            assert worst(chosen) is max(chosen, key=ascending.index)


def test_nothing_is_inconclusive() -> None:
    assert worst([]) is Verdict.INCONCLUSIVE
    assert Judgement.of([]).verdict is Verdict.INCONCLUSIVE


def test_a_judgement_gives_the_reasons_of_its_verdict_only() -> None:
    judgement = Judgement.of(
        [
            Finding("a", Verdict.PASS, "fine"),
            Finding("b", Verdict.FAIL, "first"),
            Finding("c", Verdict.INCONCLUSIVE, "unknown"),
            Finding("d", Verdict.FAIL, "second"),
        ]
    )
    assert judgement.verdict is Verdict.FAIL
    assert judgement.reasons == ("first", "second")
    assert [found.check for found in judgement.findings] == ["b", "d", "c", "a"]
