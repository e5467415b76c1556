#!/usr/bin/env python3
"""Draws the consequence of canaries: Git goes back where the traffic did, and an issue tells why.

``modelserve canary run`` has moved the traffic already. What is left is the branch that the cluster follows,
which is not to name what nobody serves. Needs Git and Python alone, beside its two neighbours in scripts/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPTS = Path(__file__).resolve().parent
_MEANINGS = {
    0: "promoted",
    1: "rolled back",
    2: "not tried: bad usage, no new revision, or the old one is not measured",
    3: "superseded: another change came in between",
}
# With 2 the new revision has no calls. With 3, or without a verdict, the traffic is as somebody else left it.
_TAKEN_BACK = (1, 2)


@dataclass(frozen=True)
class Canary:
    """How one service's canary ended; the status is None where it left none."""

    service: str
    status: int | None
    last: str
    findings: list[str]

    @property
    def meaning(self) -> str:
        """In words."""
        if self.status is None:
            return "without a verdict: the run left none"
        return _MEANINGS.get(
            self.status, f"interrupted (status {self.status}): the traffic is as it was left"
        )


def read(folder: Path, service: str) -> Canary:
    """What ``scripts/run_canary.sh`` has left in a folder, if anything."""
    status = folder / "status"
    lines = _text(folder / "lines.jsonl").splitlines()
    # The last line may be half of one, where the runner was stopped.
    events = [event for event in map(_event, lines) if event]
    last = events[-1] if events else {}
    judged = [event["findings"] for event in events if event["findings"]]
    findings = judged[-1] if judged else []
    return Canary(
        service,
        int(status.read_text()) if status.exists() else None,
        str(last.get("reason") or _text(folder / "errors.txt").strip()[-2000:]),
        [f"{one['check']}: {one['verdict']}, {one['reason']}" for one in findings],
    )


def issue(environment: str, commit: str, canaries: list[Canary], run: str, reverted: str) -> str:
    """The issue's text, in Markdown."""
    lines = [f"Of the deployment {commit} to {environment}:", ""]
    for one in canaries:
        lines.append(
            f"- **{one.service}** was {one.meaning}." + (f" {_quoted(one.last)}" if one.last else "")
        )
        lines += [f"  - {_quoted(finding)}" for finding in one.findings]
    return "\n".join(
        [*lines, "", reverted, "", f"The pages and the measurements are with the run: {run}", ""]
    )


def main() -> int:
    """Exit status: 0 where each canary was promoted, else 1; 2 for bad usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("environment")
    parser.add_argument("commit", help="of the deployment, as deploy_branch.py printed it")
    parser.add_argument("folder", type=Path, help="has a folder canary-SERVICE for each service")
    parser.add_argument("services", nargs="+")
    parser.add_argument("--run", required=True, metavar="URL", help="of the run that has the pages")
    options = parser.parse_args()

    canaries = [read(options.folder / f"canary-{service}", service) for service in options.services]
    for one in canaries:
        print(f"{one.service}: {one.meaning}")
    if all(one.status == 0 for one in canaries):
        return 0
    reverted = _take_back(
        options.environment,
        options.commit,
        [one.service for one in canaries if one.status in _TAKEN_BACK],
    )
    body = options.folder / "issue.md"
    body.write_text(issue(options.environment, options.commit, canaries, options.run, reverted), "utf-8")
    title = f"Canary in {options.environment}: not promoted"
    # Whether GitHub takes the issue makes no difference to the verdict.
    _run("report_issue.py", "--title", title, "--label", "canary", str(body))
    return 1


def _take_back(environment: str, commit: str, services: list[str]) -> str:
    if not services:
        return "Git is as it was deployed: look at what the cluster has before you change either."
    done = _run("deploy_branch.py", "revert", environment, commit, *services)
    if done.returncode:
        return f"Git could not be brought back for {', '.join(services)}: {done.stderr.strip()}"
    return f"`deploy/{environment}` was brought back for {', '.join(services)} by {done.stdout.strip()}."


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_SCRIPTS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) and "findings" in event else {}


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _quoted(text: str) -> str:
    """As code, on one line: a label's name in a reason may be anything, a mention of somebody too."""
    return "`" + " ".join(text.split()).replace("`", "'") + "`"


if __name__ == "__main__":
    sys.exit(main())
