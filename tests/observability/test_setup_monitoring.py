"""The monitoring stack's setup, with programs that write down what they are asked: no chart is fetched."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "setup_monitoring.sh"
CHARTS = [
    line.split()
    for line in (ROOT / "observability" / "charts.txt").read_text().splitlines()
    if not line.startswith("#")
]
# A call is a file, named by its time, with what it was given and sent; Secrets that were made are known.
PROGRAM = """#!/usr/bin/env bash
set -eu
folder=$(dirname "$0")/calls
mkdir -p "$folder"
file=$folder/$(date +%s%N)-$$
printf '%s\\n' "$(basename "$0")" "$@" >"$file.arguments"
case "$(basename "$0") $*" in
  "kubectl kustomize "*)
    printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: %s}\\n' "${2##*/}" ;;
  "kubectl get secret "*)
    [ -e "$(dirname "$0")/secret-$3" ] ;;
  "kubectl get crd "*)
    [ -e "$(dirname "$0")/defined" ] ;;
  "helm list "*)
    cat "$(dirname "$0")/releases" 2>/dev/null || true ;;
  *" --filename -"*)
    cat >"$file.sent"
    name=$(sed -n 's/^metadata: {name: \\([a-z-]*\\), namespace.*/\\1/p' "$file.sent" | head -1)
    [ -z "$name" ] || touch "$(dirname "$0")/secret-$name" ;;
