"""How often ordinary inputs are called drifted: windows of a data set against other parts of it.

Each run draws a reference and windows anew, none of whose samples are the same, so that one unlucky reference
does not speak for all. It needs a server, and ``pip install '.[monitor]'``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from modelserve.bench.inputs import read_items
from modelserve.drift.building import asked_calls
from modelserve.drift.features import Extractor, assets_of
from modelserve.drift.settings import DriftSettings
from modelserve.drift.table import Table
from modelserve.drift.verdicts import Outcome


def main() -> None:
    """Ask the server about everything once, and judge draws of what it said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--model", required=True)
    parser.add_argument("--model_dir", type=Path, required=True)
    parser.add_argument("--text_file", nargs="+", type=Path, default=[])
    parser.add_argument("--image", nargs="+", type=Path, default=[])
    parser.add_argument("--reference_samples", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    items = read_items(text_files=options.text_file, images=options.image)
    extractor = Extractor(assets_of(options.model_dir), shown=False)
    calls = asked_calls(items, url=options.url, model=options.model, timeout_seconds=60)
    table = Table.from_rows([row for call in calls for row in extractor.examine(call)[0]])
    print(json.dumps(measure(table, options)))


def measure(table: Table, options: argparse.Namespace) -> dict[str, object]:
    """Shares of windows that are called drifted, and of runs in which an alarm goes up."""
    settings = DriftSettings.model_validate({})
    judge, rule, random = settings.judge(), settings.alarm_rule(), np.random.default_rng(0)
    needed = options.reference_samples + options.windows * settings.window_samples
    if table.size < needed:
        raise SystemExit(f"{table.size} samples are too few; {needed} are needed")
    windows = alarms = 0
    blamed: Counter[str] = Counter()
    for _ in range(options.runs):
        order = random.permutation(table.size)
        reference = table.take(order[: options.reference_samples])
        up, said = False, list[Outcome]()
        for number in range(options.windows):
            first = options.reference_samples + number * settings.window_samples
            found = judge.judge(table.take(order[first : first + settings.window_samples]), reference)
            up |= rule.is_up(said, found.outcome)
            said.append(found.outcome)
            windows += found.outcome is Outcome.DRIFT
            blamed.update(one.feature for one in found.features if one.drifted)
        alarms += up
    return {
        "samples": table.size,
        "reference_samples": options.reference_samples,
        "window_samples": settings.window_samples,
        "windows": options.runs * options.windows,
        "windows_called_drifted": windows / (options.runs * options.windows),
        "runs": options.runs,
        "runs_with_an_alarm": alarms,
        "features": dict(blamed),
    }


if __name__ == "__main__":
    main()
