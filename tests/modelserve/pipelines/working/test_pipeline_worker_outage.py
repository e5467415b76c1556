"""The database goes away under a worker, and comes back: nothing that was done is lost, and nobody dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from databases import Postgres

from modelserve.pipelines.course import Work
from modelserve.pipelines.definition.models import Pipeline
from modelserve.pipelines.store import Run, RunStatus


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.url


@pytest.mark.parametrize("lease_seconds", [30.0, 1.5])
async def test_postgresql_is_restarted(
    site: Any, pipeline: Callable[..., Pipeline], postgres: Postgres, lease_seconds: float
) -> None:
    """With a long lease the runs are gone on with here; with a short one they are given up and taken anew."""
    goes_on = asyncio.Event()
    done: list[tuple[str, str]] = []

    async def do(run: Run, work: Work) -> Any:
        done.append((run.id, work.unit.step))
        await goes_on.wait()
        return 1

    ids = [await site.submit(pipeline()) for _ in range(5)]
    async with site.working(do, lease_seconds=lease_seconds):
        while len(done) < 5:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(postgres.stop)
        try:
            goes_on.set()
            await asyncio.sleep(3.0)
        finally:
            await asyncio.to_thread(postgres.start)
        for run_id in ids:
            assert (await site.ended(run_id, seconds=60.0)).status is RunStatus.SUCCEEDED
        late = await site.submit(pipeline())
        assert (await site.ended(late, seconds=60.0)).status is RunStatus.SUCCEEDED
    given_up = site.counted("modelserve_pipeline_runs_given_up_total", reason="no_store")
    if lease_seconds > 10:
        assert given_up == 0
        assert len(done) == len(set(done)) == 12, (
            "what was done while the database was away is recorded later"
        )
    else:
        assert given_up == 5
