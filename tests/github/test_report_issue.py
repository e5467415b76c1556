"""Issues by GitHub's API, which a server of this machine stands in for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "report_issue.py"
TITLE = "Something is worse"


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body.md"
    path.write_text("It is **worse**.")
    return path


def report(body: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, "--title", TITLE, "--label", "nightly", body],
        env={**{k: v for k, v in os.environ.items() if not k.startswith("GITHUB_")}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "listed", [[], [{"title": "Another", "number": 1}], [{"title": TITLE, "number": 2, "pull_request": {}}]]
)
def test_an_issue_is_opened(issues: Any, body: Path, listed: list[dict[str, Any]]) -> None:
    issues.listed = listed
    done = report(body, issues.environment)
    assert (done.returncode, done.stdout) == (0, "https://example.com/repos/org/repo/issues\n"), done.stderr
    assert issues.written == [
        ("/repos/org/repo/issues", {"title": TITLE, "body": "It is **worse**.", "labels": ["nightly"]})
    ]
    assert issues.tokens == {"Bearer a-token"}


def test_an_open_one_of_that_title_is_added_to(issues: Any, body: Path) -> None:
    issues.listed = [{"title": "Another", "number": 1}, {"title": TITLE, "number": 7}]
    assert report(body, issues.environment).returncode == 0
    assert issues.written == [("/repos/org/repo/issues/7/comments", {"body": "It is **worse**."})]


def test_a_body_keeps_to_githubs_bound(issues: Any, body: Path) -> None:
    body.write_text("é" * 100_000)
    assert report(body, issues.environment).returncode == 0
    ((_, content),) = issues.written
    assert len(content["body"]) < 65_536
    assert content["body"].endswith("the rest is in the run's artifacts.")


def test_what_github_refuses_is_told(issues: Any, body: Path) -> None:
    issues.status = 403
    done = report(body, issues.environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "GitHub answered 403" in done.stderr


def test_nobody_answers(issues: Any, body: Path) -> None:
    done = report(body, {**issues.environment, "GITHUB_API_URL": "http://127.0.0.1:9"})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_what_is_not_set_is_told(body: Path) -> None:
    done = report(body, {})
    assert done.returncode == 2
    assert "GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN: not set" in done.stderr
