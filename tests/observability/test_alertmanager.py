"""Who is told of an alert, and of which not: by amtool and a real Alertmanager."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from http_servers import free_ports

ROOT = Path(__file__).parents[2]
FILE = ROOT / "observability" / "alertmanager" / "alertmanager.yaml"
CONFIG: dict[str, Any] = yaml.safe_load(FILE.read_text())
ALERTS: dict[str, str] = {
    rule["alert"]: rule["labels"]["severity"]
    for file in (ROOT / "observability" / "prometheus" / "rules").glob("*.yaml")
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
MODEL = {"namespace": "modelserve", "model": "bert-ner", "component": "predictor"}
REVISION = {**MODEL, "revision": "bert-ner-predictor-00002"}
KNATIVE = {"namespace": "modelserve", "revision": "bert-ner-predictor-00002"}
POD = {"namespace": "modelserve", "pod": "a"}


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_right() -> None:
    assert "SUCCESS" in amtool("check-config", str(FILE))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        *(
            ((f"alertname={name}", f"severity={severity}"), f"{severity}s")
            for name, severity in sorted(ALERTS.items())
        ),
        (("alertname=KubeNodeNotReady", "severity=warning"), "tickets"),
        (("alertname=KubeAPIDown", "severity=critical"), "pages"),
        (("alertname=Watchdog", "severity=none"), "nobody"),
        (("alertname=InfoInhibitor", "severity=none"), "nobody"),
        (("alertname=CPUThrottlingHigh", "severity=info"), "nobody"),
        (("alertname=Unheard",), "tickets"),
    ],
    ids=str,
)
def test_pages_wake_somebody_and_tickets_wait(labels: tuple[str, ...], receiver: str) -> None:
    found = amtool("config", "routes", "test", f"--config.file={FILE}", *labels)
    assert found.strip() == receiver


def test_no_key_is_written_here() -> None:
    receivers = [one for one in CONFIG["receivers"] if one["name"] != "nobody"]
    keys = {key for one in receivers for kind in one.values() for key in kind[0]}
    assert {key for key in keys if key.endswith("_file")} == {"routing_key_file", "api_url_file"}
    for name in ("routing_key:", "api_url:", "password:", "credentials:"):
        assert name not in FILE.read_text()


Post = Callable[..., dict[str, bool]]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Sends alerts to an Alertmanager with this configuration, and asks which are inhibited."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.fail("there is no Alertmanager on the PATH: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/api/v2"
    command = [program, f"--config.file={FILE}", f"--storage.path={folder}", "--cluster.listen-address="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    with httpx.Client(base_url=url, timeout=10) as client:
        _wait(lambda: _answers(client), folder / "log")
        number = 0

        def send(*alerts: dict[str, str]) -> dict[str, bool]:
            nonlocal number
            number += 1
            # Each test has a world of its own.
            mine = [{**one, "test": str(number)} for one in alerts]
            body = [{"labels": one, "annotations": {}} for one in mine]
            client.post("/alerts", json=body).raise_for_status()

            def found() -> dict[str, bool]:
                said = client.get("/alerts", params={"filter": f'test="{number}"'}).json()
                return {
                    one["labels"]["alertname"]: bool(one["status"]["inhibitedBy"])
                    for one in said
                    # Its state is found out when it is sent on.
                    if one["status"]["state"] != "unprocessed"
                }

            _wait(lambda: len(found()) == len(mine), folder / "log")
            answer = found()
            over = (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat()
            gone = [{"labels": one, "startsAt": "2026-01-01T00:00:00Z", "endsAt": over} for one in mine]
            client.post("/alerts", json=gone).raise_for_status()
            return answer

        yield send
    process.kill()
    process.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/status").is_success
    except httpx.HTTPError:
        return False


def _wait(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def alert(name: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": ALERTS[name], **labels}


FOLLOWS = [
    ("ModelServeErrorsBurnFast", MODEL, "ModelServeErrorsBurnSlow", MODEL),
    ("ModelServeErrorsBurnFast", MODEL, "ModelServeBudgetSpent", MODEL),
    ("ModelServeSlowBurnFast", MODEL, "ModelServeSlowBurnSlow", MODEL),
    ("ModelServeSlowBurnSlow", MODEL, "ModelServeBudgetSpent", MODEL),
    (
        "ModelServeComponentAway",
        {"namespace": "modelserve", "job": "modelserve-shadow"},
        "ModelServeTargetDown",
        {"namespace": "modelserve", "job": "modelserve-shadow", "pod": "shadow-a"},
    ),
    ("ModelServePodRestarts", POD, "ModelServeModelNotLoaded", {**REVISION, **POD}),
    ("ModelServePodUnschedulable", POD, "ModelServeReplicasMissing", KNATIVE),
    ("ModelServeConcurrencyAboveTarget", KNATIVE, "ModelServeQueueing", REVISION),
    ("ModelServeCanaryFailing", REVISION, "ModelServeCanaryStuck", REVISION),
]


@pytest.mark.parametrize(("cause", "its", "effect", "whose"), FOLLOWS)
def test_who_is_told_of_the_cause_is_not_told_of_the_effect(
    cause: str, its: dict[str, str], effect: str, whose: dict[str, str], post: Post
) -> None:
    assert post(alert(cause, **its), alert(effect, **whose)) == {cause: False, effect: True}
    elsewhere = {**whose, "namespace": "elsewhere"}
    assert post(alert(cause, **its), alert(effect, **elsewhere)) == {cause: False, effect: False}


def test_every_inhibition_is_of_alerts_that_there_are() -> None:
    for rule in CONFIG["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            if matcher.startswith("alertname"):
                pattern = matcher.partition('"')[2].rstrip('"')
                done = [name for name in ALERTS if re.fullmatch(pattern, name)]
                assert len(done) >= pattern.count("|") + 1 - pattern.count("(Errors|Slow)"), matcher


def test_one_model_is_one_page(post: Post) -> None:
    names = ("ModelServeErrorsBurnFast", "ModelServeSlowBurnFast")
    assert not any(post(*(alert(name, **MODEL) for name in names)).values())
    (route,) = [one for one in CONFIG["route"]["routes"] if one["receiver"] == "pages"]
    assert "alertname" not in route["group_by"]
