"""The REST API of pipelines."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

import modelserve
from modelserve.errors import InvalidInput, Unavailable
from modelserve.pipelines.serving.forms import (
    idempotency_key,
    read_beginning,
    run_form,
    wait_seconds,
)
from modelserve.pipelines.serving.runs import Asked, Conflict, Runs
from modelserve.pipelines.serving.steps import steps_router
from modelserve.pipelines.store import ENDS, Run, RunStatus
from modelserve.server.body import read_body
from modelserve.server.replies import add_errors, reply

PREFIX = "/v1alpha1"

MOST_WAIT_SECONDS = 300.0
"""That a caller is kept waiting; proxies give up about then."""


_REFUSAL = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "what was wrong, and what is accepted"}},
}
_OTHER_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "The run goes on."},
    "4XX": {"description": "Refused.", "content": {"application/json": {"schema": _REFUSAL}}},
    "5XX": {"description": "It failed, or not now.", "content": {"application/json": {"schema": _REFUSAL}}},
}
"""For the OpenAPI document, of every call."""


class RunFailed(Conflict):
    """A run's result is asked for that failed."""

    http_status = 502


class RunCancelled(Conflict):
    """A run's result is asked for that was cancelled."""

    http_status = 410


def build_app(
    runs: Runs, registry: CollectorRegistry, *, max_body_bytes: int, usual_wait_seconds: float
) -> FastAPI:
    """The ASGI application.

    Args:
        runs: what callers may do.
        registry: of the metrics that are shown.
        max_body_bytes: the largest body of a request, unpacked.
        usual_wait_seconds: how long a run is waited for where the caller does not say.
    """
    app = FastAPI(
        title="modelserve pipelines",
        version=modelserve.__version__,
        description="Runs of pipelines: in the call, or in the background.",
        redoc_url=None,
        responses=_OTHER_ANSWERS,
    )
    add_errors(app)
    _add_pages(app, runs, registry)
    _add_runs(app, runs)
    app.include_router(steps_router(runs.pipeline, max_body_bytes=max_body_bytes))

    @app.post(PREFIX + "/pipelines/{pipeline}/runs", tags=["runs"], response_model=None)
    async def begin(
        pipeline: str,
        request: Request,
        prefer: Annotated[str | None, Header()] = None,
        idempotency: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
    ) -> Response:
        """Begin a run and wait for its end, or with `Prefer: respond-async` do not."""
        key = idempotency_key(idempotency)
        asked = read_beginning(await read_body(request, max_bytes=max_body_bytes))
        run = await runs.begin(
            Asked(pipeline, asked.inputs, asked.webhook, key, request.headers.get("traceparent"))
        )
        seconds = wait_seconds(prefer, usual_wait_seconds, MOST_WAIT_SECONDS)
        if seconds:
            run = await runs.get(run.id, wait_seconds=seconds)
        return _answer(run)

    return app


def _add_runs(app: FastAPI, runs: Runs) -> None:
    @app.get(PREFIX + "/runs", tags=["runs"], response_model=None)
    async def listed(
        pipeline: str | None = None,
        status: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Runs, the newest first; those with status `failed` are the dead letters."""
        found = await runs.list(pipeline=pipeline, status=_status(status), limit=limit)
        return reply({"runs": [run_form(run) for run in found]})

    @app.get(PREFIX + "/runs/{run_id}", tags=["runs"], response_model=None)
    async def one(run_id: str, prefer: Annotated[str | None, Header()] = None) -> Response:
        """A run with its steps; `Prefer: wait=SECONDS` waits for its end."""
        run = await runs.get(run_id, wait_seconds=wait_seconds(prefer, 0.0, MOST_WAIT_SECONDS))
        return reply(run_form(run, await runs.record(run_id)))

    @app.get(PREFIX + "/runs/{run_id}/result", tags=["runs"], response_model=None)
    async def result(run_id: str, prefer: Annotated[str | None, Header()] = None) -> Response:
        """A run's output alone: 202 while it goes on, 502 where it failed, 410 where it was cancelled."""
        run = await runs.get(run_id, wait_seconds=wait_seconds(prefer, 0.0, MOST_WAIT_SECONDS))
        if run.status is RunStatus.FAILED:
            raise RunFailed(f"run {run_id} failed: {run.error}")
        if run.status is RunStatus.CANCELLED:
            raise RunCancelled(f"run {run_id} was cancelled")
        return reply(run.output) if run.status in ENDS else _answer(run)

    @app.post(PREFIX + "/runs/{run_id}/cancel", tags=["runs"], response_model=None)
    async def cancel(run_id: str) -> Response:
        """Ask for a run's end; what was done is kept."""
        return reply(run_form(await runs.cancel(run_id)), 202)

    @app.post(PREFIX + "/runs/{run_id}/resend", tags=["runs"], response_model=None)
    async def resend(run_id: str) -> Response:
        """Go on with a dead letter, from the steps that failed."""
        return reply(run_form(await runs.resend(run_id)), 202)


def _add_pages(app: FastAPI, runs: Runs, registry: CollectorRegistry) -> None:
    @app.get(PREFIX + "/pipelines", tags=["pipelines"], response_model=None)
    async def pipelines() -> Response:
        """The pipelines that can be run."""
        return reply({"pipelines": sorted(runs.pipelines)})

    @app.get(PREFIX + "/pipelines/{pipeline}", tags=["pipelines"], response_model=None)
    async def pipeline(pipeline: str) -> Response:
        """A pipeline's definition."""
        found = runs.pipeline(pipeline)
        return reply(found.model_dump(mode="json", by_alias=True, exclude_unset=True))

    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        return reply({"status": "alive"})

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        if not await runs.is_ready():
            raise Unavailable("the store cannot be read; try again when it can")
        return reply({"status": "ready"})

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)


def _answer(run: Run) -> Response:
    """A run that was asked for, by what has become of it."""
    form: dict[str, Any] = run_form(run)
    if run.status is RunStatus.FAILED:
        return reply({**form, "error": f"run {run.id} failed: {run.error}"}, RunFailed.http_status)
    if run.status is RunStatus.CANCELLED:
        return reply({**form, "error": f"run {run.id} was cancelled"}, RunCancelled.http_status)
    if run.status in ENDS:
        return reply(form)
    answer = reply(form, 202)
    answer.headers["Location"] = f"{PREFIX}/runs/{run.id}"
    answer.headers["Retry-After"] = "1"
    return answer


def _status(text: str | None) -> RunStatus | None:
    try:
        return None if text is None else RunStatus(text)
    except ValueError as error:
        known = ", ".join(one.value for one in RunStatus)
        raise InvalidInput(f"status {text!r} is unknown; one of {known} is accepted") from error
