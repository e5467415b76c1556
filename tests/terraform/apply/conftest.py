"""The environments as they are applied to a stand-in of AWS, as a user would apply them.

All are applied at once, in one account, which is what most have: names that meet would be found out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from http_servers import free_ports

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"
STATES = "terraform-states"
ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Account:
    """The stand-in's only account."""

    url: str

    @property
    def variables(self) -> dict[str, str]:
        """With which the AWS provider and the state's backend come to the stand-in, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(s3={"addressing_style": "path"}),
        )

    def every(self, service: str, operation: str, key: str, **given: Any) -> list[Any]:
        """All pages of what a service lists."""
        pages = self.client(service).get_paginator(operation).paginate(**given)
        return [one for page in pages for one in page[key]]


@dataclass(frozen=True)
class Environment:
    """A copy of the repository's Terraform, in which one environment is applied."""

    name: str
    folder: Path
    account: Account

    @property
    def prefix(self) -> str:
        return f"modelserve-{self.name}"

    @property
    def domain(self) -> str:
        return f"{self.name}.example.com"

    @property
    def is_lasting(self) -> bool:
        """Whether it outlives a zone."""
        return self.name != "dev"

    def run(self, *arguments: str, accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """`terraform …` in the environment's folder.

        Raises:
            AssertionError: its exit status is none of those that are accepted.
        """
        done = subprocess.run(
            ["terraform", f"-chdir={self.folder}", *arguments, "-no-color"],
            env={**os.environ, **self.account.variables, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"},
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode in accepted, (
            f"{done.args}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr}"
        )
        return done

    def first_apply(self) -> None:
        plugins = os.environ.get("TERRAFORM_PLUGIN_DIR")
        self.run("init", "-backend-config=../backend.hcl", *([f"-plugin-dir={plugins}"] if plugins else []))
        self.run("apply", "-auto-approve")

    def planned(self, *arguments: str) -> dict[str, list[str]]:
        """What a plan would do, by address; nothing where nothing is to be done."""
        done = self.run("plan", "-detailed-exitcode", "-out=plan", *arguments, accepted=(0, 2))
        plan = json.loads(self.run("show", "-json", "plan").stdout)
        changes = {one["address"]: one["change"]["actions"] for one in plan["resource_changes"]}
        changes = {address: actions for address, actions in changes.items() if actions != ["no-op"]}
        assert bool(changes) == (done.returncode == 2), done.stdout
        return changes

    def outputs(self) -> dict[str, Any]:
        return {name: one["value"] for name, one in json.loads(self.run("output", "-json").stdout).items()}


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    (port,) = free_ports(1)
    account = Account(f"http://127.0.0.1:{port}")
    log = tmp_path_factory.mktemp("account") / "log"
    variables = {
        # AWS's own policies; and certificates that are issued in seconds, once their record is there.
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "MOTO_ACM_VALIDATION_WAIT": "1",
        "PYTHONPATH": str(ROOT / "tests" / "plugins"),
    }
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "aws_stand_in", "-p", str(port)],
            env={**os.environ, **variables},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(lambda: process.poll() is not None or _answers(account.url))
        assert process.poll() is None, log.read_text()
        account.client("s3").create_bucket(
            Bucket=STATES, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield account
    finally:
        process.terminate()
        process.wait(30)
    failures = [line for line in log.read_text().splitlines() if '" 500 ' in line or "Traceback" in line]
    assert not failures, "the stand-in failed: " + "\n".join(failures)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/data.json", timeout=60).is_success
    except httpx.TransportError:
        return False


def _wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until, "the stand-in of AWS did not start within two minutes"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def applying(
    account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Environment, Future[None]]]]:
    if shutil.which("terraform") is None:
        pytest.fail("terraform is not on the PATH; these tests apply with it")
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        environments = [_copy(name, account, tmp_path_factory.mktemp(name)) for name in ENVIRONMENTS]
        yield {one.name: (one, pool.submit(one.first_apply)) for one in environments}


def _copy(name: str, account: Account, folder: Path) -> Environment:
    """The repository's Terraform, with the files that a user writes."""
    shutil.copytree(
        ROOT / "terraform",
        folder / "terraform",
        ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "*.hcl"),
    )
    environments = folder / "terraform" / "environments"
    environment = Environment(name, environments / name, account)
    zone = account.client("route53").create_hosted_zone(Name=environment.domain, CallerReference=name)
    values = {
        "administrators_role_arn": "arn:aws:iam::123456789012:role/administrators",
        "client_cidrs": ["203.0.113.0/24"],
        "domain": environment.domain,
        "zone_id": zone["HostedZone"]["Id"].rpartition("/")[2],
        "emails": ["oncall@example.com"],
        "git_url": "https://git.example.com/modelserve/modelserve",
        # An account has one provider of GitHub's tokens.
        "github": {"push_subjects": ["repo:example/modelserve:ref:refs/heads/main"]} if name == "dev" else {},
    }
    (environment.folder / "terraform.tfvars.json").write_text(json.dumps(values))
    (environments / "backend.hcl").write_text(
        f'bucket = "{STATES}"\nregion = "{REGION}"\nuse_lockfile = true\nuse_path_style = true\n'
    )
    # The stand-in has no host for each bucket; what it cannot do is to fail soon.
    (environment.folder / "override.tf").write_text(
        'provider "aws" {\n  s3_use_path_style = true\n  max_retries = 5\n}\n'
    )
    return environment


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest, applying: Any) -> Environment:
    """One that has been applied."""
    environment, applied = applying[request.param]
    applied.result()
    assert isinstance(environment, Environment)
    return environment
