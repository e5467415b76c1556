"""Whatever happens to runs in whatever order: the store says what a plain model of it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from modelserve.pipelines.course import Outcome, Status, Unit
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Claim, KeyReused, LeaseLost, RunStatus, RunStore, new_run

PIPELINE = Pipeline.model_validate(
    {
        "metadata": {"name": "p"},
        "spec": {
            "models": {"m": {"url": "http://model"}},
            "steps": [
                {"name": "a", "model": "m"},
                {"name": "b", "model": "m", "needs": ["a"]},
                {"name": "c", "model": "m", "needs": ["b"]},
                {"name": "d", "model": "m"},
            ],
            "output": None,
        },
    }
)
AFTER = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": set()}
LEASE = 10.0
LATE = 5.0


@dataclass
class Known:
    """A run as it has to be."""

    webhook: bool
    status: RunStatus = RunStatus.QUEUED
    round: int = 1
    holder: Claim | None = None
    until: float = 0.0
    asked: bool = False
    ended: float | None = None
    woken: float = 0.0
    record: dict[Unit, Outcome] = field(default_factory=dict)


class Runs(RuleBasedStateMachine):
    """Several workers, some of whom sleep through their leases, and somebody who submits and cancels."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.store = RunStore(self.url)
        self.now = 1000.0
        self.known: dict[str, Known] = {}
        self.keys: dict[str, tuple[str, int]] = {}
        self.claims: list[Claim] = []
        self.untold: set[tuple[str, int]] = set()
        self.numbers = count()

    def teardown(self) -> None:
        self.now += 1e6
        for run_id in self.known:
            claim = self.store.claim(run_id, "last", now=self.now, lease_seconds=1)
            if claim is not None:
                self.store.finish(claim, RunStatus.CANCELLED, now=self.now)
        self.store.forget(before=self.now + 1)
        assert self.store.runs() == []
        self.store.close()

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.known)), label="run")

    def end(self, run_id: str, status: RunStatus) -> None:
        known = self.known[run_id]
        known.status, known.holder, known.ended = status, None, self.now
        if known.webhook:
            self.untold.add((run_id, known.round))

    @precondition(lambda self: len(self.known) < 2)
    @rule(key=st.none() | st.sampled_from(["k", "l"]), value=st.integers(0, 1), webhook=st.booleans())
    def add(self, key: str | None, value: int, webhook: bool) -> None:
        run = new_run(
            PIPELINE,
            {"x": value},
            now=self.now,
            idempotency_key=key,
            webhook="http://hook" if webhook else None,
        )
        if key in self.keys:
            earlier, given = self.keys[key]
            if given == value:
                assert self.store.add(run).id == earlier
            else:
                with pytest.raises(KeyReused):
                    self.store.add(run)
            return
        assert self.store.add(run) == run
        self.known[run.id] = Known(webhook, woken=self.now)
        if key is not None:
            self.keys[key] = (run.id, value)

    @rule(seconds=st.sampled_from([4.0, 11.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        run_id = self.some(data)
        known = self.known[run_id]
        is_free = known.status is RunStatus.QUEUED or (
            known.status is RunStatus.RUNNING and known.until < self.now
        )
        claim = self.store.claim(run_id, f"w{next(self.numbers)}", now=self.now, lease_seconds=LEASE)
        assert (claim is not None) == is_free
        if claim is not None:
            assert claim.run.cancel_asked == known.asked
            known.status, known.holder, known.until = RunStatus.RUNNING, claim, self.now + LEASE
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(), what=st.sampled_from(["renew", "keep", "keep", "keep", "finish", "fail", "release"])
    )
    def write(self, data: st.DataObject, what: str) -> None:
        claim = data.draw(st.sampled_from(self.claims), label="claim")
        known = self.known.get(claim.run.id)
        unit = Unit(data.draw(st.sampled_from("abcd")), data.draw(st.sampled_from([-1, 0])))
        status = data.draw(st.sampled_from([Status.SUCCEEDED, Status.FAILED]))
        outcome = Outcome(status, next(self.numbers), "", 1)

        def write() -> Any:
            if what == "renew":
                return self.store.renew(claim, now=self.now)
            if what == "keep":
                return self.store.keep(claim, unit, outcome)
            if what == "release":
                return self.store.release(claim, now=self.now)
            end = RunStatus.FAILED if what == "fail" else RunStatus.SUCCEEDED
            return self.store.finish(claim, end, output=1, now=self.now)

        if known is None or known.holder != claim:
            with pytest.raises(LeaseLost):
                write()
            return
        answer = write()
        if what == "renew":
            assert answer == known.asked
            known.until = self.now + LEASE
        elif what == "keep":
            known.record.setdefault(unit, outcome)
        elif what == "release":
            known.status, known.holder, known.woken = RunStatus.QUEUED, None, self.now
        else:
            self.end(claim.run.id, RunStatus.FAILED if what == "fail" else RunStatus.SUCCEEDED)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run_id = self.some(data)
        known = self.known[run_id]
        if known.status in (RunStatus.QUEUED, RunStatus.RUNNING):
            known.asked = True
            if known.status is RunStatus.QUEUED or known.until < self.now:
                self.end(run_id, RunStatus.CANCELLED)
        run = self.store.cancel(run_id, now=self.now)
        assert run is not None
        assert run.status is known.status

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        run_id = self.some(data)
        known = self.known[run_id]
        again = self.store.resend(run_id, now=self.now)
        assert (again is not None) == (known.status is RunStatus.FAILED)
        if again is None:
            return
        failed = {unit for unit, outcome in known.record.items() if outcome.status is Status.FAILED}
        after = set().union(*(AFTER[unit.step] for unit in failed))
        known.record = {
            unit: outcome
            for unit, outcome in known.record.items()
            if unit not in failed
            and unit.step not in after
            and not (unit.index < 0 and unit.step in {one.step for one in failed})
        }
        known.status, known.round, known.asked = RunStatus.QUEUED, known.round + 1, False
        known.ended, known.woken = None, self.now

    @rule(limit=st.integers(1, 3))
    def sweep(self, limit: int) -> None:
        late = {
            run_id
            for run_id, known in self.known.items()
            if (known.status is RunStatus.QUEUED or (known.holder is not None and known.until < self.now))
            and known.woken < self.now - LATE
        }
        found = self.store.overdue(now=self.now, late_seconds=LATE, limit=limit)
        assert len(found) == len(set(found)) == min(limit, len(late))
        assert set(found) <= late
        for run_id in found:
            self.known[run_id].woken = self.now

    @rule(seconds=st.sampled_from([5.0, 50.0, 500.0]))
    def forget(self, seconds: float) -> None:
        old = {
            run_id
            for run_id, known in self.known.items()
            if known.ended is not None and known.ended < self.now - seconds
        }
        assert self.store.forget(before=self.now - seconds) == len(old)
        for run_id in old:
            del self.known[run_id]
        self.keys = {key: value for key, value in self.keys.items() if value[0] in self.known}
        self.untold = {(run_id, turn) for run_id, turn in self.untold if run_id not in old}

    @rule(told=st.booleans())
    def tell(self, told: bool) -> None:
        found = self.store.outbox.take(now=self.now, since=0.0, hold_seconds=5.0, limit=100)
        assert {(one.run, one.round) for one in found} == self.untold
        for notice in found:
            if told:
                self.store.outbox.mark_told(notice)
                self.untold.remove((notice.run, notice.round))
            else:
                self.store.outbox.put_off(notice, until=self.now)

    @invariant()
    def it_is_as_it_has_to_be(self) -> None:
        unfinished = 0
        for run_id, known in self.known.items():
            run = self.store.get(run_id)
            assert run is not None
            assert (run.status, run.round, run.ended) == (known.status, known.round, known.ended)
            assert self.store.record(run_id) == known.record
            unfinished += known.ended is None
        assert self.store.unfinished() == unfinished


def test_the_store_is_as_a_plain_model_of_it(database: str) -> None:
    class OnDatabase(Runs):
        url = database

    run_state_machine_as_test(
        OnDatabase,
        settings=settings(
            max_examples=60 if database.startswith("sqlite") else 20,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