esac
"""


@dataclass
class Machine:
    """A machine with a helm and a kubectl of the test's."""

    folder: Path
    programs: tuple[str, ...] = ("helm", "kubectl")
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.programs:
            program = self.folder / name
            program.write_text(PROGRAM)
            program.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}:/usr/bin:/bin" if self.programs else str(self.folder)
        done = subprocess.run(
            [str(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": path, "HOME": os.environ.get("HOME", "/"), **environment},
        )
        self.said += [done.stdout, done.stderr]
        return done

    @property
    def calls(self) -> list[list[str]]:
        return [p.read_text().splitlines() for p in sorted(self.folder.glob("calls/*.arguments"))]

    @property
    def sent(self) -> list[Any]:
        files = sorted(self.folder.glob("calls/*.sent"))
        return [o for p in files for o in yaml.safe_load_all(p.read_text()) if o]

    def secrets(self, name: str) -> list[dict[str, str]]:
        """What was put into a Secret, time after time."""
        found = [o for o in self.sent if o["kind"] == "Secret" and o["metadata"]["name"] == name]
        return [
            {key: base64.b64decode(value).decode() for key, value in (one["data"] or {}).items()}
            for one in found
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [(), ("instal",), ("install", "--dry"), ("install", "uninstall"), ("--dry-run",), ("status", "x")],
    ids=" ".join,
)
def test_what_is_not_known_is_refused_with_what_is_accepted(
    arguments: tuple[str, ...], machine: Machine
) -> None:
    done = machine.run(*arguments)
    assert done.returncode == 2
    assert "accepted are install, status or uninstall, and --dry-run" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not machine.calls


def test_help_is_the_head_of_the_script(machine: Machine) -> None:
    done = machine.run("--help")
    assert done.returncode == 0
    assert "usage: scripts/setup_monitoring.sh install|status|uninstall [--dry-run]" in done.stdout
    assert "set -euo" not in done.stdout


def test_charts_are_installed_in_their_versions(machine: Machine) -> None:
    assert machine.run("install").returncode == 0
    installed = [call for call in machine.calls if call[:3] == ["helm", "upgrade", "--install"]]
    assert [call[3] for call in installed] == [release for release, *_ in CHARTS]
    for call, (release, repository, chart, version, values) in zip(installed, CHARTS, strict=True):
        options = dict(pairwise(call[5:]))
        assert call[3:5] == [release, chart]
        assert (options["--repo"], options["--version"]) == (repository, version)
        assert options["--values"] == values
        assert options["--namespace"] == "monitoring"
        assert (ROOT / "observability" / values).is_file()


def test_versions_are_whole_and_stand_in_one_file(machine: Machine) -> None:
    for *_, version, _ in CHARTS:
        assert all(part.isdigit() for part in version.split(".")), version
    for file in (SCRIPT, *(ROOT / "observability" / values for *_, values in CHARTS)):
        assert not [version for *_, version, _ in CHARTS if version in file.read_text()], file


def test_what_charts_refer_to_is_there_before_them_and_monitors_after(machine: Machine) -> None:
    machine.run("install")
    calls = [" ".join(call[:3]) for call in machine.calls]
    first = calls.index("helm upgrade --install")
    last = len(calls) - 1 - calls[::-1].index("helm upgrade --install")
    for folder in ("alertmanager", "alloy", "jaeger", "otel-collector"):
        assert calls.index(f"kubectl kustomize {folder}") < first
    assert calls.index("kubectl kustomize prometheus") > last
    assert "kubectl apply --server-side" in calls[last:]
    kinds = [one["kind"] for one in machine.sent]
    assert kinds[0] == "Namespace"
    rules = list((ROOT / "observability" / "prometheus" / "rules").glob("*.yaml"))
    assert kinds.count("PrometheusRule") == len(rules)


def test_the_password_is_random_and_never_shown(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Machine(tmp_path_factory.mktemp("other"))
    passwords = []
    for one in (machine, other):
        for arguments in (("install",), ("install",), ("status",), ("install", "--dry-run"), ("uninstall",)):
            one.run(*arguments)
        # Made once, however often it is installed.
        (secret,) = one.secrets("grafana-admin")
        assert secret["admin-user"] == "admin"
        assert len(base64.b64decode(secret["admin-password"])) == 24
        passwords.append(secret["admin-password"])
        shown = "".join(one.said) + json.dumps(one.calls)
        for form in (secret["admin-password"], base64.b64encode(secret["admin-password"].encode()).decode()):
            assert form not in shown
    assert passwords[0] != passwords[1]


def test_keys_of_receivers_come_from_the_environment_and_stay(machine: Machine) -> None:
    machine.run("install")
    assert machine.secrets("alertmanager-receivers") == [{}]
    machine.run("install", PAGERDUTY_ROUTING_KEY="one-key")
    machine.run("install", SLACK_API_URL="another-key")
    assert machine.secrets("alertmanager-receivers") == [
        {},
        {"pagerduty_routing_key": "one-key"},
        {"slack_api_url": "another-key"},
    ]
    managers = {c[i + 1] for c in machine.calls for i, a in enumerate(c) if a == "--field-manager"}
    # Server-side apply takes away what its manager does not name any more: each key has its own.
    assert managers == {"modelserve-pagerduty_routing_key", "modelserve-slack_api_url"}
    shown = "".join(machine.said) + json.dumps(machine.calls)
    assert "one-key" not in shown
    assert "another-key" not in shown


def test_installing_again_asks_for_the_same(machine: Machine) -> None:
    machine.run("install")
    first = machine.calls
    machine.run("install")
    again = machine.calls[len(first) :]
    # Both ends of a pipe begin at once.
    made = ["kubectl", "create", "--filename", "-"]
    assert sorted(again) == sorted(call for call in first if call != made)


@pytest.mark.parametrize("verb", ["install", "status", "uninstall"])
def test_a_dry_run_asks_no_cluster(verb: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path, programs=("kubectl",))
    done = machine.run(verb, "--dry-run", PAGERDUTY_ROUTING_KEY="one-key")
    assert done.returncode == 0, done.stderr
    assert {tuple(call[:2]) for call in machine.calls} <= {("kubectl", "kustomize")}
    assert "one-key" not in done.stdout
    if verb == "install":
        for release, repository, chart, version, values in CHARTS:
            wanted = f"{release} {chart} --repo {repository} --version {version} "
            assert f"+ helm upgrade --install {wanted}" in done.stdout
            assert f"--values {values} " in done.stdout
        assert "made at random" in done.stdout
        assert "kind: PrometheusRule" in done.stdout


def releases(*, but: str = "", version: str | None = None) -> str:
    head = "NAME\tNAMESPACE\tREVISION\tUPDATED\tSTATUS\tCHART\tAPP VERSION\n"
    return head + "".join(
        f"{release}\tmonitoring\t1\t2026-11-27 05:00:00.1 +0000 UTC\tdeployed\t{chart}-{version or right}\t\n"
        for release, _, chart, right, _ in CHARTS
        if release != but
    )


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (releases(), 0),
        (releases(but="loki"), 1),
        (releases(version="1.0.0"), 1),
        (releases().replace("deployed", "failed"), 1),
        ("", 1),
    ],
    ids=["all", "one is missing", "other versions", "failed", "none"],
)
def test_status_says_whether_all_is_there(told: str, status: int, machine: Machine) -> None:
    (machine.folder / "releases").write_text(told)
    done = machine.run("status")
    assert done.returncode == status, done.stdout + done.stderr
    for release, _, chart, version, _ in CHARTS:
        assert f"{release}: {chart} {version} is " in done.stdout


def test_uninstalling_takes_all_away_but_data(machine: Machine) -> None:
    (machine.folder / "defined").touch()
    done = machine.run("uninstall")
    assert done.returncode == 0, done.stderr
    removed = [call for call in machine.calls if call[:2] == ["helm", "uninstall"]]
    assert [call[2] for call in removed] == [release for release, *_ in reversed(CHARTS)]
    assert all("--ignore-not-found" in call for call in removed)
    gone = {one["metadata"]["name"] for one in machine.sent}
    assert {"prometheus", "alertmanager", "alloy", "otel-collector", "modelserve-slo"} <= gone
    assert "jaeger" not in gone
    assert "left: the namespace monitoring" in done.stdout


def test_uninstalling_where_nothing_is_is_no_error(machine: Machine) -> None:
    done = machine.run("uninstall")
    assert done.returncode == 0, done.stderr
    assert not [one for one in machine.sent if one["kind"] == "PrometheusRule"]


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("bash", "env", "dirname"):
        (bare / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        [str(SCRIPT), "install"], capture_output=True, text=True, check=False, env={"PATH": str(bare)}
    )
    assert done.returncode == 2
    assert "kubectl is needed on PATH" in done.stderr
