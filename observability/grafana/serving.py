"""Serving by revision: are callers served as promised, and if not, where is the time or the error."""

from __future__ import annotations

from grafana.asking import Limits, Query
from grafana.frame import Board, link_to, of_server
from grafana.inside import NAME, OF, predictions, queue_and_batches
from grafana.knative import autoscaling
from grafana.objectives import FAILED_SHARE, SLOW_SECONDS, SLOW_SHARE
from grafana.panels import Panel, heat, lines, logs, number
from grafana.promql import (
    CALLS,
    RANGE,
    SERVER,
    by,
    failed_share,
    mean,
    quantile,
    rate,
    series,
    slow_share,
)

_BUDGET = Limits(0.5, 0, falling=True)


def board() -> Board:
    """The dashboard."""
    return Board(
        uid="modelserve-serving",
        title="modelserve / Serving by revision",
        description="For who is on call: are callers served as promised, and by which revision not.",
        variables=of_server(),
        rows=[
            ("Objectives over the shown time", _objectives()),
            ("Calls", _calls()),
            ("Latency", _latency()),
            ("Queue, batches and cache", queue_and_batches()),
            ("Predictions", predictions()),
            ("Knative", autoscaling()),
            ("Logs", [_logs()]),
        ],
    )


def _objectives() -> list[Panel]:
    failed = failed_share("", *CALLS, window=RANGE)
    slow = slow_share("", SLOW_SECONDS, *CALLS, window=RANGE)
    return [
        number(
            "Calls that failed",
            f"Share of calls that the service failed; {FAILED_SHARE:.1%} are allowed. A caller's mistakes "
            "(400, 404, 413) are none of them. Above it: look for the outcome and the revision below.",
            "percentunit",
            Query(failed),
            limits=Limits(FAILED_SHARE / 2, FAILED_SHARE),
            decimals=3,
        ),
        number(
            "Error budget left",
            "What is left of the failures that are allowed in the shown time. Below 0 the objective is "
            "missed: stop roll-outs until it is back.",
            "percentunit",
            Query(f"1 - ({failed}) / {FAILED_SHARE:g}"),
            limits=_BUDGET,
            decimals=1,
        ),
        number(
            f"Calls over {SLOW_SECONDS:g} s",
            f"Share of calls that took longer; {SLOW_SHARE:.0%} are allowed. Above it: see below whether "
            "they wait in the queue (more replicas) or in the engine (smaller batches, a GPU).",
            "percentunit",
            Query(slow),
            limits=Limits(SLOW_SHARE / 2, SLOW_SHARE),
            decimals=2,
        ),
        number(
            "Latency budget left",
            "What is left of the slow calls that are allowed in the shown time. Below 0 the objective is "
            "missed.",
            "percentunit",
            Query(f"1 - ({slow}) / {SLOW_SHARE:g}"),
            limits=_BUDGET,
            decimals=1,
        ),
        number(
            "Calls now",
            "Calls in a second, refusals included. One through a transformer counts there and in the "
            "predictor: choose a component. None while callers complain: the gateway or Knative does not "
            "let them through.",
            "reqps",
            Query(by("", rate("modelserve_requests_total", *CALLS))),
        ),
        number(
            "Replicas that serve",
            "Servers that have the model loaded. Nothing is normal where the service scales to zero and "
            "nobody calls; fewer than Knative wants means that starts fail: see the logs.",
            "short",
            Query(by("", series("modelserve_model_loaded", *CALLS))),
            decimals=0,
        ),
    ]


