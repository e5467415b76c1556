"""From the start of the process to the first right answer: what a call from zero waits for."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks import models
from benchmarks.claims import Claim, Options, Result, table_of
from benchmarks.contenders import KSERVE, KSERVE_OUR_GRAPH, OURS, Contender
from benchmarks.environments import NotInstalled
from benchmarks.models import Kind
from benchmarks.servers import NotServing, serving

TITLE = "Start to the first answer (BERT NER)"

_MOST_SECONDS = 2.0


async def measure(options: Options) -> Result:
    """Seconds of each start, in turn; a first start of each fills the file cache."""
    rounds = int(options.choose(5, 1))
    starts: tuple[tuple[Contender, Kind], ...] = (
        (OURS, models.small_ner()),  # from the folder that the repository holds
        (KSERVE_OUR_GRAPH, models.ner()),
        (KSERVE, models.ner()),
    )
    found: dict[str, list[float]] = {}
    absent: dict[str, str] = {}
    expected: Any = None
    for number in range(rounds + 1):
        for contender, kind in starts:
            if contender.title in absent:
                continue
            try:
                async with serving(contender, kind, threads=options.threads) as server:
                    seconds, answer = server.start_seconds, server.first_answer
            except (NotInstalled, NotServing) as error:
                absent[contender.title] = str(error)
                continue
            expected = answer if expected is None else expected
            if answer != expected:
                absent[contender.title] = "its first answer is another one"
            elif number:  # the start before the first round fills the file cache
                found.setdefault(contender.title, []).append(seconds)
    return {
        "seconds": {title: median(values) for title, values in found.items()},
        "rounds": found,
        "absent": absent,
    }


def claims(result: Result) -> Sequence[Claim]:
    """Fast enough to scale to zero."""
    text = "process start to the first right answer, CPU flavour, files cached"
    return [Claim(text, result["seconds"].get(OURS.title), _MOST_SECONDS, unit=" s")]


def table(result: Result) -> Sequence[str]:
    """One table."""
    rows = [
        [title, f"{value:.2f}", ", ".join(f"{one:.2f}" for one in result["rounds"][title])]
        for title, value in result["seconds"].items()
    ]
    rows += [[title, "not measured", reason] for title, reason in result["absent"].items()]
    return table_of(["", "median, s", "starts"], rows)
