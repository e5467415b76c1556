"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from modelserve.drift.report.collecting import Chapter
from modelserve.drift.report.plots import distributions, p_values
from modelserve.drift.verdicts import Outcome
from modelserve.reports import page_template

_MOST_FEATURES = 4
_JPEG = b"\xff\xd8\xff"


def write_page(chapters: Sequence[Chapter], *, alpha: float, at: float) -> str:
    """The page.

    Args:
        chapters: what it says.
        alpha: of the verdicts, for the line in the plots.
        at: when it is written, in seconds since 1970.
    """
    return page_template("modelserve.drift.report", "page.html.jinja", small=_small).render(
        chapters=[_shown(chapter, alpha=alpha) for chapter in chapters], at=at
    )


def _shown(chapter: Chapter, *, alpha: float) -> dict[str, Any]:
    said = [one for one in chapter.verdicts if one.features]
    return {
        "source": chapter.source,
        "baseline": chapter.baseline,
        "last": chapter.last,
        "windows": len(chapter.verdicts),
        "drifted": sum(one.outcome is Outcome.DRIFT for one in said),
        "history": p_values(said, alpha=alpha) if said else "",
        "features": _features(chapter),
        "inputs": [_input(one) for one in chapter.inputs],
    }


def _features(chapter: Chapter) -> list[Markup]:
    if chapter.window is None or chapter.against is None:
        return []
    drawn = []
    for name in dict.fromkeys(found.feature for found in chapter.last.features):
        kind = chapter.window.kinds.get(name) or chapter.against.kinds[name]
        sides = [table.known(name, kind) for table in (chapter.against, chapter.window)]
        if all(len(side) for side in sides):
            drawn.append(distributions(name, kind, *sides))
        if len(drawn) == _MOST_FEATURES:
            break
    return drawn


def _input(excerpt: bytes) -> dict[str, str | bytes]:
    if excerpt.startswith(_JPEG):
        return {"image": excerpt}
    return {"text": excerpt.decode("utf-8", "replace")}


def _small(number: float) -> str:
    return f"{number:.3f}" if number >= 0.001 or number == 0 else f"{number:.0e}"
