"""Commands in all documents, also those that want a cluster: their options, files and targets are there."""

from __future__ import annotations

import io
import re
import subprocess
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import pytest

from modelserve.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
]
# What follows on the program, in its line and before what a shell would do with it.
COMMAND = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?modelserve ([a-z][^\n|;&#]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def _code(text: str) -> str:
    """What is in fenced blocks, indented blocks and code spans, continued lines made one."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    indented = re.findall(r"^ {4,}\S.*$", text, re.M)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    whole = "\n".join([*fenced, *indented, *(" ".join(span.split()) for span in spans)])
    return re.sub(r"\\\n\s*", "", whole)


@cache
def _help(*command: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        main([*command, "--help"])
    return said.getvalue()


def _subcommand(line: str) -> tuple[str, ...]:
    """The words that name a command; those after them are names of files and services."""
    words = re.match(r"[a-z]*(?: [a-z]+(?= |$))*", line)
    name = words[0].split() if words else []
    while name and not _help(*name).startswith(f"usage: modelserve {' '.join(name)} "):
        name.pop()
    return tuple(name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_are_those_of_their_command(document: Path) -> None:
    for line in COMMAND.findall(_code(document.read_text("utf-8"))):
        options, command = set(OPTION.findall(line)), _subcommand(line)
        assert command or not options, f"modelserve {line} is no command"
        assert options <= set(OPTION.findall(_help(*command))), f"modelserve {line}"


def test_make_targets_are_there() -> None:
    rules = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    targets = set(rules)
    assert len(rules) == len(targets), "a target has two recipes"
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:^|[`\s])make ([a-z][a-z0-9-]*)\b", _code(document.read_text("utf-8")))
    }
    assert {"run", "test", "e2e"} <= named
    assert named <= targets


def test_scripts_are_there() -> None:
    for document in DOCUMENTS:
        for script in re.findall(r"(?<![\w/.])scripts/[\w.]+\w", _code(document.read_text("utf-8"))):
            assert (ROOT / script).is_file(), f"{document}: {script}"
