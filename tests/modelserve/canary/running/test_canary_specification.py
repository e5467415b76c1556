"""What people write of a canary: what is left out is as the page says, and a mistake is told by its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from modelserve.canary.judge.policy import OnInconclusive, Policy, ShareLimits
from modelserve.canary.running.specification import (
    Specification,
    SpecificationError,
    read_specification,
    specification,
)

PAGE = Path(__file__).parents[4] / "docs" / "canary" / "README.md"


def test_the_page_shows_what_is_taken_where_nothing_is_said() -> None:
    (block,) = re.findall(r"## A policy.*?```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert specification(yaml.safe_load(block)) == Specification()
    assert Specification().policy() == Policy()


def test_both_spellings_and_checks_that_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "steps: [{percent: 5, least_seconds: 1, mostSeconds: 2}]\n"
        "on_inconclusive: hold\n"
        "checks: {latency: [], disabled: [errors, labels, confidence]}\n"
    )
    found = read_specification(path)
    assert [(one.percent, one.least_seconds, one.most_seconds) for one in found.plan().steps] == [(5, 1, 2)]
    policy = found.policy()
    assert (policy.errors, policy.latency, policy.on_inconclusive) == (None, (), OnInconclusive.HOLD)
    path.write_text("")
    assert read_specification(path) == Specification()


def test_checks_that_are_asked_by_name_alone() -> None:
    policy = specification({"checks": {"drift": True, "shadow": {"tolerated": 0.01, "limit": 0.03}}}).policy()
    assert (policy.drift, policy.shadow) == (True, ShareLimits(0.01, 0.03))
    assert "shadow" in policy.alphas()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: []", "steps"),
        ("steps: [{percent: 100}]", "a step of 100%: 1 to 99 are accepted"),
        ("steps: [{percent: 20}, {percent: 10}]", "ascending ones, are accepted"),
        ("steps: [{percent: 20, mostSeconds: 1}]", "not above the second"),
        ("checks: {errors: {tolerated: 0.5, limit: 0.1}}", "below the second"),
        ("checks: {nosuch: 1}", "checks.nosuch"),
        ("checks: {drift: sometimes}", "checks.drift"),
        ("checks: {errors: null}", "checks.errors"),
        ("checks: {disabled: [drift]}", "'errors', 'latency', 'labels' or 'confidence'"),
        ("checks: {shadow: {tolerated: 0.01}}", "checks.shadow.limit"),
        ("onInconclusive: perhaps", "'rollback', 'hold' or 'promote'"),
        ("lookSeconds: 0", "must be above 0"),
        ("alpha: 2", "alpha is 2"),
        ("[1]", "valid dictionary"),
        ("a: {", "no YAML"),
    ],
)
def test_a_mistake_is_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(SpecificationError, match=re.escape(said)) as raised:
        read_specification(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="cannot be read: No such file"):
        read_specification(tmp_path / "nosuch")
