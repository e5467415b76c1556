"""The examples' READMEs: their commands, and what they are said to print."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from modelserve.cli import main

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((ROOT / "examples").iterdir())


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)  # engines differ by less
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_gives_what_its_readme_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (folder / "README.md").read_text("utf-8")
    (command,) = re.findall(r"^    modelserve ((?:.*\\\n)*.*)", page, re.MULTILINE)
    (answer,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command.replace("\\\n", " "))) == 0
    assert rounded(json.loads(capsys.readouterr().out)) == rounded(json.loads(answer))


def test_documents_without_a_sentence_are_no_call(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(ROOT / "examples" / "document-batch")
    assert main(["pipeline", "run", folder, "--input", 'documents=[" ", ""]', "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["output"] == {"documents": [" ", ""], "counts": {}}
    assert [one["status"] for one in told["steps"] if one["step"] == "names"] == ["skipped"]
