"""``python -m benchmarks.regressions BEFORE AFTER``: fail where a ratio is worse than it was.

Only what has no unit is compared: seconds and megabytes are the machine's. A bound that the earlier run
missed is no regression, and one that is still kept may be: a run is held to what an earlier one could do.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, table_of
from benchmarks.measures import MEASURES

# The rounds of one run differ by up to a fifth on a shared machine, their medians by less.
TOLERATED = 0.15

_PEER = re.compile(r"(the best peer's) \(.*\)")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One ratio of two runs; ``after`` is None where the later run did not measure it."""

    text: str
    before: float
    after: float | None
    limit: float
    at_least: bool

    @property
    def is_worse(self) -> bool:
        """Whether the later run fails."""
        if self.after is None:
            return True
        return self.after < self.limit if self.at_least else self.after > self.limit


def compare(before: Mapping[str, Any], after: Mapping[str, Any], tolerated: float) -> list[Comparison]:
    """Every ratio of the earlier run beside the later one's.

    Args:
        before: results of a run, as its ``results.json`` has them.
        after: those of a later one.
        tolerated: the share by which a ratio may be worse.
    """
    later = dict(_ratios(after))
    found = []
    for text, claim in _ratios(before):
        if claim.value is None:
            continue
        if claim.at_least:
            limit = claim.value * (1 - tolerated)
        else:
            # Most of these are next to nothing, of which a share is nothing.
            limit = max(claim.bound, claim.value * (1 + tolerated))
        value = later[text].value if text in later else None
        found.append(Comparison(text, claim.value, value, limit, claim.at_least))
    return found


def _ratios(results: Mapping[str, Any]) -> Iterator[tuple[str, Claim]]:
    for name, measure in MEASURES.items():
        if name in results["measures"]:
            for claim in measure.claims(results["measures"][name]):
                if not claim.unit:
                    # Which of the peers is the best may change; the ratio is the same one.
                    yield _PEER.sub(r"\1", claim.text), claim


def page(comparisons: list[Comparison], tolerated: float) -> str:
    """What was compared, in Markdown."""
    rows = [
        [
            one.text,
            f"{one.before:.3g}",
            "not measured" if one.after is None else f"{one.after:.3g}",
            f"{'at least' if one.at_least else 'at most'} {one.limit:.3g}",
            "**worse**" if one.is_worse else "",
        ]
        for one in comparisons
    ]
    lines = [f"Ratios, of which one may be worse by {tolerated:.0%}:", ""]
    return "\n".join([*lines, *table_of(["", "before", "now", "has to be", ""], rows), ""])


def main() -> int:
    """Print the table; 0 where nothing is worse, 1 where something is, 2 with nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regressions", description=__doc__)
    parser.add_argument("before", type=Path, help="results.json that is held up")
    parser.add_argument("after", type=Path, help="results.json of the run to judge")
    parser.add_argument("--tolerated", type=float, default=TOLERATED, help="share (%(default)s)")
    options = parser.parse_args()
    try:
        before, after = (json.loads(path.read_text("utf-8")) for path in (options.before, options.after))
        if before["quick"] or after["quick"]:
            parser.error("a quick run shows that all works; its figures mean nothing")
        comparisons = compare(before, after, options.tolerated)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"this is not a results.json of the suite: {error!r}")
    if not comparisons:
        parser.error(f"{options.before} has no ratio")
    print(page(comparisons, options.tolerated))
    return 1 if any(one.is_worse for one in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main())
