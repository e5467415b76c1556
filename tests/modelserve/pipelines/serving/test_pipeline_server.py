from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from http_servers import Request, answering
from prometheus_client.parser import text_string_to_metric_families

BACKLOG = "modelserve_pipeline_runs_unfinished"


def backlog(server: Any) -> dict[str, float]:
    """What the server tells of the runs that have not ended."""
    told = text_string_to_metric_families(httpx.get(server.url + "/metrics", timeout=30).text)
    return {
        sample.name: sample.value
        for family in told
        for sample in family.samples
        if sample.name.startswith(BACKLOG)
    }


def test_a_run_is_answered_in_the_call(pipelines: Any) -> None:
    answer = pipelines.begin("hi")
    assert answer.status_code == 200
    run = answer.json()
    assert (run["status"], run["output"], run["error"]) == ("succeeded", {"said": ["hi"], "times": 1}, None)
    assert pipelines.get(f"/runs/{run['id']}/result").json() == run["output"]
    steps = pipelines.get(f"/runs/{run['id']}").json()["steps"]
    assert [(one["step"], one["status"], one["tries"]) for one in steps] == [
        ("first", "succeeded", 1),
        ("second", "succeeded", 1),
    ]


def test_a_run_in_the_background_is_watched(pipelines: Any, echo: Any) -> None:
    answer = pipelines.begin("slow", headers={"Prefer": "respond-async"})
    run_id = answer.json()["id"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1alpha1/runs/{run_id}")
    pipelines.wait_status(run_id, "running")
    unfinished = pipelines.get(f"/runs/{run_id}/result")
    assert (unfinished.status_code, unfinished.headers["retry-after"]) == (202, "1")
    echo.lets_go.set()
    assert pipelines.get(f"/runs/{run_id}", wait_seconds=30).json()["status"] == "succeeded"


def test_who_waits_long_enough_is_told_where_to_ask(pipelines: Any) -> None:
    answer = pipelines.begin("slow", headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "running"


def test_a_run_that_fails_is_a_dead_letter_that_can_be_sent_again(pipelines: Any, echo: Any) -> None:
    answer = pipelines.begin("bad")
    run_id = answer.json()["id"]
    assert answer.status_code == 502
    assert "step first" in answer.json()["error"]
    assert "it is bad" in answer.json()["error"]
    assert pipelines.get(f"/runs/{run_id}/result").status_code == 502
    letters = pipelines.get("/runs?status=failed").json()["runs"]
    assert [one["id"] for one in letters] == [run_id]
    echo.is_bad = False
    assert pipelines.post(f"/runs/{run_id}/resend").status_code == 202
    run = pipelines.get(f"/runs/{run_id}", wait_seconds=30).json()
    assert (run["status"], run["round"]) == ("succeeded", 2)
    assert pipelines.post(f"/runs/{run_id}/resend").status_code == 409


def test_a_cancelled_run_ends(pipelines: Any, echo: Any) -> None:
    run_id = pipelines.begin_async("slow")
    pipelines.wait_status(run_id, "running")
    assert pipelines.post(f"/runs/{run_id}/cancel").status_code == 202
    pipelines.wait_status(run_id, "cancelled")
    assert pipelines.get(f"/runs/{run_id}/result").status_code == 410
    assert echo.texts == ["slow"]
    succeeded = pipelines.begin("hi").json()["id"]
    assert pipelines.post(f"/runs/{succeeded}/cancel").status_code == 409


def test_one_key_is_one_run(pipelines: Any, echo: Any) -> None:
    headers = {"Idempotency-Key": "a"}
    first, again = (pipelines.begin("hi", headers=headers).json() for _ in range(2))
    assert first == again
    assert echo.texts == ["hi", "hi"]  # of the two steps
    other = pipelines.begin("ho", headers=headers)
    assert other.status_code == 409
    assert "'a' came before with other inputs" in other.json()["error"]
    assert pipelines.begin("hi", headers={"Idempotency-Key": "b"}).json()["id"] != first["id"]


def test_a_webhook_is_told_of_the_end(pipelines: Any) -> None:
    told: list[tuple[dict[str, str], dict[str, Any]]] = []

    def answer(request: Request) -> tuple[int, bytes]:
        told.append((dict(request.headers), json.loads(request.body)))
        return (500 if len(told) == 1 else 200), b""

    with answering(answer) as port:
        run_id = pipelines.begin_async("hi", webhook=f"http://127.0.0.1:{port}/told")
        pipelines.get(f"/runs/{run_id}", wait_seconds=30)
        for _ in range(200):
            if len(told) == 2:
                break
            time.sleep(0.1)
    (first, _), (headers, body) = told
    found = {name.lower(): value for name, value in headers.items()}
    assert found["ce-type"] == "dev.modelserve.pipeline.run.ended"
    assert found["ce-id"] == {name.lower(): value for name, value in first.items()}["ce-id"]
    assert body["run"] == run_id
    assert body["status"] == "succeeded"


def test_what_was_taken_is_done_though_the_server_is_killed(pipelines: Any, echo: Any) -> None:
    ended = pipelines.begin("hi").json()["id"]
    run_id = pipelines.begin_async("slow")
    pipelines.wait_status(run_id, "running")
    pipelines.kill()
    echo.lets_go.set()
    pipelines.start()
    assert pipelines.get(f"/runs/{ended}").json()["status"] == "succeeded"
    run = pipelines.wait_status(run_id, "succeeded", seconds=70)  # the lease has to run out
    assert run["output"]["said"] == ["slow"]


def test_a_server_that_is_stopped_gives_its_runs_back(pipelines: Any, echo: Any) -> None:
    run_id = pipelines.begin_async("slow")
    pipelines.wait_status(run_id, "running")
    assert pipelines.stop() == 0
    echo.lets_go.set()
    pipelines.start()
    pipelines.wait_status(run_id, "succeeded", seconds=25)


def test_too_many_are_told_to_come_again(start_pipelines: Any, echo: Any) -> None:
    server = start_pipelines("--most_unfinished", "2")
    waiting = [server.begin_async("slow") for _ in range(2)]
    refused = server.begin("hi")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert "2 runs have not ended" in refused.json()["error"]
    assert backlog(server) == {BACKLOG: 2, f"{BACKLOG}_limit": 2}
    echo.lets_go.set()
    for run_id in waiting:
        server.wait_status(run_id, "succeeded")
    assert backlog(server)[BACKLOG] == 0
    assert server.begin("hi").status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"{", {}, 400, "the body is no JSON"),
        (b"[]", {}, 400, "the body: Input should be"),
        (b'{"inputs": [], "webhook": 3}', {}, 400, "inputs: Input should be"),
        (b'{"inputs": {}, "more": 1}', {}, 400, "more: "),
        (b'{"inputs": {"text": "hi"}, "webhook": "ftp://x"}', {}, 400, "webhook: "),
        (b'{"inputs": {"text": 3}}', {}, 400, "input text is 3; string is accepted"),
        (b"{}", {}, 400, "input text is missing"),
        (b"", {}, 400, "input text is missing"),
        (b'{"inputs": {"text": "hi", "x": 1}}', {}, 400, "input 'x' is unknown; accepted are text, times"),
        (
            b'{"inputs": {"text": "hi"}}',
            {"Idempotency-Key": ""},
            400,
            "Idempotency-Key has 0 characters",
        ),
        (b'{"inputs": {"text": "hi"}}', {"Idempotency-Key": "k" * 256}, 400, "has 256 characters"),
        (b"x" * 100_001, {}, 413, "100000"),
    ],
)
def test_a_callers_mistake_is_told(
    quiet: Any, content: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    answer = httpx.post(
        f"{quiet.url}/v1alpha1/pipelines/shout/runs", content=content, headers=headers, timeout=30
    )
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert said in answer.json()["error"]


def test_what_is_not_there_is_told(quiet: Any) -> None:
    for path in ("/pipelines/none", "/runs/none", "/runs/none/result", "/none"):
        answer = quiet.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    assert quiet.post("/pipelines/none/runs").status_code == 404
    assert quiet.get("/runs?status=done").status_code == 400
    assert quiet.get("/runs?limit=0").status_code == 400


def test_definitions_and_pages(pipelines: Any) -> None:
    assert pipelines.get("/pipelines").json() == {"pipelines": ["shout"]}
    assert pipelines.get("/pipelines/shout").json()["spec"]["steps"][0]["name"] == "first"
    pipelines.begin("hi")
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert httpx.get(pipelines.url + path, timeout=30).status_code == 200
    metrics = httpx.get(pipelines.url + "/metrics", timeout=30).text
    assert 'modelserve_pipeline_runs_total{outcome="succeeded",pipeline="shout"} 1.0' in metrics
    assert 'modelserve_pipeline_steps_total{outcome="succeeded",pipeline="shout",step="first"} 1.0' in metrics


def test_a_trace_goes_through_all_steps_to_the_models(
    start_pipelines: Any, echo: Any, collector: Any
) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    server = start_pipelines(
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    )
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    server.begin("hi", headers={"traceparent": f"00-{trace_id}-{parent_id}-01"})
    spans = collector.of_trace(trace_id, 3)
    run = spans["run shout"]
    assert run.parent_span_id.hex() == parent_id
    steps = [spans["step first"], spans["step second"]]
    assert {step.parent_span_id for step in steps} == {run.span_id}
    assert echo.traces == [f"00-{trace_id}-{step.span_id.hex()}-01" for step in steps]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelserve.cli", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_the_commands(pipelines: Any, echo: Any) -> None:
    at = ("--url", pipelines.url)
    done = command("submit", "shout", *at, "--input", "text=5", "--input", "times=2", "--wait_seconds", "30")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"said": ["5"], "times": 2})
    begun = command("submit", "shout", *at, "--input", "text=slow", "--json")
    run_id = json.loads(begun.stdout)["id"]
    assert begun.returncode == 0
    assert command("status", run_id, *at).returncode == 3
    assert command("cancel", run_id, *at).returncode == 0
    ended = command("status", run_id, *at, "--wait_seconds", "30")
    assert (ended.returncode, ended.stdout.split("\t")[2].strip()) == (1, "cancelled")
    failed = command("submit", "shout", *at, "--input", "text=bad", "--wait_seconds", "30")
    assert failed.returncode == 1
    assert "it is bad" in failed.stderr
    listed = command("list", *at, "--status", "failed", "--pipeline", "shout")
    assert "it is bad" in listed.stdout
    echo.is_bad = False
    assert command("resend", listed.stdout.split("\t")[0], *at).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("submit", "none"), 1, "404: pipeline 'none' is unknown; this server has shout"),
        (("submit", "shout", "--input", "text"), 2, "--input 'text' is not of the form NAME=VALUE"),
        (("submit", "shout", "--inputs", "/none"), 2, "/none cannot be read: No such file"),
        (("submit", "shout"), 1, "400: input text is missing; string is accepted"),
        (("status", "none"), 1, "404: run 'none' is unknown"),
        (("list", "--status", "done"), 1, "status 'done' is unknown; one of queued, running"),
    ],
)
def test_what_a_command_cannot_do_is_told(
    quiet: Any, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = command(*arguments, "--url", quiet.url)
    assert done.returncode == status
    assert said in done.stderr


def test_a_server_that_is_none_is_told() -> None:
    def nothing(_: Request) -> tuple[int, bytes]:
        return 200, b"<html>"

    with answering(nothing) as port:
        done = command("list", "--url", f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert "does not answer as a pipeline server" in done.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "status", "said"),
    [
        ("kind: Pipeline\n", (), 2, "bad.yaml:1:1: metadata is missing"),
        (None, ("--store_url", "nonsense"), 1, "the store cannot be opened"),
    ],
)
def test_a_server_that_cannot_begin_says_why(
    tmp_path: Any, text: str | None, arguments: tuple[str, ...], status: int, said: str
) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)
    done = command("serve", str(path if text else "examples/news-photo"), "--http_port", "0", *arguments)
    assert done.returncode == status
    assert said in done.stderr
