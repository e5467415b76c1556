"""What the documents about AWS tell people to type exists, and the first call is answered."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"
DOCUMENTS = (
    ROOT / "docs" / "guides" / "aws.md",
    TERRAFORM / "environments" / "README.md",
    TERRAFORM / "README.md",
)
GUIDE = DOCUMENTS[0].read_text("utf-8")
# What a reader makes on the way.
MADE = {
    "terraform/environments/backend.hcl",
    "terraform/environments/dev/terraform.tfvars",
    "terraform/environments/dev/dev.tfplan",
}
FIRST_BLOCK = {
    "$root": "terraform/environments/dev",
    "$overlay": "inferenceservices/overlays/dev",
    "$environment": "dev",
}


def blocks_of(text: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block_with(words: str) -> str:
    (found,) = (block for block in blocks_of(GUIDE) if words in block)
    return found


def read(text: str) -> str:
    for name, value in FIRST_BLOCK.items():
        text = text.replace(name, value)
    return text


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> tuple[Path, str]:
    return request.param, request.param.read_text("utf-8")


def test_bash_reads_every_block(document: tuple[Path, str]) -> None:
    for block in blocks_of(document[1]):
        bash = shutil.which("bash")
        assert bash is not None
        done = subprocess.run([bash, "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_outputs_are_the_environments(document: tuple[Path, str]) -> None:
    known = re.findall(
        r'^output "([a-z_]+)"', (TERRAFORM / "environments" / "dev" / "outputs.tf").read_text(), re.M
    )
    asked = re.findall(r"\boutput -(?:raw|json) (\w+)", document[1])
    assert set(asked) <= set(known)


def test_the_guide_asks_for_outputs() -> None:
    assert re.findall(r"\boutput -(?:raw|json) (\w+)", GUIDE)


def test_variables_are_the_environments() -> None:
    known = re.findall(
        r'^variable "([a-z_]+)"', (TERRAFORM / "environments" / "dev" / "variables.tf").read_text(), re.M
    )
    example = (TERRAFORM / "environments" / "terraform.tfvars.example").read_text()
    assert set(re.findall(r"^(\w+) *=", example, re.M)) <= set(known)
    told = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", DOCUMENTS[1].read_text("utf-8"), re.M)
    assert set(re.findall(r"\w+", " ".join(told))) == set(known) - {"region"}


def test_paths_targets_and_options_are_there(document: tuple[Path, str]) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M)
    for block in blocks_of(document[1]):
        for word in shlex.split(read(block).replace("-chdir=", ""), comments=True):
            if re.match(r"(terraform|scripts|samples|inferenceservices|docs)/[\w./-]+$", word):
                assert (ROOT / word).exists() or word in MADE, word
        for target in re.findall(r"\bmake ([a-z-]+)", block):
            assert target in targets, target
    for target in re.findall(r"`make ([a-z-]+)`", document[1]):
        assert target in targets, target


def test_links_lead_somewhere(document: tuple[Path, str]) -> None:
    path, text = document
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, link


def test_of_every_chart_of_the_platform_it_is_told_where_it_is_from() -> None:
    text = (TERRAFORM / "modules" / "platform" / "charts.tf").read_text()
    charts = set(re.findall(r"^    ([a-z-]+) = {\n      version ", text, re.M))
    assert "karpenter" in charts
    rows = re.findall(r"^\| (`[^|]+`) \| \[", GUIDE, re.M)
    assert set(re.findall(r"[a-z-]+", " ".join(rows))) == charts


def test_the_first_call_is_answered(server: Any) -> None:
    call = f"url=http://127.0.0.1:{server.http_port}\n" + block_with("curl --fail-with-body")
    done = subprocess.run(["bash", "-euc", call], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (entities,) = json.loads(done.stdout)["outputs"][0]["data"]
    assert [entity["text"] for entity in json.loads(entities)] == ["Angela Merkel", "Barack Obama", "Berlin"]
