"""The API server of a cluster whose KServe does at once what KServe 0.20 does within seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from http_servers import Request, answering
from kubeconfigs import kubeconfig_of, use_kubeconfig

NAMES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/names"
REVISIONS = "/apis/serving.knative.dev/v1/namespaces/default/revisions/"


@dataclass
class Cluster:
    """An InferenceService ``names`` of the namespace ``default``.

    Attributes:
        newest: its newest revision.
        rolled_out: the one that had all calls last.
        before: the one that had them before that.
        share: the field; None where it is absent.
        percent: of the calls that the newest revision has.
        is_stuck: the field is taken, and no traffic moves.
        failure: of the newest revision.
        shares: all that were asked for.
    """

    newest: str = "two"
    rolled_out: str = "one"
    before: str = ""
    share: int | None = None
    percent: int = 0
    is_stuck: bool = False
    failure: str = ""
    shares: list[int | None] = field(default_factory=list)

    def set_share(self, share: int | None) -> None:
        """Do what KServe does when the field is changed."""
        self.shares.append(share)
        self.share = share
        if self.is_stuck:
            return
        if share is None:
            self.before, self.rolled_out, self.percent = self.rolled_out, self.newest, 0
        else:
            if self.newest == self.rolled_out and self.before:
                self.rolled_out = self.before
            self.percent = share

    def get(self, path: str) -> dict[str, Any] | None:
        """An object; None where there is none."""
        if path == NAMES:
            return self._service()
        if path.startswith(REVISIONS):
            name = path.removeprefix(REVISIONS)
            is_failed = self.failure and name == self.newest
            ready = {"type": "Ready", "status": "False" if is_failed else "True", "message": self.failure}
            return {"metadata": {"name": name}, "status": {"conditions": [ready]}}
        return {"items": []} if path.endswith("/pods") else None

    def _service(self) -> dict[str, Any]:
        traffic = [{"revisionName": self.rolled_out, "percent": 100 - self.percent}]
        if self.newest != self.rolled_out:
            traffic.append({"revisionName": self.newest, "percent": self.percent})
        predictor: dict[str, Any] = {
            "latestCreatedRevision": self.newest,
            "latestRolledoutRevision": self.rolled_out,
            "traffic": traffic,
        }
        if self.before:
            predictor["previousRolledoutRevision"] = self.before
        spec = {"model": {}} if self.share is None else {"model": {}, "canaryTrafficPercent": self.share}
        return {
            "metadata": {"name": "names", "namespace": "default", "resourceVersion": "1"},
            "spec": {"predictor": spec},
            "status": {"deploymentMode": "Knative", "components": {"predictor": predictor}},
        }


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names."""
    there = Cluster()

    def answer(request: Request) -> tuple[int, bytes]:
        if request.method == "PATCH":
            there.set_share(json.loads(request.body)["spec"]["predictor"]["canaryTrafficPercent"])
        found = there.get(request.path)
        said = {"message": "not found"} if found is None else found
        return 404 if found is None else 200, json.dumps(said).encode()

    with answering(answer) as port:
        use_kubeconfig(kubeconfig_of(f"http://127.0.0.1:{port}", tmp_path), monkeypatch)
        yield there


@pytest.fixture
def prometheus() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that answers as Prometheus does, and the series that it answers with to every question."""
    series: list[dict[str, Any]] = []

    def answer(_: Request) -> tuple[int, bytes]:
        said = {"status": "success", "data": {"resultType": "vector", "result": series}}
        return 200, json.dumps(said).encode()

    with answering(answer) as port:
        yield f"http://127.0.0.1:{port}", series
