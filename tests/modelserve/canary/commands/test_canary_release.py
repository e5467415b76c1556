"""A release's canary, from ``modelserve canary run`` to what is in Git and in an issue afterwards."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelserve.canary.judge.measurements import Look
from modelserve.canary.sources.recorded import write_look

POLICY = """
steps: [{percent: 10, leastSeconds: 0}, {percent: 50, leastSeconds: 0}]
lookSeconds: 0.01
warmUp: {seconds: 0, requests: 0}
checks: {disabled: [latency, labels, confidence]}
"""
RUN = "https://example.com/runs/1"
OLD, NEW = (f"registry.example.com/bert-ner@sha256:{digit * 64}" for digit in "ab")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The folder of an environment's programs, with these sources in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "modelserve"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m modelserve.cli "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture
def run_canary(
    checkout: Any, programs: Path, watch: Callable[..., list[Look]], behaviour: Any, tmp_path: Path
) -> Callable[..., tuple[Any, Path]]:
    """Tries the service ``names`` as the deployment's job does; the folder is that of its artifacts."""

    def run(**faults: Any) -> tuple[Any, Path]:
        looks = watch(behaviour(**faults), looks=40, canary_calls=200, stable_calls=400)
        measurements, policy = tmp_path / "looks.jsonl", tmp_path / "policy.yaml"
        measurements.write_bytes(b"".join(write_look(look) for look in looks))
        policy.write_text(POLICY)
        artifacts = tmp_path / "canaries"
        options = [f"--measurements={measurements}", f"--policy={policy}", "--wait_seconds=1"]
        return (
            checkout.run("run_canary.sh", programs, "names", artifacts / "canary-bert-ner", *options),
            artifacts,
        )

    return run


def deploy_twice(checkout: Any) -> str:
    for image in (OLD, NEW):
        commit = checkout.commit(notes_txt=image)
        done = checkout.run("deploy_branch.py", "deploy", "prod", commit, f"bert-ner={image}")
        assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def image(checkout: Any) -> str:
    written = checkout.at_remote("deploy/prod", "inferenceservices/overlays/prod/bert-ner.yaml")
    return OLD if OLD in written else NEW if NEW in written else written


def conclude(checkout: Any, issues: Any, commit: str, artifacts: Path, *services: str) -> Any:
    checkout.environment = issues.environment
    named = services or ("bert-ner",)
    return checkout.run("conclude_canaries.py", "prod", commit, artifacts, *named, "--run", RUN)


def test_what_is_promoted_stays(cluster: Any, checkout: Any, issues: Any, run_canary: Any) -> None:
    commit = deploy_twice(checkout)
    done, artifacts = run_canary(error_share=0.01)
    assert done.returncode == 0, done.stderr
    folder = artifacts / "canary-bert-ner"
    assert "promoted" in (folder / "report.html").read_text("utf-8")
    assert json.loads((folder / "lines.jsonl").read_text().splitlines()[-1])["phase"] == "promoted"
    assert conclude(checkout, issues, commit, artifacts).returncode == 0
    assert (image(checkout), issues.requests) == (NEW, [])


def test_what_is_rolled_back_is_taken_back_and_told(
    cluster: Any, checkout: Any, issues: Any, run_canary: Any
) -> None:
    commit = deploy_twice(checkout)
    done, artifacts = run_canary(error_share=0.2)
    assert (done.returncode, cluster.shares[-1]) == (1, 0)
    assert (artifacts / "canary-bert-ner" / "status").read_text() == "1\n"
    assert conclude(checkout, issues, commit, artifacts).returncode == 1
    assert image(checkout) == OLD
    ((path, content),) = issues.written
    assert (path, content["title"]) == ("/repos/org/repo/issues", "Canary in prod: not promoted")
    assert "**bert-ner** was rolled back." in content["body"]
    assert "`errors: fail" in content["body"]
    assert "`deploy/prod` was brought back for bert-ner by" in content["body"]
    assert RUN in content["body"]


def test_what_could_not_be_tried_is_taken_back(
    cluster: Any, checkout: Any, issues: Any, run_canary: Any
) -> None:
    commit = deploy_twice(checkout)
    cluster.newest = cluster.rolled_out
    done, artifacts = run_canary(error_share=0.01)
    assert done.returncode == 2
    assert conclude(checkout, issues, commit, artifacts).returncode == 1
    assert image(checkout) == OLD
    ((_, content),) = issues.written
    # The sentence of the command, without which nobody knows what to mend.
    assert " ".join(done.stderr.split())[:60] in content["body"]


@pytest.mark.parametrize("status", ["3\n", "130\n", None])
def test_what_somebody_else_moves_is_left(
    status: str | None, checkout: Any, issues: Any, tmp_path: Path
) -> None:
    commit = deploy_twice(checkout)
    folder = tmp_path / "canaries" / "canary-bert-ner"
    folder.mkdir(parents=True)
    (folder / "lines.jsonl").write_text('{"phase": "cana')
    if status is not None:
        (folder / "status").write_text(status)
    assert conclude(checkout, issues, commit, folder.parent).returncode == 1
    assert image(checkout) == NEW
    ((_, content),) = issues.written
    assert "Git is as it was deployed" in content["body"]


def test_one_service_fails_and_another_does_not(
    cluster: Any, checkout: Any, issues: Any, run_canary: Any
) -> None:
    commit = deploy_twice(checkout)
    _, artifacts = run_canary(error_share=0.2)
    other = artifacts / "canary-resnet-classifier"
    other.mkdir()
    (other / "status").write_text("0\n")
    assert conclude(checkout, issues, commit, artifacts, "bert-ner", "resnet-classifier").returncode == 1
    ((_, content),) = issues.written
    assert "**resnet-classifier** was promoted." in content["body"]
    assert "was brought back for bert-ner by" in content["body"]


def test_an_issue_that_is_refused_changes_no_verdict(
    cluster: Any, checkout: Any, issues: Any, run_canary: Any
) -> None:
    commit = deploy_twice(checkout)
    issues.status = 403
    _, artifacts = run_canary(error_share=0.2)
    done = conclude(checkout, issues, commit, artifacts)
    assert (done.returncode, image(checkout)) == (1, OLD)
    assert "GitHub answered 403" in done.stderr


def test_what_cannot_be_taken_back_is_told(cluster: Any, checkout: Any, issues: Any, run_canary: Any) -> None:
    commit = deploy_twice(checkout)
    _, artifacts = run_canary(error_share=0.2)
    later = checkout.commit(notes_txt="three")
    checkout.run("deploy_branch.py", "deploy", "prod", later, f"bert-ner={NEW}")
    assert conclude(checkout, issues, commit, artifacts).returncode == 1
    ((_, content),) = issues.written
    assert "Git could not be brought back for bert-ner" in content["body"]
    assert image(checkout) == NEW
