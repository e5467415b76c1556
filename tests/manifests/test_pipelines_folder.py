"""The folder of pipelines says the same as the programs that it deploys."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelserve.cli import pipeline
from modelserve.pipelines.serving.definitions import read_all

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "inferenceservices" / "pipelines"


@pytest.fixture(scope="module")
def objects(build_folder: Callable[[Path], list[Object]]) -> dict[tuple[str, str], Object]:
    """What the overlay of the examples builds, by kind and name."""
    built = build_folder(FOLDER / "overlays" / "examples")
    return {(one["kind"], one["metadata"]["name"]): one for one in built}


@pytest.fixture(scope="module")
def definitions(objects: dict[tuple[str, str], Object]) -> Object:
    (found,) = [one for (kind, _), one in objects.items() if kind == "ConfigMap"]
    return found


def pod_of(workload: Object) -> Object:
    found: Object = workload["spec"]["template"]["spec"]
    return found


def options_of(container: Object) -> argparse.Namespace:
    """What the program makes of a container's arguments and variables."""
    with pytest.MonkeyPatch.context() as patch:
        for one in container["env"]:
            patch.setenv(one["name"], one.get("value", "postgresql+psycopg://a@b/c"))
        parser = argparse.ArgumentParser()
        pipeline.add_parser(parser.add_subparsers())
        return parser.parse_args(["pipeline", *container["args"]])


def test_the_server_has_the_examples(
    objects: dict[tuple[str, str], Object], definitions: Object, tmp_path: Path
) -> None:
    for name, text in definitions["data"].items():
        (tmp_path / name).write_text(text)
    names = sorted(path.parent.name for path in (ROOT / "examples").glob("*/pipeline.yaml"))
    assert sorted(read_all([tmp_path])) == names
    pod = pod_of(objects["Deployment", "pipeline-server"])
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["pipelines"]["configMap"]["name"] == definitions["metadata"]["name"]
    (container,) = pod["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert [str(path) for path in options_of(container).pipelines] == [mounts["pipelines"]]


def test_programs_are_asked_where_they_listen(objects: dict[tuple[str, str], Object]) -> None:
    (server,) = pod_of(objects["Deployment", "pipeline-server"])["containers"]
    (port,) = server["ports"]
    assert port["containerPort"] == options_of(server).http_port
    service = objects["Service", "pipeline-server"]["spec"]
    assert [(one["port"], one["targetPort"]) for one in service["ports"]] == [(80, port["name"])]
    (worker,) = pod_of(objects["Deployment", "pipeline-worker"])["containers"]
    (port,) = worker["ports"]
    assert port["containerPort"] == options_of(worker).metrics_port
    for name in ("pipeline-server", "pipeline-worker"):
        template = objects["Deployment", name]["spec"]["template"]
        (container,) = template["spec"]["containers"]
        scraped = template["metadata"]["annotations"]["prometheus.io/port"]
        assert scraped == str(container["ports"][0]["containerPort"])
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]


def test_server_and_workers_share_store_and_queue(objects: dict[tuple[str, str], Object]) -> None:
    (server,), (worker,) = (
        pod_of(objects["Deployment", name])["containers"] for name in ("pipeline-server", "pipeline-worker")
    )
    assert server["env"] == worker["env"]
    redis = objects["Service", "pipeline-redis"]["spec"]["ports"][0]["port"]
    assert options_of(worker).queue_url == f"redis://pipeline-redis:{redis}"
    secret = {"name": "pipelines", "key": "store_url"}
    assert worker["env"][0]["valueFrom"]["secretKeyRef"] == secret


def test_without_the_component_redis_is_the_secrets(build_folder: Callable[[Path], list[Object]]) -> None:
    for one in build_folder(FOLDER / "base"):
        if one["kind"] == "Deployment":
            (container,) = pod_of(one)["containers"]
            queue = {entry["name"]: entry for entry in container["env"]}["MODELSERVE_QUEUE_URL"]
            assert queue["valueFrom"]["secretKeyRef"] == {"name": "pipelines", "key": "queue_url"}


def test_redis_keeps_what_it_was_told(objects: dict[tuple[str, str], Object]) -> None:
    (container,) = pod_of(objects["StatefulSet", "pipeline-redis"])["containers"]
    said = dict(argument.removeprefix("--").split(" ", 1) for argument in container["args"])
    assert (said["appendonly"], said["maxmemory-policy"]) == ("yes", "noeviction")
    assert said["dir"] in [one["mountPath"] for one in container["volumeMounts"]]


def test_a_worker_knows_its_namespace_without_a_token(objects: dict[tuple[str, str], Object]) -> None:
    pod = pod_of(objects["Deployment", "pipeline-worker"])
    assert pod["automountServiceAccountToken"] is False
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    (volume,) = [one for one in pod["volumes"] if "downwardAPI" in one]
    (item,) = volume["downwardAPI"]["items"]
    # Where running/reaching.py reads it.
    assert f"{mounts[volume['name']]}/{item['path']}" == (
        "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
    )
