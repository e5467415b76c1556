"""What happened to a canary, out of its progress: how it ended, its steps, and everything that was news."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelserve.canary.judge.verdicts import Judgement, Verdict
from modelserve.canary.running.course import Phase
from modelserve.canary.running.driver import Progress
from modelserve.canary.running.plan import Plan
from modelserve.canary.running.telling import topic

_ENDS = {
    Phase.PROMOTED: "promoted",
    Phase.ROLLED_BACK: "rolled back",
    Phase.SUPERSEDED: "superseded",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was news.

    Attributes:
        at: seconds since 1970.
        phase: in words.
        percent: of the calls that the canary had; None where the cluster did not say.
        verdict: of that time; None where nothing was judged.
        text: what happened.
    """

    at: float
    phase: str
    percent: int | None
    verdict: Verdict | None
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A time that plots show."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """One verdict of one check, for as long as it was so; times are seconds since 1970."""

    check: str
    verdict: Verdict
    start: float
    end: float


def outcome(progress: Sequence[Progress], plan: Plan | None) -> tuple[str, str]:
    """How it ended: a word, and a sentence.

    Args:
        progress: in the order of time.
        plan: its steps; None where nothing is known of the traffic that was asked for.
    """
    if not progress:
        return "not begun", "No canary was begun."
    course, judgement = progress[-1].course, last_judgement(progress)
    canary, stable = course.expected.canary, course.expected.stable
    verdict = None if judgement is None else judgement.verdict
    said = "it was not judged" if verdict is None else f"the last verdict: {verdict.value}"
    if plan is None:
        return "judged again", f"{canary} was judged by what was recorded of it; {said}."
    how = "passed every check" if verdict is Verdict.PASS else "had its time without a verdict"
    sentences = {
        Phase.PROMOTED: f"{canary} {how} and was promoted: it has all calls.",
        Phase.ROLLED_BACK: f"{canary} was rolled back, and {stable} has all calls: {course.reason}.",
        Phase.SUPERSEDED: f"{canary} was left alone: {course.reason}.",
    }
    other = f"{canary} was neither promoted nor rolled back; {said}."
    return _ENDS.get(course.phase, "not ended"), sentences.get(course.phase, other)


def last_judgement(progress: Sequence[Progress]) -> Judgement | None:
    """The last one, of whatever could be measured."""
    return next((one.judgement for one in reversed(progress) if one.judgement is not None), None)


def last_measured(progress: Sequence[Progress]) -> Progress | None:
    """The last time that something was both measured and judged."""
    judged = (one for one in reversed(progress) if one.look is not None and one.judgement is not None)
    return next(judged, None)


def entries(progress: Sequence[Progress]) -> Iterator[Entry]:
    """All news, in the order of time."""
    last: tuple[object, ...] = ()
    phase: Phase | None = None
    for one in progress:
        if (key := topic(one)) == last:
            continue
        verdict = one.judgement.verdict if one.judgement else None
        # The sentences of a verdict that changes nothing fill a page, and the last ones are told above.
        is_step = one.course.phase is not phase
        reason = one.course.reason if is_step or one.judgement is None else _checks(one.judgement)
        yield Entry(one.at, _words(one.course.phase), one.percent, verdict, one.trouble or reason)
        last, phase = key, one.course.phase


def _checks(judgement: Judgement) -> str:
    checks = (found.check for found in judgement.findings if found.verdict is judgement.verdict)
    return f"checks: {', '.join(checks)}"


def _words(phase: Phase) -> str:
    return phase.value.replace("_", " ")


def marks(progress: Sequence[Progress], plan: Plan | None) -> list[Mark]:
    """When each step began, and the end.

    Args:
        progress: in the order of time.
        plan: its steps; None where nobody moved the traffic by one.
    """
    found: list[Mark] = []
    for one in progress:
        phase, step = one.course.phase, one.course.step
        if phase in _ENDS:
            found.append(Mark(one.at, _ENDS[phase]))
        elif phase is Phase.WATCHING and plan is not None:
            text = f"{plan.steps[step].percent}%"
            if not found or found[-1].text != text:
                found.append(Mark(one.at, text))
    return found


def asked(progress: Sequence[Progress], plan: Plan | None) -> list[tuple[float, float]]:
    """The share that the canary was to have, from 0 to 1, from each time on; NaN where nothing was asked."""
    if plan is None:
        return []
    found: list[tuple[float, float]] = []
    for one in progress:
        phase = one.course.phase
        if phase in (Phase.SHIFTING, Phase.WATCHING):
            share = plan.steps[one.course.step].percent / 100
        elif phase in (Phase.PROMOTING, Phase.PROMOTED):
            share = 1.0
        else:
            share = 0.0 if phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) else float("nan")
        found.append((one.at, share))
    return found


def bands(progress: Sequence[Progress]) -> list[Band]:
    """The verdict of each check over time, as it was judged last; alike ones are one."""
    judged = [(one.at, one.judgement) for one in progress if one.judgement is not None]
    ends = [at for at, _ in judged[1:]] + [progress[-1].at] if judged else []
    found: list[Band] = []
    current: dict[str, Band] = {}
    for (at, judgement), end in zip(judged, ends, strict=True):
        following = {}
        for one in judgement.findings:
            before = current.get(one.check)
            start = before.start if before is not None and before.verdict is one.verdict else at
            following[one.check] = Band(one.check, one.verdict, start, end)
        found += [
            band for check, band in current.items() if check not in following or following[check].start == at
        ]
        current = following
    return [*found, *current.values()]
