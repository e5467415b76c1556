"""A canary's page: it says how it ended, whatever there is to say, to all readers, and fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from markupsafe import escape
from pages import Page

from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.judge.policy import Policy, ShareLimits, SlowdownLimits
from modelserve.canary.report.chronicle import asked, bands, marks
from modelserve.canary.report.page import render
from modelserve.canary.report.recorded import judge_again
from modelserve.canary.running.course import Phase
from modelserve.canary.running.driver import Progress
from modelserve.canary.running.plan import Plan
from modelserve.canary.sources import NotMeasured

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/x>'

Make = Callable[..., list[Progress]]
Watch = Callable[..., list[Look]]


def page(progress: list[Progress], plan: Plan | None, policy: Policy, **more: Any) -> str:
    return render(progress, service="default/names", plan=plan, policy=policy, at=1.8e9 + 9000, **more)


def test_a_canary_that_went_back(
    make_progress: Make, watch: Watch, behaviour: Any, plan: Plan, policy: Policy
) -> None:
    looks = watch(behaviour(error_share=0.1), looks=60, canary_calls=100, stable_calls=100)
    reason = "errors: too many"
    text = page(make_progress(looks, end=Phase.ROLLED_BACK, reason=reason), plan, policy)
    assert text.startswith("<!doctype html>")
    assert f"names-2 was rolled back, and names-1 has all calls: {reason}." in text
    found = Page(text)
    images = [attributes for tag, attributes in found.tags if attributes.get("role") == "img"]
    titles = [str(attributes["aria-label"]).partition(":")[0] for attributes in images]
    assert titles == ["Verdicts", "Traffic", "Errors", "Latency", "Labels"]
    assert found.count("svg") == len(images)
    assert found.count("details") == len(images) - 1, (
        "the numbers of a figure, but of verdicts, which are above"
    )
    assert all(attributes.get("scope") for tag, attributes in found.tags if tag == "th")
    assert found.count("table") == found.count("caption")
    calls = int(looks[-1].canary["c"].requests)
    assert f"of {calls:,} calls of the canary failed" in text
    assert re.search(r"errors: \d+ of [\d,]+ against .* percentage points are tolerated</td>", text)
    assert "p95 by window" in text
    assert "2027-01-15 08:00:01 UTC" in text


def test_nothing_is_fetched_and_nothing_runs(
    make_progress: Make, watch: Watch, plan: Plan, policy: Policy
) -> None:
    progress = make_progress(watch(looks=30), end=Phase.SUPERSEDED, reason=HOSTILE)
    text = render(progress, service=HOSTILE, plan=plan, policy=policy, at=1.8e9, ended_by=HOSTILE)
    assert HOSTILE not in text
    found = Page(text)
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    addresses = [
        value or ""
        for _, attributes in found.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action", "data", "style")
    ]
    assert addresses
    assert all(not re.search(r"(?i)//|url\((?!#)", one) for one in addresses)


@pytest.mark.parametrize("looks", [0, 1, 2, 3])
def test_however_little_was_measured(
    looks: int, make_progress: Make, watch: Watch, plan: Plan, policy: Policy
) -> None:
    text = page(make_progress(watch(looks=4)[:looks]), plan, policy)
    found = Page(text)
    assert found.count("svg") == (1 if looks == 0 else 2 if looks == 1 else 5)
    assert "names-2 was neither promoted nor rolled back" in text
    assert ("Nothing was measured, so nothing was judged." in text) == (looks == 0)


def test_prometheus_was_away(make_progress: Make, watch: Watch, plan: Plan, policy: Policy) -> None:
    text = page(make_progress(watch(looks=40), lost=range(30, 40)), plan, policy)
    Page(text)
    assert "Prometheus does not answer" in text
    assert "The last look that could be measured was at 2027-01-15 08:04:51 UTC" in text
    text = page(make_progress(watch(looks=5), lost=range(5)), plan, policy)
    assert "No calls were counted." in text
    assert "The last look that could be measured" not in text


def test_no_canary_was_begun(plan: Plan, policy: Policy) -> None:
    text = page([], plan, policy, ended_by="there is no InferenceService default/names")
    assert Page(text).count("svg") == 0
    assert "No canary was begun." in text
    assert "there is no InferenceService default/names" in text


def test_what_contradicts_itself_is_told(
    make_progress: Make, watch: Watch, plan: Plan, policy: Policy
) -> None:
    first, second = watch(looks=2)
    pods = {"c": replace(second.canary["c"], requests=0.5)}
    text = page(make_progress([first, replace(second, canary=pods)]), plan, policy)
    assert "What was measured cannot be drawn: pod c of the canary revision has a count of 0.5" in text


@pytest.mark.parametrize("name", ["$x^$", "製品", "a\nb\x01", HOSTILE, "x" * 500])
def test_a_label_may_be_anything(
    name: str, make_progress: Make, watch: Watch, plan: Plan, policy: Policy
) -> None:
    def renamed(pods: Mapping[str, Counters]) -> dict[str, Counters]:
        return {
            pod: replace(
                one, labels={name if label == "label0" else label: n for label, n in one.labels.items()}
            )
            for pod, one in pods.items()
        }

    looks = [replace(one, canary=renamed(one.canary), stable=renamed(one.stable)) for one in watch(looks=6)]
    text = page(make_progress(looks), plan, policy)
    assert Page(text).count("svg") == 5
    assert f'<th scope="row">{escape(name)}</th>' in text


def test_a_policy_that_asks_for_little(make_progress: Make, watch: Watch, plan: Plan) -> None:
    policy = Policy(errors=None, latency=(), labels=None, confidence=None, drift=True)
    assert Page(page(make_progress(watch(looks=10), policy=policy), plan, policy)).count("svg") == 2


def test_what_was_asked_is_told_however_little_it_is(plan: Plan) -> None:
    latency = SlowdownLimits(0.95, tolerated=1.004, limit=1.05)
    policy = Policy(errors=ShareLimits(0.00005, 0.01), latency=[latency], labels=None, alpha=0.0004)
    text = re.sub(r"</?t[hd].*?>", "|", page([], plan, policy))
    assert "|errors||0.005 points||1 points||" in text
    assert "|latency_p95||0.4% slower||5% slower||" in text
    assert "|0%|" not in text


def test_a_record_is_judged_as_a_run_would(watch: Watch, policy: Policy) -> None:
    seen = watch(looks=60, canary_calls=200, stable_calls=400)
    looks = [replace(look, at_seconds=1.8e9 + look.at_seconds) for look in seen]
    progress = judge_again(looks, policy)
    assert [one.look for one in progress] == looks
    assert progress[-1].judgement == judge(looks, policy)
    text = page(progress, None, policy)
    assert "The canary was judged by what was recorded of it; the last verdict: pass." in text
    assert "asked</text>" not in text, "nothing is known of that"
    with pytest.raises(NotMeasured, match="no look was recorded"):
        judge_again([], policy)


def test_steps_and_verdicts_are_where_they_were(
    make_progress: Make, watch: Watch, plan: Plan, policy: Policy
) -> None:
    progress = make_progress(watch(looks=100), end=Phase.PROMOTED)
    began = progress[1].at
    assert [(mark.at - began, mark.text) for mark in marks(progress, plan)] == [
        (0, "10%"),
        (500, "50%"),
        (991, "promoted"),
    ]
    assert [share for _, share in asked(progress, plan)][1:] == [0.1] * 50 + [0.5] * 50 + [1.0]
    traffic = [band for band in bands(progress) if band.check == "traffic"]
    assert [band.verdict.value for band in traffic] == ["inconclusive", "pass"]
    assert (traffic[0].start, traffic[0].end, traffic[-1].end) == (began, traffic[1].start, progress[-1].at)
