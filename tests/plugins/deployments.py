"""A checkout as a job of GitHub's has it, with a remote on this machine, and GitHub's API for issues.

A plugin, as several folders of tests use it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from http_servers import Request, answering

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
_PERSON = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A person"), ("EMAIL", "person@example.com"))
}


@dataclass
class Checkout:
    """A clone of ``remote``, on its branch main, with the manifests of this repository."""

    folder: Path
    remote: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A script of the repository, in the checkout."""
        path = SCRIPTS / script
        command = [sys.executable, path] if path.suffix == ".py" else [path]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env={**os.environ, **_PERSON, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        """What Git says in the checkout."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **_PERSON},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """A commit of main, at the remote too; in the names of files ``__`` is a slash, ``_`` a point."""
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def at_remote(self, branch: str, path: str) -> str:
        """A file as the cluster reads it."""
        return subprocess.run(
            ["git", "--git-dir", self.remote, "show", f"{branch}:{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """With a first commit of the manifests and of a workflow."""
    remote, folder = tmp_path / "remote.git", tmp_path / "checkout"
    for place, kind in ((remote, "--bare"), (folder, "--initial-branch=main")):
        subprocess.run(["git", "init", "--quiet", kind, place], check=True)
    made = Checkout(folder, remote)
    made.git("remote", "add", "origin", str(remote))
    shutil.copytree(ROOT / "inferenceservices", folder / "inferenceservices")
    made.commit(**{"_github__workflows__ci_yml": "name: CI\n"})
    return made


@dataclass
class Issues:
    """Issues of one repository.

    Attributes:
        listed: what there is.
        requests: what was asked, with its content.
        status: of each answer to what writes.
    """

    listed: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    status: int = 201
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def written(self) -> list[tuple[str, dict[str, Any]]]:
        """What was posted, and where."""
        return [(path, content) for method, path, content in self.requests if method == "POST"]


@pytest.fixture
def issues() -> Iterator[Issues]:
    """GitHub's API; ``environment`` has what a job's environment says of it."""
    made = Issues()

    def answer(request: Request) -> tuple[int, bytes]:
        content = json.loads(request.body) if request.body else {}
        made.requests.append((request.method, request.path, content))
        made.tokens.add(request.headers["Authorization"])
        if request.method == "GET":
            return 200, json.dumps(made.listed).encode()
        return made.status, json.dumps({"html_url": f"https://example.com{request.path}"}).encode()

    with answering(answer) as port:
        made.environment = {
            "GITHUB_API_URL": f"http://127.0.0.1:{port}",
            "GITHUB_REPOSITORY": "org/repo",
            "GITHUB_TOKEN": "a-token",
        }
        yield made
