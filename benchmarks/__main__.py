"""``python -m benchmarks``: measure, write the page, and fail where a ratio is not met."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.claims import Claim, Options
from benchmarks.contenders import CONTENDERS
from benchmarks.environments import NotInstalled, ensure
from benchmarks.measures import MEASURES
from benchmarks.places import DOCUMENTS, SCRATCH


def main() -> int:
    """Run the measures; 0 where all that was measured is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="measures to take (all)")
    parser.add_argument("--quick", action="store_true", help="see that all works; the figures mean nothing")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the page (docs/benchmarks; of a part or a quick run, .bench/report); with --only, "
        "what the page there has of other measures stays, where all else is equal",
    )
    arguments = parser.parse_args()
    names = arguments.only or list(MEASURES)
    whole = arguments.only is None and not arguments.quick
    folder: Path = arguments.output or (DOCUMENTS if whole else SCRATCH / "report")

    options = Options(threads=machine.pin(), quick=arguments.quick)
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "quick": arguments.quick,
        "threads": options.threads,
        "machine": machine.describe(),
        "versions": _versions(),
        "measures": {},
        "measured": {},
    }
    if not whole:
        _keep(folder, results)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        # Through JSON, so that a page is written from just what its results.json holds.
        result = json.loads(json.dumps(asyncio.run(MEASURES[name].measure(options))))
        results["measures"][name] = result
        results["measured"][name] = results["date"]
        print("\n".join(MEASURES[name].table(result)), flush=True)
        report.write(folder, results, _claims(results))
    _draw(folder)
    claims = _claims({"measures": {name: results["measures"][name] for name in names}})
    for claim in claims:
        print(f"{'met    ' if claim.is_met else 'NOT MET'}  {claim}")
    return 0 if all(claim.is_met for claim in claims) else 1


def _claims(results: dict[str, Any]) -> list[Claim]:
    found = results["measures"]
    return [claim for name in MEASURES if name in found for claim in MEASURES[name].claims(found[name])]


def _keep(folder: Path, results: dict[str, Any]) -> None:
    """Take over what an earlier run measured, if it was on the same processor with the same versions."""
    path = folder / "results.json"
    if not path.exists():
        return
    before = json.loads(path.read_text("utf-8"))
    is_alike = all(before[key] == results[key] for key in ("quick", "threads", "versions"))
    if is_alike and before["machine"]["processor"] == results["machine"]["processor"]:
        for key in ("measures", "measured"):
            results[key] = {name: before[key][name] for name in MEASURES if name in before[key]}


def _versions() -> dict[str, dict[str, str]]:
    found = {}
    for contender in CONTENDERS:
        try:
            found[contender.title] = machine.installed(contender.python(), contender.packages)
        except NotInstalled as error:
            found[contender.title] = {"not installed": str(error)}
    return found


def _draw(folder: Path) -> None:
    """Make the plots, if matplotlib can be had; the tables hold all that they show."""
    try:
        python = ensure("plots", Path(__file__).parent / "requirements.txt")
    except NotInstalled as error:
        print(f"no plots: {error}", file=sys.stderr)
        return
    subprocess.run([python, Path(__file__).parent / "plots.py", folder], check=True)


if __name__ == "__main__":
    sys.exit(main())
