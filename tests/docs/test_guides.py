"""The guides' commands, run from the first to the last as a reader would, beside what `make run` starts.

A block in bash or Python is run, and the block of text after it is what it prints: each of its lines is one
of the output's, where `…` stands for anything. What wants a cluster has no language, and test_commands.py
looks at it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from documents import Block, blocks
from http_servers import free_ports

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
RUN = ("first-model", "your-model", "canary-plan", "drift-report", "cost", "serving")
"""Those with commands that need no cluster."""

MARK = "--- the end of a block ---"
PORT = re.compile(r"\b80[89]\d\b")


@pytest.fixture(scope="module")
def ports() -> Callable[[str], str]:
    """Puts free ports in the place of a text's, the same for the same."""
    numbers = [str(port) for port in range(8080, 8100)]
    free = dict(zip(numbers, map(str, free_ports(len(numbers))), strict=True))
    return lambda text: PORT.sub(lambda found: free[found[0]], text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone with an environment, and may be written to."""
    folder = tmp_path_factory.mktemp("clone")
    for name in subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        (folder / name).symlink_to(ROOT / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in {"python": "", "modelserve": "-m modelserve.cli "}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {command}"$@"\n')
        (programs / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def running(clone: Path, ports: Callable[[str], str]) -> Iterator[None]:
    """What `make run` starts once its environment is made."""
    command = ["scripts/run_local.sh", str(clone / ".venv/bin"), *map(ports, ("8080", "8081", "8082"))]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            _wait_for(ports("http://localhost:8080/v2/health/ready"))
            _wait_for(ports("http://localhost:8082/health/ready"))
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)


def _wait_for(url: str) -> None:
    for _ in range(240):
        with suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.5)
    raise AssertionError(f"{url} is not ready after two minutes")


def test_every_guide_is_listed() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (GUIDES / "README.md").read_text("utf-8"))
    assert set(RUN) <= set(listed)
    assert {path.stem for path in GUIDES.glob("*.md")} - {"README"} == set(listed)


@pytest.mark.parametrize("name", RUN)
def test_a_guide_says_what_happens(
    name: str, clone: Path, ports: Callable[[str], str], running: None
) -> None:
    found = [block for block in blocks(GUIDES / f"{name}.md") if block.language in ("bash", "python", "text")]
    steps = list(_steps(found))
    assert any(said for _, said in steps), "no block says what it prints"
    script = clone / f"{name}.sh"
    script.write_text(ports("\n".join(f"{_shell(block)}\necho '{MARK}'\n" for block, _ in steps)), "utf-8")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", script],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    outputs = done.stdout.split(f"{MARK}\n")
    assert done.returncode == 0, f"after {len(outputs) - 1} blocks:\n{outputs[-1]}"
    for (_, said), output in zip(steps, outputs, strict=False):
        for line in ports(said).splitlines():
            pattern = ".*".join(map(re.escape, line.split("…")))
            assert re.search(rf"^{pattern}$", output, re.M), f"{line!r} is not in what was printed:\n{output}"


def _steps(found: list[Block]) -> Iterator[tuple[Block, str]]:
    """What is run, with what is printed by it."""
    for place, block in enumerate(found):
        if block.language != "text":
            after = found[place + 1] if place + 1 < len(found) else None
            yield block, after.text if after and after.language == "text" else ""


def _shell(block: Block) -> str:
    if block.language == "bash":
        return block.text
    return f".venv/bin/python - <<'PYTHON'\n{block.text}PYTHON"
