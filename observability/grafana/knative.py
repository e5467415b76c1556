"""Knative's view: how many pods it wants and has, and what never reached the server.

Names and labels are those of Knative 0.48. The queue-proxy tells its revision in ``target_info`` alone, so
its pods have to be scraped with the labels ``namespace`` and ``revision``; the autoscaler and the activator
name the revision themselves.
"""

from __future__ import annotations

from grafana.asking import Limits, Query
from grafana.panels import Panel, lines
from grafana.promql import Matchers, by, rate, series

QUEUE_PROXY: Matchers = ('namespace=~"$namespace"', 'revision=~"$revision"')
_AUTOSCALER: Matchers = ('k8s_namespace_name=~"$namespace"', 'kn_revision_name=~"$revision"')
_OF = "kn_revision_name"


def autoscaling() -> list[Panel]:
    """Panels of a row."""
    return [
        lines(
            "Pods",
            "Wanted by the autoscaler, there, and not ready. Wanted above there for minutes: no room on the "
            "nodes, or starts fail.",
            "short",
            Query(_most("kn_revision_pods_desired"), "wanted {{kn_revision_name}}"),
            Query(_most("kn_revision_pods_count"), "there {{kn_revision_name}}"),
            Query(_most("kn_revision_pods_not_ready_count"), "not ready {{kn_revision_name}}"),
        ),
        lines(
            "Load of a pod",
            "Calls at once in a pod, averaged by the autoscaler, against its target. It adds pods to come "
            "down to the target.",
            "short",
            Query(_most("kn_revision_concurrency_stable"), "load {{kn_revision_name}}"),
            Query(_most("kn_revision_concurrency_target"), "target {{kn_revision_name}}"),
        ),
        lines(
            "Calls held by the activator",
            "Calls that wait for a pod, as on a start from zero. Often: set minReplicas to 1 where the wait "
            "matters.",
            "short",
            Query(by(_OF, series("kn_revision_request_concurrency", *_AUTOSCALER)), "{{kn_revision_name}}"),
        ),
        lines(
            "Calls by status, as Knative counts them",
            "What never reached the server is here too: a container that crashed, a full queue of the "
            "sidecar. 5xx here and none above: look at the pod, not at the model.",
            "reqps",
            Query(
                by(
                    "http_response_status_code",
                    rate("kn_serving_invocation_duration_seconds_count", *QUEUE_PROXY),
                ),
                "{{http_response_status_code}}",
            ),
            stacked=True,
        ),
        lines(
            "Calls in the queue-proxy",
            "Calls that the sidecar holds or has passed on. It holds some back, and counts them, only where "
            "the container has a limit of concurrency.",
            "short",
            Query(by("revision", series("kn_serving_queue_depth", *QUEUE_PROXY)), "{{revision}}"),
        ),
        lines(
            "Restarts",
            "Of containers, in the window. Any: see why the last one ended (out of memory, a failing probe).",
            "short",
            Query(
                by(
                    "pod, container",
                    'increase(kube_pod_container_status_restarts_total{namespace=~"$namespace"}[$interval]) '
                    "* on (namespace, pod) group_left () max by (namespace, pod) "
                    '(modelserve_model_loaded{namespace=~"$namespace",revision=~"$revision"} >= bool 0)',
                ),
                "{{pod}} {{container}}",
            ),
            limits=Limits(None, 1),
        ),
    ]


def _most(metric: str) -> str:
    """After a change of leaders two autoscalers may tell of one revision for a while."""
    return by(_OF, series(metric, *_AUTOSCALER), how="max")
