#!/usr/bin/env python3
"""Opens an issue about what a workflow found, or adds to the one that is open about it.

Needs Python alone. GitHub's runner sets GITHUB_API_URL and GITHUB_REPOSITORY; the job gives GITHUB_TOKEN,
with ``issues: write``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

# GitHub's bound of a body is 65,536 characters.
MOST_CHARACTERS = 60_000
_TIMEOUT_SECONDS = 30.0


def call(method: str, path: str, content: dict[str, Any] | None = None) -> Any:
    """One call of the API, below the repository."""
    url = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    request = urllib.request.Request(
        url,
        method=method,
        data=None if content is None else json.dumps(content).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def report(title: str, label: str, body: str) -> str:
    """The address of the issue, or of the comment on it."""
    if len(body) > MOST_CHARACTERS:
        body = f"{body[:MOST_CHARACTERS]}\n\n… the rest is in the run's artifacts."
    query = urllib.parse.urlencode({"state": "open", "labels": label, "per_page": 100})
    for issue in call("GET", f"issues?{query}"):
        # The API counts pull requests as issues.
        if issue["title"] == title and "pull_request" not in issue:
            answer = call("POST", f"issues/{issue['number']}/comments", {"body": body})
            return str(answer["html_url"])
    return str(call("POST", "issues", {"title": title, "body": body, "labels": [label]})["html_url"])


def main() -> int:
    """Exit status: 0, 1 where GitHub refuses, 2 for bad usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--title", required=True, help="by which an open issue is found again")
    parser.add_argument("--label", required=True)
    parser.add_argument("body", type=Path, help="a file in Markdown")
    options = parser.parse_args()
    absent = [n for n in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN") if not os.environ.get(n)]
    if absent:
        parser.error(f"{', '.join(absent)}: not set in the environment")
    try:
        print(report(options.title, options.label, options.body.read_text("utf-8")))
    except urllib.error.HTTPError as error:
        print(f"GitHub answered {error.code} to {error.url}: {error.read().decode()}", file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
