"""Runs and what is recorded of them, in a database that all share who run pipelines: the truth about them."""

from modelserve.pipelines.store.outbox import Notice, Outbox
from modelserve.pipelines.store.runs import ENDS, Claim, KeyReused, LeaseLost, Run, RunStatus, new_id, new_run
from modelserve.pipelines.store.store import RunStore

__all__ = [
    "ENDS",
    "Claim",
    "KeyReused",
    "LeaseLost",
    "Notice",
    "Outbox",
    "Run",
    "RunStatus",
    "RunStore",
    "new_id",
    "new_run",
]