def _calls() -> list[Panel]:
    requests = "modelserve_requests_total"
    return [
        lines(
            "Calls by revision",
            "Calls in a second. A revision that gets calls without a canary being on: see the traffic of the "
            "service. Click on a series for its canary.",
            "reqps",
            Query(by(OF, rate(requests, *CALLS)), NAME),
            link=link_to("modelserve-canary", "Canary of ${__field.labels.model}"),
        ),
        lines(
            "Share of calls that failed",
            f"By revision; the objective is {FAILED_SHARE:.1%}. One revision alone: roll it back. All: look "
            "at what they share, the storage, the nodes, the cache.",
            "percentunit",
            Query(failed_share(OF, *CALLS), NAME),
            limits=Limits(None, FAILED_SHARE),
            link=link_to("modelserve-canary", "Canary of ${__field.labels.model}"),
        ),
        lines(
            "Calls by outcome",
            "overloaded: the queue is full, add replicas. deadline_exceeded: callers wait less than calls "
            "take. unavailable: no model is loaded. internal: a fault of the server, see the logs. The "
            "others are callers' mistakes.",
            "reqps",
            Query(by("outcome", rate(requests, *CALLS)), "{{outcome}}"),
            stacked=True,
        ),
        lines(
            "Calls by protocol",
            "V1, V2 and gRPC. One of them falling to none is a client or a gateway, not the model.",
            "reqps",
            Query(by("protocol", rate(requests, *CALLS)), "{{protocol}}"),
            stacked=True,
        ),
        lines(
            "Size of bodies",
            "Mean of a call's body, unpacked. Growing bodies explain growing latencies.",
            "bytes",
            Query(mean("modelserve_input_bytes", OF, *CALLS), NAME),
        ),
        lines(
            "Request log that was lost",
            "Events that the server's own log could not send. Drift and shadow see fewer calls than there "
            "are: see whether their sink answers.",
            "cps",
            Query(by("revision", rate("modelserve_log_dropped_total", *SERVER)), "{{revision}}"),
            limits=Limits(None, 0.01),
        ),
    ]


def _latency() -> list[Panel]:
    seconds = "modelserve_request_seconds"
    return [
        lines(
            "Latency by revision",
            "Median, 95th and 99th percentile; dots are single calls, click on one for its trace. The 99th "
            "alone grows: queueing. All grow: the engine or the bodies.",
            "s",
            Query(quantile(0.5, seconds, OF, *CALLS), f"p50 {NAME}"),
            Query(quantile(0.95, seconds, OF, *CALLS), f"p95 {NAME}", exemplars=True),
            Query(quantile(0.99, seconds, OF, *CALLS), f"p99 {NAME}"),
            limits=Limits(None, SLOW_SECONDS),
            link=link_to("modelserve-canary", "Canary of ${__field.labels.model}"),
        ),
        lines(
            f"Share of calls over {SLOW_SECONDS:g} s",
            f"By revision; the objective is {SLOW_SHARE:.0%}.",
            "percentunit",
            Query(slow_share(OF, SLOW_SECONDS, *CALLS), NAME),
            limits=Limits(None, SLOW_SHARE),
        ),
        heat(
            "Latencies",
            "All calls by how long they took. Two bands are two kinds of calls, such as hits of the cache.",
            "s",
            Query(by("le", rate(f"{seconds}_bucket", *CALLS)), "{{le}}", exemplars=True),
        ),
        lines(
            "Where the time goes",
            "Mean seconds of a call in the queue and of a batch in the engine. The rest is decoding, "
            "preprocessing and encoding. Queue above engine: add replicas.",
            "s",
            Query(mean(seconds, OF, *CALLS), f"call {NAME}"),
            Query(mean("modelserve_queue_seconds", OF, *CALLS), f"queue {NAME}"),
            Query(mean("modelserve_engine_seconds", OF, *CALLS), f"engine {NAME}"),
        ),
        lines(
            "Wait for the engine",
            "95th percentile of the time in the queue. It is the first to grow under load.",
            "s",
            Query(quantile(0.95, "modelserve_queue_seconds", OF, *CALLS), NAME),
        ),
        lines(
            "Time in the engine",
            "95th percentile for a batch. It grows with batches, with longer texts, and where nodes are "
            "shared.",
            "s",
            Query(quantile(0.95, "modelserve_engine_seconds", OF, *CALLS), NAME),
        ),
    ]


def _logs() -> Panel:
    return logs(
        "Warnings and errors",
        "Of the chosen revisions, newest first. A line with a trace_id leads to the trace of its call.",
        '{namespace=~"$namespace"} | json | level=~"WARNING|ERROR|CRITICAL" | revision=~"$revision"',
    )
