"""The branch that a cluster follows: real Git, with a remote on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

OLD, NEW = (f"registry.example.com/modelserve-prod/bert-ner@sha256:{digit * 64}" for digit in "ab")
OTHER = f"registry.example.com/modelserve-prod/resnet-classifier@sha256:{'c' * 64}"
PATH = "inferenceservices/overlays/prod/bert-ner.yaml"
BRANCH = "deploy/prod"


def image_of(patch: str) -> list[str]:
    return [one["value"] for one in yaml.safe_load(patch) if one["path"] == "/spec/predictor/model/image"]


def deploy(checkout: Any, commit: str, image: str) -> str:
    done = checkout.run("deploy_branch.py", "deploy", "prod", commit, f"bert-ner={image}")
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip())


def test_a_deployment_is_the_commits_tree_with_the_image_and_without_workflows(checkout: Any) -> None:
    released = checkout.commit(notes_txt="one")
    commit = deploy(checkout, released, OLD)
    assert checkout.git("ls-remote", "origin", f"refs/heads/{BRANCH}").split()[0] == commit
    assert image_of(checkout.at_remote(BRANCH, PATH)) == [OLD]
    changed = checkout.git("diff", "--name-status", released, commit).splitlines()
    assert changed == ["D\t.github/workflows/ci.yml", f"M\t{PATH}"]
    # What the checkout has, a job's later steps run.
    assert checkout.git("status", "--porcelain") == ""


def test_what_was_there_in_the_overlay_stays(checkout: Any) -> None:
    before = yaml.safe_load((checkout.folder / PATH).read_text())
    deploy(checkout, "HEAD", OLD)
    assert yaml.safe_load(checkout.at_remote(BRANCH, PATH))[: len(before)] == before


def test_an_image_that_main_names_is_replaced(checkout: Any) -> None:
    deploy(checkout, "HEAD", OLD)
    released = checkout.commit(
        **{PATH.replace("/", "__").replace(".", "_"): checkout.at_remote(BRANCH, PATH)}
    )
    deploy(checkout, released, NEW)
    assert image_of(checkout.at_remote(BRANCH, PATH)) == [NEW]


def test_deployments_follow_each_other(checkout: Any) -> None:
    first = deploy(checkout, "HEAD", OLD)
    second = deploy(checkout, checkout.commit(notes_txt="two"), NEW)
    assert checkout.git("rev-list", second).split() == [second, first]


def test_the_same_again_is_no_mistake_and_an_older_one_is(checkout: Any) -> None:
    older, newer = checkout.git("rev-parse", "HEAD"), checkout.commit(notes_txt="two")
    deploy(checkout, newer, OLD)
    deploy(checkout, newer, OLD)
    done = checkout.run("deploy_branch.py", "deploy", "prod", older, f"bert-ner={NEW}")
    assert (done.returncode, image_of(checkout.at_remote(BRANCH, PATH))) == (1, [OLD])
    assert newer in done.stderr


def test_a_service_is_taken_back_alone(checkout: Any) -> None:
    def both(commit: str, image: str, other: str) -> Any:
        images = [f"bert-ner={image}", f"resnet-classifier={other}"]
        return checkout.run("deploy_branch.py", "deploy", "prod", commit, *images).stdout.strip()

    both("HEAD", OLD, OTHER.replace("c", "d"))
    deployed = both(checkout.commit(notes_txt="two"), NEW, OTHER)
    done = checkout.run("deploy_branch.py", "revert", "prod", deployed, "bert-ner")
    assert done.returncode == 0, done.stderr
    assert image_of(checkout.at_remote(BRANCH, PATH)) == [OLD]
    assert image_of(checkout.at_remote(BRANCH, PATH.replace("bert-ner", "resnet-classifier"))) == [OTHER]
    assert checkout.at_remote(BRANCH, "notes.txt") == "two"


def test_nothing_is_taken_back_from_a_later_deployment(checkout: Any) -> None:
    deploy(checkout, "HEAD", OLD)
    deployed = deploy(checkout, checkout.commit(notes_txt="two"), NEW)
    later = deploy(checkout, checkout.commit(notes_txt="three"), NEW)
    done = checkout.run("deploy_branch.py", "revert", "prod", deployed, "bert-ner")
    assert done.returncode == 1
    assert "has gone on since" in done.stderr
    assert checkout.git("ls-remote", "origin", f"refs/heads/{BRANCH}").split()[0] == later


def test_there_is_nothing_before_the_first(checkout: Any) -> None:
    first = deploy(checkout, "HEAD", OLD)
    done = checkout.run("deploy_branch.py", "revert", "prod", first, "bert-ner")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is the first deployment to prod" in done.stderr


def test_what_was_pushed_in_between_is_not_overwritten(checkout: Any) -> None:
    deploy(checkout, "HEAD", OLD)
    # Another job pushes while this one is on its way: at the moment when this one pushes.
    hook = checkout.folder / ".git" / "hooks" / "pre-push"
    hook.write_text(
        f"#!/bin/sh\nexport GIT_DIR={checkout.remote}\n"
        f"git update-ref refs/heads/{BRANCH} $(git rev-parse refs/heads/main)\n"
    )
    hook.chmod(0o755)
    released = checkout.git("rev-parse", "HEAD")
    done = checkout.run("deploy_branch.py", "deploy", "prod", released, f"bert-ner={NEW}")
    assert done.returncode == 1
    assert checkout.git("ls-remote", "origin", f"refs/heads/{BRANCH}").split()[0] == released


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["deploy", "prod", "HEAD", "bert-ner=modelserve/bert-ner:0.1.0"], 1, "no image by digest"),
        (
            ["deploy", "prod", "HEAD", f"nobody={OLD}"],
            1,
            "has no inferenceservices/overlays/prod/nobody.yaml",
        ),
        (["deploy", "prod", "nosuch", f"bert-ner={OLD}"], 1, "failed with exit status"),
        (["deploy", "prod", "HEAD", OLD], 2, "is not SERVICE=IMAGE"),
        (["deploy", "prod", "HEAD"], 2, "usage:"),
    ],
)
def test_refusals(checkout: Any, arguments: list[str], status: int, sentence: str) -> None:
    done = checkout.run("deploy_branch.py", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.git("ls-remote", "origin", f"refs/heads/{BRANCH}") == ""


def test_git_signs_in_with_the_jobs_token(checkout: Any, tmp_path: Path) -> None:
    # A remote that asks who is there: what Git answers is what its helper said.
    asked = tmp_path / "asked"
    helper = tmp_path / "git-remote-asking"
    helper.write_text(
        f'#!/bin/sh\nprintf "protocol=https\\nhost=h\\n\\n" | git credential fill >{asked}\nexit 1\n'
    )
    helper.chmod(0o755)
    checkout.git("remote", "set-url", "origin", "asking::there")
    path = subprocess.run(["printenv", "PATH"], capture_output=True, text=True, check=True).stdout.strip()
    checkout.environment = {"GITHUB_TOKEN": "a-token", "PATH": f"{tmp_path}:{path}"}
    checkout.run("deploy_branch.py", "deploy", "prod", "HEAD", f"bert-ner={OLD}")
    assert {"username=x-access-token", "password=a-token"} <= set(asked.read_text().split())


def test_a_release_deploys_both_predictors(checkout: Any, tmp_path: Path) -> None:
    references = tmp_path / "references"
    references.mkdir()
    for name, image in {"bert-ner": NEW, "resnet-classifier": OTHER}.items():
        (references / f"{name}-gpu.reference").write_text(f"{image}\n")
    done = checkout.run("deploy_release.sh", "prod", "HEAD", "gpu", references)
    assert done.returncode == 0, done.stderr
    tip = checkout.git("ls-remote", "origin", f"refs/heads/{BRANCH}").split()[0]
    assert done.stdout == f"commit={tip}\n"
    assert image_of(checkout.at_remote(BRANCH, PATH)) == [NEW]
    assert image_of(checkout.at_remote(BRANCH, PATH.replace("bert-ner", "resnet-classifier"))) == [OTHER]
    done = checkout.run("deploy_release.sh", "prod", "HEAD", "cpu", references)
    assert done.returncode != 0
