"""Probes of real servers: what they count, and what they do not take for an answer of the revision meant."""

from __future__ import annotations

import contextlib
import http.server
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from http_servers import serving

from modelserve.canary.judge.measurements import Counters, Look
from modelserve.canary.rollout import Away
from modelserve.canary.sources import NotMeasured
from modelserve.canary.sources.probing.prober import Probes
from modelserve.canary.sources.probing.requests import NoProbes, read_requests
from modelserve.canary.sources.probing.source import ProbingSource

STABLE, CANARY = "names-predictor-00001", "names-predictor-00002"
ENTITY = json.dumps([{"type": "PER", "text": "Merkel", "start": 0, "end": 6, "score": 0.97}])


def request(text: str) -> bytes:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}
    return json.dumps({"inputs": [tensor]}).encode()


PATH = "/v2/models/names/infer"
REQUESTS = [request("Merkel came."), request("Merkel left.")]


@dataclass
class Revision:
    """A server that answers as a revision, or otherwise.

    Attributes:
        name: that it says it is.
        status: of its answers.
        wait_seconds: before each.
        drip_seconds: before each byte of them.
        answer: of a model; None for one of ours.
        asked: the bodies, hosts and paths of all calls.
    """

    name: str
    status: int = 200
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0
    answer: Any = None
    asked: list[tuple[bytes, str, str]] = field(default_factory=list)
    port: int = 0

    def body(self) -> bytes:
        if self.answer is not None:
            return json.dumps(self.answer).encode()
        output = {"name": "entities", "datatype": "BYTES", "shape": [1], "data": [ENTITY]}
        told = {"revision": self.name, "model_digest": "sha256:a"}
        return json.dumps({"model_name": "names", "parameters": told, "outputs": [output]}).encode()


