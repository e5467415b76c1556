"""Inside a server: what waits, what is computed together, and what models say."""

from __future__ import annotations

from grafana.asking import Query
from grafana.frame import link_to
from grafana.panels import Panel, lines
from grafana.promql import CALLS, SERVER, by, mean, rate, series, share_of

OF = "namespace, model, revision"
NAME = "{{model}} {{revision}}"


def queue_and_batches() -> list[Panel]:
    """How calls wait, and how they are computed together."""
    return [
        lines(
            "Calls that wait",
            "Over all models of a server. Rising without end: more comes than is computed; calls will be "
            "refused with 429 when the queue is full.",
            "short",
            Query(by("namespace, revision", series("modelserve_queue_depth", *SERVER)), "{{revision}}"),
        ),
        lines(
            "Mean batch",
            "Texts or images that the engine took at once. 1 under load means that batching does not work.",
            "short",
            Query(mean("modelserve_batch_size", OF, *CALLS), NAME),
        ),
        lines(
            "Answers from the cache",
            "Share of look-ups that were hits; nothing where no cache is on. It falls after a new revision.",
            "percentunit",
            Query(share_of("modelserve_cache_hits_total", OF, 'outcome="hit"', *CALLS), NAME),
            most=1,
        ),
    ]


def predictions() -> list[Panel]:
    """What models say."""
    said = "modelserve_predictions_total"
    whole = by("namespace, model, revision", rate(said, *CALLS))
    return [
        lines(
            "What models say",
            "Share of each label among the predictions of a revision. A share that moves on its own is "
            "drift of the inputs, or a new model.",
            "percentunit",
            Query(
                f"{by(f'{OF}, label', rate(said, *CALLS))} / on ({OF}) group_left () ({whole} > 0)",
                "{{label}} {{revision}}",
            ),
            link=link_to("modelserve-drift", "Drift of ${__field.labels.model}"),
            width=12,
        ),
        lines(
            "Confidence",
            "Mean score of entities and best labels. Falling: the model meets what it was not trained for.",
            "percentunit",
            Query(mean("modelserve_prediction_confidence", OF, *CALLS), NAME),
            link=link_to("modelserve-drift", "Drift of ${__field.labels.model}"),
            most=1,
            width=12,
        ),
    ]
