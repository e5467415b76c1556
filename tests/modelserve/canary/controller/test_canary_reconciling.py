"""A policy obeyed through restarts at every point, changes, mistakes, and what does not answer."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserve.canary.journal import Canary
from modelserve.canary.rollout import Away, CannotRollOut, Gone
from modelserve.canary.rollout.objects import Conflict
from modelserve.database import StoreError


def outcomes(process: Any) -> dict[str, float]:
    families = {family.name: family for family in process.registry.collect()}
    samples = families["modelserve_canary_steps"].samples
    return {one.labels["outcome"]: one.value for one in samples if one.name.endswith("_total")}


def test_a_good_model_goes_through_every_step_and_all_is_told(world: Any, process: Any) -> None:
    process.run()
    assert world.conditions == {"Ready": ("True", "Obeyed"), "Progressing": ("False", "NothingNew")}
    world.bring(2)
    process.run()
    assert world.promoted == ["model-2"]
    passed = [phase for phase, _ in itertools.groupby(world.statuses)]
    steps = ["Starting", "Shifting", "Watching", "Shifting", "Watching", "Promoting", "Promoted"]
    assert passed == steps
    assert [reason for reason, _, _ in world.events] == steps
    assert world.conditions == {"Ready": ("True", "Obeyed"), "Progressing": ("False", "Promoted")}
    assert outcomes(process) == {"advanced": 2, "promoted": 1}
    assert (world.standing["canaryRevision"], world.standing["verdict"]) == ("revision-2", "pass")
    said = process.journal.untold(since=0.0)
    assert len(said) == process.decisions
    assert said[-1].progress.course.phase.value == "promoted"


def test_a_bad_one_goes_back_and_is_not_tried_again(world: Any, process: Any) -> None:
    world.bring(2, error_share=0.2)
    process.run()
    assert (world.state.percent, world.promoted) == (0, [])
    assert world.conditions["Progressing"] == ("False", "RolledBack")
    assert world.events[-1][0] == "RolledBack"
    assert world.events[-1][2], "a warning"
    written = len(world.statuses)
    for _ in range(3):
        assert process.tick() == 60
    assert len(world.statuses) == written
    world.bring(3)
    process.run()
    assert world.promoted == ["model-3"]


@pytest.mark.parametrize("where", ["after the status", "before the command", "after the command"])
@pytest.mark.parametrize("error_share", [0.0, 0.2])
def test_a_process_that_dies_anywhere_is_followed(
    world: Any, start: Any, died: Any, where: str, error_share: float
) -> None:
    """Killed at the first, the second, … time that it comes by there, until it comes by no more."""
    for number in itertools.count(2):
        world.bring(number, error_share=error_share)
        left = number - 1
        has_died = False

        def dies(what: str) -> bool:
            nonlocal left, has_died
            left -= what == where
            has_died = has_died or left == 0
            return what == where and left == 0

        world.dies = dies
        process = start()
        try:
            process.run()
        except died:
            start().run()
        world.dies = lambda what: False
        revision, model = f"revision-{number}", f"model-{number}"
        assert world.standing["canaryRevision"] == revision
        if error_share:
            assert (world.standing["phase"], world.state.percent) == ("RolledBack", 0)
        else:
            assert world.standing["phase"] == "Promoted", world.standing["reason"]
            assert world.promoted[-1] == model
            assert world.promoted.count(model) == 1
        if not has_died:
            break
    assert number > 3


def test_a_process_that_follows_judges_all_that_was_seen(world: Any, start: Any) -> None:
    world.bring(2)
    first = start()
    while world.state.percent != 50:
        world.wait(first.tick())
    for _ in range(3):
        world.wait(first.tick())
    looks = len(
        [one for one in first.journal.history(first.journal.last_canary("default", "names")) if one.look]
    )
    second = start()
    second.tick()
    history = second.journal.history(second.journal.last_canary("default", "names"))
    assert len([one for one in history if one.look]) == looks + 1
    (traffic,) = [one.reason for one in history[-1].judgement.findings if one.check == "traffic"]
    assert traffic == "traffic: 2,050 requests against 6,050"


def test_a_process_that_follows_shows_what_was_judged_before(world: Any, start: Any) -> None:
    """Else a canary that failed between two scrapes would be marked by nobody."""
    world.bring(2, error_share=0.2)
    start().reach("RollingBack")
    second = start()
    second.run()
    assert world.standing["phase"] == "RolledBack"
    whose = {"namespace": "default", "model": "names", "revision": "revision-2"}
    shown = {
        verdict: second.registry.get_sample_value("modelserve_canary_verdict", {**whose, "verdict": verdict})
        for verdict in ("pass", "fail", "error")
    }
    assert shown == {"pass": 0, "fail": 1, "error": 0}


def test_what_was_decided_and_not_journalled_is_journalled_by_the_next(
    world: Any, start: Any, died: Any
) -> None:
    world.bring(2)
    process = start()
    process.tick()
    world.wait(5)
    world.dies = lambda what: what == "after the status"
    with pytest.raises(died):
        process.tick()
    world.dies = lambda what: False
    history = process.journal.history(process.journal.last_canary("default", "names"))
    assert [one.course.phase.value for one in history] == ["starting"]
    again = start()
    again.tick()
    told = [one.progress.course.phase.value for one in again.journal.untold(since=0.0)]
    assert told[:2] == ["starting", "shifting"]


def test_of_two_that_believe_to_lead_one_is_told_no(world: Any, start: Any) -> None:
    first, second = start(), start()
    world.bring(2)
    first.tick()
    world.wait(5)
    stale = world.read()
    first.tick()
    share = world.state.percent
    with pytest.raises(Conflict):
        second.reconciler.reconcile(stale)
    assert world.state.percent == share


def test_a_second_model_during_a_canary_is_tried_anew(world: Any, process: Any) -> None:
    world.bring(2)
    process.reach("Watching")
    assert world.state.percent == 10
    world.bring(3)
    process.run()
    assert world.promoted == ["model-3"]
    assert "Superseded" in world.statuses
    assert outcomes(process)["superseded"] == 1


def test_a_policy_that_is_changed_during_a_canary_holds_at_once(world: Any, process: Any) -> None:
    world.bring(2)
    process.reach("Watching")
    world.edit(steps=[{"percent": 5, "leastSeconds": 20}, {"percent": 20, "leastSeconds": 20}])
    process.reach("Shifting")
    assert world.standing["policyGeneration"] == 2
    process.tick()
    assert world.state.percent == 5, "the highest step that it has passed"
    process.run()
    assert world.promoted == ["model-2"]


def test_a_mistake_leaves_all_as_it_is_until_it_is_mended(world: Any, process: Any) -> None:
    world.bring(2)
    process.reach("Watching")
    good = world.policy["spec"]["steps"]
    world.edit(steps=[{"percent": 50}, {"percent": 10}])
    assert process.tick() == 60
    assert world.conditions == {"Ready": ("False", "InvalidSpec"), "Progressing": ("False", "InvalidSpec")}
    assert world.state.percent == 10
    world.bring(3)
    assert process.tick() == 60
    assert (world.state.percent, world.promoted) == (0, [])
    world.edit(steps=good)
    process.run()
    assert world.conditions["Ready"] == ("True", "Obeyed")
    assert world.promoted == ["model-3"]


def test_a_suspended_policy_moves_nothing(world: Any, process: Any) -> None:
    world.edit(suspend=True)
    world.bring(2)
    assert process.tick() == 60
    assert (world.state.percent, world.conditions["Progressing"]) == (0, ("False", "Suspended"))
    world.edit(suspend=False)
    process.run()
    assert world.promoted == ["model-2"]


def test_another_policy_for_the_same_service_is_told(world: Any, process: Any) -> None:
    world.bring(2)
    assert process.tick(rival="older") == 60
    assert world.conditions["Ready"] == ("False", "TargetTaken")
    assert world.state.percent == 0


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Gone("there is no InferenceService default/names"), "TargetNotFound"),
        (CannotRollOut("it is in Standard mode"), "NotMovable"),
    ],
)
def test_a_service_that_cannot_be_moved_is_told(
    world: Any, process: Any, refusal: Exception, reason: str
) -> None:
    world.bring(2)
    world.refusal = refusal
    assert process.tick() == 60
    assert world.conditions["Ready"] == ("False", reason)
    world.refusal = None
    process.run()
    assert world.promoted == ["model-2"]


def test_a_service_that_is_deleted_ends_its_canary(world: Any, process: Any) -> None:
    world.bring(2)
    process.reach("Watching")
    world.refusal = Gone("there is no InferenceService default/names")
    process.run()
    assert world.standing["phase"] == "Superseded"
    assert world.conditions["Ready"] == ("False", "TargetNotFound")


def test_a_deleted_policy_moves_nothing_and_a_new_one_goes_on_from_the_share(
    world: Any, process: Any
) -> None:
    world.bring(2)
    process.reach("Watching")
    spec, world.policy = world.policy["spec"], None
    with pytest.raises(Gone):
        process.tick()
    process.reconciler.forget("default", "names")
    assert world.state.percent == 10
    world.create(spec, uid="v")
    process.run()
    assert world.promoted == ["model-2"]


def test_what_is_away_is_waited_for(world: Any, process: Any) -> None:
    world.bring(2)
    process.reach("Watching")
    world.cluster_is_away = True
    for _ in range(3):
        with pytest.raises(Away):
            process.tick()
        world.wait(10)
    world.cluster_is_away = False
    world.prometheus_is_away = True
    for _ in range(6):
        world.wait(process.tick())
        assert (world.standing["phase"], world.standing["verdict"]) == ("Watching", "error")
    world.prometheus_is_away = False
    process.run()
    assert world.promoted == ["model-2"]


def test_nothing_begins_that_could_not_be_measured(world: Any, process: Any) -> None:
    world.prometheus_is_away = True
    world.bring(2)
    for _ in range(20):
        world.wait(process.tick())
    assert (world.standing["phase"], world.state.percent) == ("Starting", 0)
    (progressing,) = [one for one in world.policy["status"]["conditions"] if one["type"] == "Progressing"]
    assert "Prometheus does not know one" in progressing["message"]
    world.prometheus_is_away = False
    process.run()
    assert world.promoted == ["model-2"]


def test_a_journal_that_is_away_stops_no_way_back(
    world: Any, process: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add = process.journal.add
    world.bring(2, error_share=0.2)

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the store cannot be used: it is away")

    monkeypatch.setattr(process.journal, "add", fail)
    with caplog.at_level(logging.WARNING):
        process.run()
    assert "entries wait to be written" in caplog.text
    assert (world.standing["phase"], world.state.percent) == ("RolledBack", 0)
    monkeypatch.setattr(process.journal, "add", add)
    world.bring(3)
    process.tick()
    began = [one.canary for one in process.journal.untold(since=0.0)]
    assert {type(one) for one in began} == {Canary}
    phases = [one.progress.course.phase.value for one in process.journal.untold(since=0.0)]
    assert phases[-2:] == ["rolled_back", "starting"], "in the order in which it happened"


def test_without_any_traffic_nothing_is_promoted(world: Any, process: Any) -> None:
    world.bring(2)
    wait = world.wait

    def nobody_calls(seconds: float) -> None:
        percent, world.state = world.state, replace(world.state, percent=0)
        wait(0)
        world.state = percent
        world.now += seconds

    world.wait = nobody_calls
    process.run()
    assert (world.standing["phase"], world.promoted) == ("RolledBack", [])
    assert "requests to the warm canary" in world.standing["reason"]


@given(
    happenings=st.lists(
        st.sampled_from(
            ["tick", "tick", "tick", "bring good", "bring bad", "restart", "die", "api", "prometheus", "edit"]
        ),
        max_size=60,
    ),
    steps=st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True).map(sorted),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_only_what_was_judged_is_promoted(
    happenings: list[str], steps: list[int], make_world: Any, start: Callable[..., Any], died: Any
) -> None:
    fresh = make_world()
    process = start(fresh)
    number, bad = 1, set()
    for happening in happenings:
        if happening.startswith("bring"):
            number += 1
            is_bad = happening.endswith("bad")
            fresh.bring(number, error_share=0.3 if is_bad else 0.0)
            bad |= {f"model-{number}"} if is_bad else set()
        elif happening in ("restart", "die"):
            fresh.dies = lambda what, happening=happening: happening == "die" and what == "after the status"
            with contextlib.suppress(died, CannotRollOut):
                process.tick()
            fresh.dies = lambda what: False
            process = start(fresh)
        elif happening == "api":
            fresh.cluster_is_away = not fresh.cluster_is_away
        elif happening == "prometheus":
            fresh.prometheus_is_away = not fresh.prometheus_is_away
        elif happening == "edit":
            fresh.edit(steps=[{"percent": one, "leastSeconds": 20, "mostSeconds": 300} for one in steps])
        else:
            try:
                fresh.wait(min(process.tick(), 10))
            except CannotRollOut:
                fresh.wait(2)
        assert not bad & set(fresh.promoted)
    fresh.cluster_is_away = fresh.prometheus_is_away = False
    process.run()
    assert not bad & set(fresh.promoted)
    last = f"model-{number}"
    assert last in bad or number == 1 or last in fresh.promoted
    assert last not in bad or fresh.state.percent == 0
