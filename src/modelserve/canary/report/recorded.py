"""Measurements that a run recorded, judged again, as the progress that a page is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelserve.canary.judge.judging import judge
from modelserve.canary.judge.measurements import Look
from modelserve.canary.judge.policy import Policy
from modelserve.canary.judge.verdicts import Judgement
from modelserve.canary.rollout import RolloutState
from modelserve.canary.running.course import Course, Phase
from modelserve.canary.running.driver import Progress
from modelserve.canary.sources import NotMeasured

_MOST_JUDGEMENTS = 48  # each is of all looks before, and a plot shows no more
_LATEST = 32503680000.0  # the year 3000

_UNNAMED = RolloutState("the stable revision", "The canary", 0, is_ready=True, failure="", fingerprint="")
"""A record has no names, and nothing of the traffic that was asked for."""


def judge_again(looks: Sequence[Look], policy: Policy) -> list[Progress]:
    """Watch a canary through what was recorded.

    It is judged a number of times, at the last look among them; in between it is as it was judged before.

    Args:
        looks: at least one; their times are seconds since 1970.
        policy: what is asked.

    Raises:
        NotMeasured: there is none, or its time is no such seconds.
    """
    if not looks:
        raise NotMeasured("no look was recorded")
    for look in looks:
        if not 0 <= look.at_seconds < _LATEST:
            raise NotMeasured(
                f"a look was recorded at {look.at_seconds:g} s; seconds since 1970 are accepted, up to the "
                "year 3000"
            )
    course = Course(_UNNAMED, Phase.WATCHING, 0, looks[0].at_seconds, reason="recorded measurements")
    places = {round(place) for place in np.linspace(0, len(looks) - 1, _MOST_JUDGEMENTS)}
    judgement: Judgement | None = None
    found = []
    for index, look in enumerate(looks):
        if index in places:
            judgement = judge(looks[: index + 1], policy)
        found.append(Progress(look.at_seconds, course, None, look, judgement))
    return found
