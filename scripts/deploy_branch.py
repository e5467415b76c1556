#!/usr/bin/env python3
"""Writes the branch that an environment's cluster follows: a commit of main, with its images by digest.

Each deployment is one commit on ``deploy/ENVIRONMENT``: the tree of the commit that is released, in it the
image of each InferenceService, and without the workflows, which a job's own token may not push. Its parent is
the deployment before, so that nothing is merged and nothing pushed by force.

The image is written into the InferenceService and not into its ServingRuntime: a runtime's change makes a
revision of a service that nobody changed, with all calls at once.

Needs Git and Python alone, as a job with the right to write the repository installs nothing. GITHUB_TOKEN,
where it is set, is what Git signs in with, so that no checkout has to keep it on the disk.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGE = re.compile(r"[a-z0-9.:-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
_OPERATION = "- op: add\n  path: /spec/predictor/model/image\n  value: {}\n"
_WRITTEN = re.compile(_OPERATION.format(r"\S+"))
_RELEASED = "Released"
_SIGN_IN = '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'


class CannotDeploy(Exception):
    """What was asked for cannot be done; a sentence."""


def with_image(patch: str, image: str) -> str:
    """The JSON patch of an InferenceService, in YAML, with the image that its server has."""
    if not IMAGE.fullmatch(image):
        raise CannotDeploy(f"{image!r} is no image by digest: REGISTRY/NAME@sha256:…")
    operation = _OPERATION.format(image)
    if _WRITTEN.search(patch):
        return _WRITTEN.sub(operation, patch)
    return f"{patch.rstrip()}\n{operation}"


def deploy(branch: str, environment: str, released: str, images: dict[str, str]) -> str:
    """Commit and push; the commit. Each key of ``images`` is an InferenceService of the overlay."""
    released = _git("rev-parse", "--verify", f"{released}^{{commit}}")
    before = _tip(branch)
    last = _released(before) if before else ""
    # The same again is a run that is repeated. An older one would go back unasked.
    if last and last != released and _is_ancestor(released, last):
        raise CannotDeploy(f"{branch} has {last}, which is newer; to go back, revert the commit in main")
    tree = _tree(
        released,
        {
            path: with_image(_content(released, path), image)
            for path, image in ((_path(environment, service), image) for service, image in images.items())
        },
    )
    deployed = "".join(f"{service}: {image}\n" for service, image in sorted(images.items()))
    message = f"Deploy {released[:12]} to {environment}\n\n{deployed}\n{_RELEASED}: {released}\n"
    return _push(branch, tree, message, before)


def revert(branch: str, environment: str, deployed: str, services: list[str]) -> str:
    """Bring services back to what they were before a deployment; the commit.

    Refused where another deployment followed: what is there now is that one's to judge.
    """
    before = _tip(branch)
    if before != _git("rev-parse", "--verify", f"{deployed}^{{commit}}"):
        raise CannotDeploy(f"{branch} has gone on since {deployed}: nothing is reverted")
    parent = _git("rev-list", "--parents", "--max-count=1", before).partition(" ")[2]
    if not parent:
        raise CannotDeploy(f"{deployed} is the first deployment to {environment}: there is none before it")
    paths = [_path(environment, service) for service in services]
    tree = _tree(before, {path: _content(parent, path) for path in paths})
    message = (
        f"Take {', '.join(services)} back in {environment}\n\nThe canary of {before[:12]} did not pass.\n"
    )
    return _push(branch, tree, message, before)


def _path(environment: str, service: str) -> str:
    return f"inferenceservices/overlays/{environment}/{service}.yaml"


def _content(commit: str, path: str) -> str:
    try:
        return _git("show", f"{commit}:{path}") + "\n"
    except subprocess.CalledProcessError:
        raise CannotDeploy(f"{commit[:12]} has no {path}") from None


def _tip(branch: str) -> str:
    """The branch's commit at the remote, or nothing: a checkout of one commit has no other branch."""
    if not _git("ls-remote", "origin", f"refs/heads/{branch}"):
        return ""
    # With its history, which tells what was released before.
    _git("fetch", "--quiet", "origin", f"refs/heads/{branch}")
    return _git("rev-parse", "FETCH_HEAD")


def _released(commit: str) -> str:
    """What the last deployment in a branch's history released."""
    found = _git("log", f"--format=%(trailers:key={_RELEASED},valueonly)", commit)
    return found.partition("\n")[0]


def _is_ancestor(commit: str, of: str) -> bool:
    done = subprocess.run(["git", "merge-base", "--is-ancestor", commit, of], check=False)
    return done.returncode == 0


def _tree(commit: str, contents: dict[str, str]) -> str:
    """The tree of a commit with some files written, by an index of its own: the checkout stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git("read-tree", commit, **index)
        _git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", ".github", **index)
        for path, content in contents.items():
            blob = _git("hash-object", "-w", "--stdin", given=content)
            _git("update-index", "--cacheinfo", f"100644,{blob},{path}", **index)
        return _git("write-tree", **index)


def _push(branch: str, tree: str, message: str, before: str) -> str:
    commit = _git("commit-tree", tree, *([f"-p{before}"] if before else []), given=message)
    # A lease is no force here: it refuses what somebody else has pushed in between, to an absent branch too.
    lease = f"--force-with-lease=refs/heads/{branch}:{before}"
    _git("push", "--quiet", lease, "origin", f"{commit}:refs/heads/{branch}")
    return commit


def _git(*arguments: str, given: str | None = None, **environment: str) -> str:
    sign_in = ["-c", f"credential.helper={_SIGN_IN}"] if os.environ.get("GITHUB_TOKEN") else []
    done = subprocess.run(
        ["git", *sign_in, *arguments],
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip("\n")


def _image_of(argument: str) -> tuple[str, str]:
    service, separator, image = argument.partition("=")
    if not separator or not re.fullmatch(r"[a-z0-9-]+", service):
        raise argparse.ArgumentTypeError(f"{argument!r} is not SERVICE=IMAGE")
    return service, image


def main() -> int:
    """Print the commit. Exit status: 0, 1 where it cannot be done, 2 for bad usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    forth = actions.add_parser("deploy", help="deploy a commit with images")
    forth.add_argument("environment")
    forth.add_argument("commit", help="that is released")
    forth.add_argument("images", nargs="+", type=_image_of, metavar="SERVICE=IMAGE")
    back = actions.add_parser("revert", help="take services of the last deployment back")
    back.add_argument("environment")
    back.add_argument("commit", help="of the deployment")
    back.add_argument("services", nargs="+")
    options = parser.parse_args()
    branch = f"deploy/{options.environment}"
    try:
        if options.action == "deploy":
            print(deploy(branch, options.environment, options.commit, dict(options.images)))
        else:
            print(revert(branch, options.environment, options.commit, options.services))
    except CannotDeploy as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)} failed with exit status {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
