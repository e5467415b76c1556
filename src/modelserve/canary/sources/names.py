"""The names that counters of revisions have in Prometheus, by who counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_CALLERS_FAULTS = frozenset({"ok", "invalid_input", "not_found", "too_large", "cancelled"})


@dataclass(frozen=True, slots=True)
class Names:
    """What to ask for, as PromQL with ``$namespace`` and ``$revision`` in it.

    Attributes:
        presence: what is there of a revision whose pods were scraped within a day, called or not.
        requests: a counter of requests, or a histogram's.
        outcome: the label that says how a request ended.
        is_error: whether it ended so by a fault of the server.
        seconds: a histogram's buckets.
        unit_seconds: of its bounds.
        labels: a counter of predictions with a ``label``; empty where there is none.
        confidence: the buckets of predictions' scores; likewise.
    """

    presence: str
    requests: str
    outcome: str
    is_error: Callable[[str], bool]
    seconds: str
    unit_seconds: float = 1.0
    labels: str = ""
    confidence: str = ""


def _is_server_error(status: str) -> bool:
    # 429 is too: what a revision has no room for it does not answer. Envoy writes 0 where nothing came back.
    return status in ("", "0", "429") or status.startswith("5")


_OURS = '{namespace="$namespace",revision="$revision"}'
# The queue-proxy tells its revision in target_info, beside what it counts (Knative 0.48).
_QUEUE_PROXYS = (
    '* on (job, instance) group_left target_info{namespace="$namespace",kn_revision_name="$revision"}'
)
# Knative names a revision's Deployment after it; in Standard mode the Deployment's own name stands for one.
_DEPLOYMENTS = '{destination_workload_namespace="$namespace",destination_workload=~"$revision(-deployment)?",'

MODELSERVE = Names(
    presence=f"present_over_time(modelserve_model_loaded{_OURS}[1d])",
    requests=f"modelserve_requests_total{_OURS}",
    outcome="outcome",
    is_error=lambda outcome: outcome not in _CALLERS_FAULTS,
    seconds=f"modelserve_request_seconds_bucket{_OURS}",
    labels=f"modelserve_predictions_total{_OURS}",
    confidence=f"modelserve_prediction_confidence_bucket{_OURS}",
)
"""This package's servers'."""

KNATIVE = Names(
    presence='present_over_time(target_info{namespace="$namespace",kn_revision_name="$revision"}[1d])',
    requests=f"kn_serving_invocation_duration_seconds_count {_QUEUE_PROXYS}",
    outcome="http_response_status_code",
    is_error=_is_server_error,
    seconds=f"kn_serving_invocation_duration_seconds_bucket {_QUEUE_PROXYS}",
)
"""Knative's queue-proxy's, where ``request-metrics-protocol`` is set to ``prometheus``: any container's."""

ISTIO = Names(
    # A sidecar counts nothing before the first call: that it was scraped is all there is until then.
    presence='max_over_time(up{namespace="$namespace",pod=~"$revision-.+"}[1d]) > 0',
    requests=f'istio_requests_total{_DEPLOYMENTS}reporter="destination"}}',
    outcome="response_code",
    is_error=_is_server_error,
    seconds=f'istio_request_duration_milliseconds_bucket{_DEPLOYMENTS}reporter="destination"}}',
    unit_seconds=0.001,
)
"""The mesh's, as the sidecar of a revision's pod sees its calls."""

NAMES = {"modelserve": MODELSERVE, "knative": KNATIVE, "istio": ISTIO}
"""By what people call them."""