@pytest.fixture
def serve() -> Iterator[Callable[[Revision], str]]:
    """Starts a revision; its URL."""
    with ExitStack() as stack:

        def start(revision: Revision) -> str:
            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def do_POST(self) -> None:
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    revision.asked.append((body, self.headers["Host"], self.path))
                    time.sleep(revision.wait_seconds)
                    content = revision.body()
                    self.send_response(revision.status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    if not revision.drip_seconds:
                        self.wfile.write(content)
                        return
                    with contextlib.suppress(OSError):  # nobody waits for the rest
                        for byte in content:
                            time.sleep(revision.drip_seconds)
                            self.wfile.write(bytes([byte]))

                def log_message(self, format: str, *args: Any) -> None:
                    pass

            revision.port = stack.enter_context(serving(Handler))
            return f"http://127.0.0.1:{revision.port}"

        yield start


@pytest.fixture
def probe(serve: Callable[[Revision], str]) -> Iterator[Callable[..., ProbingSource]]:
    """Probes two revisions; others than these have no address."""
    sources: list[ProbingSource] = []

    def start(stable: Revision, canary: Revision, **more: Any) -> ProbingSource:
        urls = {STABLE: serve(stable), CANARY: serve(canary)}
        settings = {"requests": REQUESTS, "path": PATH, "per_second": 100.0, **more}
        sources.append(ProbingSource(lambda: urls, Probes(**settings)))
        return sources[-1]

    yield start
    for source in sources:
        source.close()


def measured(source: ProbingSource, calls: int) -> tuple[Counters, Counters]:
    """What was counted of the stable revision and of the canary, after so many calls to each."""
    deadline = time.monotonic() + 20
    while True:
        look: Look = source.look(canary=CANARY, stable=STABLE)
        old, new = look.stable["probe"], look.canary["probe"]
        if min(old.requests, new.requests) >= calls:
            return old, new
        assert time.monotonic() < deadline, look
        time.sleep(0.05)


def test_both_are_asked_the_same_and_counted_as_servers_count(probe: Callable[..., ProbingSource]) -> None:
    stable, canary = Revision(STABLE), Revision(CANARY)
    old, new = measured(probe(stable, canary), 20)
    for found in (old, new):
        assert (found.errors, dict(found.labels)) == (0, {"PER": found.requests})
        assert found.seconds is not None
        assert sum(found.seconds.counts) == found.requests
        assert found.confidence is not None
        assert found.confidence.counts[found.confidence.edges.index(0.99)] == found.requests
    assert {body for body, _, _ in stable.asked} == {body for body, _, _ in canary.asked} == set(REQUESTS)
    assert {path for _, _, path in stable.asked} == {PATH}


def test_the_rate_is_kept(probe: Callable[..., ProbingSource]) -> None:
    stable, canary = Revision(STABLE), Revision(CANARY)
    source = probe(stable, canary, per_second=20.0)
    source.look(canary=CANARY, stable=STABLE)
    time.sleep(2)
    assert 20 <= len(canary.asked) <= 46


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_what_the_canary_alone_does_not_answer_is_its_error(
    status: int, probe: Callable[..., ProbingSource]
) -> None:
    old, new = measured(probe(Revision(STABLE), Revision(CANARY, status=status)), 10)
    assert (old.errors, new.errors) == (0, new.requests)


@pytest.mark.parametrize("fault", [{"wait_seconds": 5.0}, {"drip_seconds": 0.05}])
def test_one_whose_answers_are_late_has_errors(
    fault: dict[str, Any], probe: Callable[..., ProbingSource]
) -> None:
    _, new = measured(probe(Revision(STABLE), Revision(CANARY, **fault), timeout_seconds=0.2), 5)
    assert new.errors == new.requests


def test_one_that_is_not_there_has_errors(serve: Callable[[Revision], str], free_port: int) -> None:
    urls = {STABLE: serve(Revision(STABLE)), CANARY: f"http://127.0.0.1:{free_port}"}
    with closing(ProbingSource(lambda: urls, Probes(REQUESTS, PATH, per_second=100.0))) as source:
        old, new = measured(source, 5)
    assert (old.errors, new.errors) == (0, new.requests)


def test_nothing_is_compared_with_a_stable_one_that_is_not_there(free_port: int) -> None:
    urls = dict.fromkeys((STABLE, CANARY), f"http://127.0.0.1:{free_port}")
    with closing(ProbingSource(lambda: urls, Probes(REQUESTS, PATH, per_second=100.0))) as source:
        assert "does not answer" in trouble_of(source)


def test_a_probe_that_the_stable_one_refuses_is_of_no_use(probe: Callable[..., ProbingSource]) -> None:
    stable = Revision(STABLE, status=400, answer={"error": "unknown tensor 'text'; 'image' is accepted"})
    said = trouble_of(probe(stable, Revision(CANARY)))
    assert "answers a probe with 400" in said
    assert "'image' is accepted" in said


def trouble_of(source: ProbingSource) -> str:
    """Why it measures nothing, once it does not."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            source.look(canary=CANARY, stable=STABLE)
        except NotMeasured as error:
            return str(error)
        time.sleep(0.05)
    raise AssertionError("it measures")


def test_answers_of_another_revision_are_not_counted(probe: Callable[..., ProbingSource]) -> None:
    canary = Revision("names-predictor-00003")
    source = probe(Revision(STABLE), canary)
    assert f"another revision than {CANARY} answers at http" in trouble_of(source)
    canary.name = CANARY
    _, new = measured_after(source, 10)
    assert new.errors == 0


def test_one_that_fails_after_another_was_reached_has_errors(probe: Callable[..., ProbingSource]) -> None:
    canary = Revision("names-predictor-00003")
    source = probe(Revision(STABLE), canary)
    assert "another revision" in trouble_of(source)
    canary.status = 500
    _, new = measured_after(source, 10)
    assert new.errors == new.requests


def measured_after(source: ProbingSource, calls: int) -> tuple[Counters, Counters]:
    """The same, once the source measures again."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return measured(source, calls)
        except NotMeasured:
            time.sleep(0.05)
    raise AssertionError("it measures no more")


def test_another_servers_answers_have_no_labels(probe: Callable[..., ProbingSource]) -> None:
    foreign = {"model_name": "x", "outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}]}
    old, new = measured(probe(Revision("", answer=foreign), Revision("", answer=foreign)), 5)
    assert (old.errors, new.errors, dict(new.labels)) == (0, 0, {})


def test_hosts_go_by_an_ingress(serve: Callable[[Revision], str]) -> None:
    ingress = Revision("", answer={"model_name": "names", "outputs": []})
    serve(ingress)
    urls = {
        STABLE: "http://prev-names.default.example.com",
        CANARY: "http://latest-names.default.example.com",
    }
    probes = Probes(REQUESTS, PATH, per_second=50.0, gateway=f"127.0.0.1:{ingress.port}")
    source = ProbingSource(lambda: urls, probes)
    source.look(canary=CANARY, stable=STABLE)
    time.sleep(0.5)
    source.close()
    assert {host for _, host, _ in ingress.asked} == {url.removeprefix("http://") for url in urls.values()}


def test_without_an_address_it_is_said_what_gives_one() -> None:
    source = ProbingSource(lambda: {}, Probes(REQUESTS, "/"))
    with pytest.raises(NotMeasured, match="enable-tag-routing"):
        source.look(canary=CANARY, stable=STABLE)

    def away() -> dict[str, str]:
        raise Away("the API server does not answer")

    with pytest.raises(NotMeasured, match="the API server does not answer"):
        ProbingSource(away, Probes(REQUESTS, "/")).look(canary=CANARY, stable=STABLE)


def test_requests_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "probes.json"
    path.write_text(json.dumps(json.loads(REQUESTS[0]), indent=2))
    assert len(read_requests(path)) == 1
    path.write_bytes(b"\n\n".join(REQUESTS) + b"\n")
    assert read_requests(path) == REQUESTS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello", "line 1"),
        (b"[]", "line 1"),
        (REQUESTS[0] + b'\n{"instances": []}', "line 2"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_without_requests(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "probes.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoProbes, match=said):
        read_requests(path)
