"""``python -m benchmarks``: measure, write the page, and fail where a ratio is not met."""

from __future__ import annotations

import argparse
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
from modelserve.bench import running


def main() -> int:
    """Run the measures; 0 where all that was measured is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="measures to take (all)")
    parser.add_argument("--quick", action="store_true", help="see that all works; the figures mean nothing")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the page (docs/benchmarks; of a part or a quick run, .bench/report)",
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
    }
    claims: list[Claim] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        # Through JSON, so that a page is written from just what its results.json holds.
        result = json.loads(json.dumps(running.run(MEASURES[name].measure(options))))
        results["measures"][name] = result
        claims += MEASURES[name].claims(result)
        print("\n".join(MEASURES[name].table(result)), flush=True)
        report.write(folder, results, claims)
    _draw(folder)
    for claim in claims:
        print(f"{'met    ' if claim.is_met else 'NOT MET'}  {claim}")
    return 0 if all(claim.is_met for claim in claims) else 1


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
