"""Pipelines: do runs succeed, how long do they take, and which step is it."""

from __future__ import annotations

from grafana.asking import Limits, Query
from grafana.frame import Board, choice
from grafana.panels import Panel, lines, number
from grafana.promql import RANGE, by, quantile, rate, series, share_of

_PROCESS = ('namespace=~"$namespace"',)
_PIPELINE = (*_PROCESS, 'pipeline=~"$pipeline"')
_STEP = (*_PIPELINE, 'step=~"$step"')
_RUNS, _STEPS = "modelserve_pipeline_runs_total", "modelserve_pipeline_steps_total"
_FAILED = 'outcome="failed"'
_FAILING = Limits(0.01, 0.05)


def board() -> Board:
    """The dashboard."""
    labels = f"label_values({series('modelserve_pipeline_step_tries_total', *_PIPELINE)}, step)"
    return Board(
        uid="modelserve-pipelines",
        title="modelserve / Pipelines",
        description="For who runs pipelines: do runs succeed, and which step fails or takes the time.",
        variables=[
            choice("namespace", "Namespace", "label_values(modelserve_pipeline_runs_in_progress, namespace)"),
            choice("pipeline", "Pipeline", f"label_values({series(_RUNS, *_PROCESS)}, pipeline)"),
            choice("step", "Step", labels),
        ],
        has_marks=False,
        rows=[("Runs", _runs()), ("Steps", _steps()), ("Workers", _workers())],
    )


def _runs() -> list[Panel]:
    seconds = "modelserve_pipeline_run_seconds"
    return [
        number(
            "Runs that failed",
            "Share of the runs that ended in the shown time. They are dead letters: look at "
            "/v1alpha1/runs?status=failed, mend the cause, and send them again.",
            "percentunit",
            Query(share_of(_RUNS, "", _FAILED, *_PIPELINE, window=RANGE)),
            limits=_FAILING,
            decimals=2,
        ),
        number(
            "Runs in a second",
            "That ended. None while runs are submitted: no worker lives, or none reaches the store.",
            "ops",
            Query(by("", rate(_RUNS, *_PIPELINE))),
        ),
        number(
            "Runs in progress",
            "Over all workers. At the workers' --concurrency for long: add workers.",
            "short",
            Query(by("", series("modelserve_pipeline_runs_in_progress", *_PROCESS))),
            decimals=0,
        ),
        number(
            "95th percentile of a run",
            "From its first step to its end; the wait for a worker is not in it.",
            "s",
            Query(quantile(0.95, seconds, "", *_PIPELINE)),
        ),
        number(
            "Tries for a step",
            "Mean in the shown time; 1 is no try in vain. More: a model refuses or does not answer.",
            "short",
            Query(
                f"{by('', rate('modelserve_pipeline_step_tries_total', *_PIPELINE, window=RANGE))} / "
                f"({by('', rate(_STEPS, *_PIPELINE, window=RANGE))} > 0)"
            ),
            limits=Limits(1.1, 2),
            decimals=2,
        ),
        number(
            "Steps that fell back",
            "Share in the shown time that took the fallback's answer. Runs succeed by it, with less.",
            "percentunit",
            Query(share_of(_STEPS, "", 'outcome="fellBack"', *_PIPELINE, window=RANGE)),
            limits=_FAILING,
            decimals=2,
        ),
        lines(
            "Runs by outcome",
            "That ended, in a second.",
            "ops",
            Query(by("outcome", rate(_RUNS, *_PIPELINE)), "{{outcome}}"),
            stacked=True,
        ),
        lines(
            "Share of runs that failed",
            "By pipeline. All at once: a model that they share. One: its definition was changed, or its "
            "inputs.",
            "percentunit",
            Query(share_of(_RUNS, "pipeline", _FAILED, *_PIPELINE), "{{pipeline}}"),
            limits=_FAILING,
        ),
        lines(
            "Duration of runs",
            "Median and 95th percentile by pipeline.",
            "s",
            Query(quantile(0.5, seconds, "pipeline", *_PIPELINE), "p50 {{pipeline}}"),
            Query(quantile(0.95, seconds, "pipeline", *_PIPELINE), "p95 {{pipeline}}"),
        ),
    ]


def _steps() -> list[Panel]:
    of = "pipeline, step"
    name = "{{pipeline}} {{step}}"
    return [
        lines(
            "Duration of steps",
            "95th percentile, with all tries and the pauses between them. The longest is where to begin.",
            "s",
            Query(quantile(0.95, "modelserve_pipeline_step_seconds", of, *_STEP), name),
        ),
        lines(
            "Share of steps that failed",
            "Items of a forEach count by themselves. See the step's model in the serving dashboard.",
            "percentunit",
            Query(share_of(_STEPS, of, _FAILED, *_STEP), name),
            limits=_FAILING,
        ),
        lines(
            "Tries for a step",
            "Mean; 1 is no try in vain.",
            "short",
            Query(
                f"{by(of, rate('modelserve_pipeline_step_tries_total', *_STEP))} / "
                f"({by(of, rate(_STEPS, *_STEP))} > 0)",
                name,
            ),
            limits=Limits(None, 2),
        ),
    ]


def _workers() -> list[Panel]:
    unfinished = "modelserve_pipeline_runs_unfinished"
    return [
        lines(
            "Runs that have not ended",
            "In progress, or waiting for a worker. At the limit further ones are refused with 429.",
            "short",
            # Every server of a store tells the same.
            Query(f"max by (namespace) ({series(unfinished, *_PROCESS)})", "{{namespace}}"),
            Query(f"max by (namespace) ({series(f'{unfinished}_limit', *_PROCESS)})", "{{namespace}}: limit"),
        ),
        lines(
            "Runs in progress by worker",
            "Unequal for long: a worker does not get messages, and works by its sweep alone.",
            "short",
            Query(by("pod", series("modelserve_pipeline_runs_in_progress", *_PROCESS)), "{{pod}}"),
        ),
        lines(
            "Runs left to others",
            "lease_lost: the worker slept or the database was slow. no_store: it was away. stopped: a "
            "roll-out.",
            "ops",
            Query(by("reason", rate("modelserve_pipeline_runs_given_up_total", *_PROCESS)), "{{reason}}"),
            stacked=True,
        ),
        lines(
            "Webhooks",
            "Tries to tell of a run's end. refused: whoever is told does not take it, and it is tried again.",
            "ops",
            Query(by("outcome", rate("modelserve_pipeline_notices_total", *_PROCESS)), "{{outcome}}"),
            stacked=True,
        ),
    ]
