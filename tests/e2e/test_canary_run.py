"""``modelserve canary run`` on a cluster: a Prometheus that scrapes the pods, and canaries with faults."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

MODEL = "bert-ner"


def run_canary(
    namespace: Any, source: list[str], policy: dict[str, Any], folder: Path
) -> tuple[int, list[dict[str, Any]]]:
    """The command's exit status, and what it said."""
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy))
    command = [sys.executable, "-m", "modelserve.cli", "canary", "run", MODEL, "--json"]
    command += [f"--namespace={namespace.name}", *source]
    command += [f"--policy={folder}/policy.yaml", f"--record={folder}/looks.jsonl"]
    command += [f"--report={folder}/page.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_good_model_goes_through_every_step(
    faulty_model: Any, prometheus: Any, quick_policy: dict[str, Any], tmp_path: Path
) -> None:
    source, (old, _) = [f"--prometheus={prometheus.url}"], faulty_model.revisions()
    with faulty_model.callers() as answers:
        time.sleep(10)
        faulty_model.bring("", share=0)
        status, said = run_canary(faulty_model.namespace, source, quick_policy, tmp_path)
        assert status == 0, said[-1]["reason"] + said[-1]["trouble"]
        time.sleep(5)
    phases = [one["phase"] for one in said if one["phase"] != "starting"]
    assert list(dict.fromkeys(phases)) == ["shifting", "watching", "promoting", "promoted"]
    assert {one["percent"] for one in said if one["phase"] == "watching"} >= {30, 60}
    stable, newest = faulty_model.revisions()
    assert stable == newest != old
    assert {code for _, code in answers} == {200}
    assert answers[-1][0] == newest
    assert len((tmp_path / "looks.jsonl").read_text().splitlines()) >= 8
    assert f"{newest} passed every check and was promoted" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("errors", "errors: "),
        ("crash", "the canary does not start: "),
    ],
)
def test_a_bad_one_goes_back_by_itself(
    fault: str,
    reason: str,
    faulty_model: Any,
    prometheus: Any,
    quick_policy: dict[str, Any],
    tmp_path: Path,
) -> None:
    source, (old, _) = [f"--prometheus={prometheus.url}"], faulty_model.revisions()
    with faulty_model.callers() as answers:
        time.sleep(10)
        faulty_model.bring(fault, share=0)
        began = time.monotonic()
        status, said = run_canary(faulty_model.namespace, source, quick_policy, tmp_path)
        assert status == 1, said[-1]["reason"] + said[-1]["trouble"]
        seconds = time.monotonic() - began
        time.sleep(3)
        after = len(answers)
        time.sleep(3)
    assert said[-1]["phase"] == "rolled_back"
    assert reason in said[-1]["reason"]
    assert {revision for revision, code in answers[after:]} == {old}
    assert {code for revision, code in answers if revision == old} == {200}
    print(f"{fault}: rolled back {seconds:.0f} s after it came; {said[-1]['reason']}")


def test_probes_find_a_fault_that_no_caller_has_met(
    faulty_model: Any, quick_policy: dict[str, Any], tmp_path: Path
) -> None:
    old, _ = faulty_model.revisions()
    tensors = [
        {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]} for text in faulty_model.texts
    ]
    probes = tmp_path / "probes.jsonl"
    probes.write_text("\n".join(json.dumps({"inputs": [tensor]}) for tensor in tensors))
    gateway = faulty_model.namespace.gateway
    source = [f"--probe={probes}", "--probe_rate=20", f"--probe_address={gateway.host}:{gateway.port}"]
    faulty_model.bring("labels", share=0)
    status, said = run_canary(faulty_model.namespace, source, quick_policy, tmp_path)
    assert status == 1, said[-1]["reason"] + said[-1]["trouble"]
    assert "label PER: " in said[-1]["reason"]
    assert faulty_model.revisions()[0] == old
