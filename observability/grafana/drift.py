"""Drift and shadow: have the inputs or the answers changed, and would another model answer otherwise."""

from __future__ import annotations

from grafana.asking import BAD, GOOD, Limits, Query
from grafana.frame import Board, Variable, choice, link_to
from grafana.panels import Panel, lines, number, states, table
from grafana.promql import RANGE, by, quantile, rate, series, share_of
from modelserve.drift.settings import DriftSettings
from modelserve.shadow.verdicts import Criteria

_DETECTED = 'modelserve_drift_detected{namespace=~"$namespace"'
_WHOSE = (
    'namespace=~"$namespace"',
    'model=~"$model"',
    'revision=~"$revision"',
    'baseline=~"$baseline"',
)
_SHADOW = ('namespace=~"$namespace"', 'model=~"$model"')
_SINK = ('namespace=~"$namespace"',)
_FEATURE = "model, revision, baseline, feature"
_NAME = "{{feature}} {{revision}} against {{baseline}}"
_ALPHA, _MIN_EFFECT = (float(DriftSettings.model_fields[name].default) for name in ("alpha", "min_effect"))
_SERVING = link_to("modelserve-serving", "Serving of ${__field.labels.model}")


def board() -> Board:
    """The dashboard."""
    return Board(
        uid="modelserve-drift",
        title="modelserve / Drift and shadow",
        description="For who owns the model: did inputs or answers change, would a shadow answer otherwise.",
        variables=_variables(),
        rows=[
            ("Drift", _drift()),
            ("Shadow", _shadow()),
            ("What the detector and the shadow take in", _taken()),
        ],
    )


def _variables() -> list[Variable]:
    return [
        choice("namespace", "Namespace", "label_values(modelserve_drift_detected, namespace)"),
        choice("model", "Service", f"label_values({_DETECTED}}}, model)"),
        choice("revision", "Revision", f'label_values({_DETECTED},model=~"$model"}}, revision)'),
        choice(
            "baseline",
            "Against",
            f'label_values({_DETECTED},model=~"$model",revision=~"$revision"}}, baseline)',
        ),
    ]


def _drift() -> list[Panel]:
    effect = "modelserve_drift_effect"
    return [
        states(
            "Alarms",
            "Red while enough of the last windows are called drifted. Against reference: inputs or answers "
            "are not what the model was made with; look at the features, then at the detector's /report, "
            "and retrain or take a new reference. Against a revision: the two models differ.",
            Query(
                by(
                    "namespace, model, revision, baseline",
                    series("modelserve_drift_detected", *_WHOSE),
                    how="max",
                ),
                "{{model}} {{revision}} against {{baseline}}",
            ),
            named=[("0", "no alarm", GOOD), ("1", "drift", BAD)],
            link=_SERVING,
        ),
        lines(
            "Effect by feature",
            "How far each feature of the last window is from the baseline, from 0 to 1. Below the line "
            "nothing is called drift, however certain it is.",
            "percentunit",
            Query(by(f"namespace, {_FEATURE}", series(effect, *_WHOSE), how="max"), _NAME),
            limits=Limits(None, _MIN_EFFECT),
            link=_SERVING,
            most=1,
            width=12,
        ),
        lines(
            "p-value by feature",
            "Corrected for the number of features. Below the line a window is called drifted, if the "
            "effect is large enough. Small with a small effect: harmless, windows are large.",
            "short",
            Query(by(_FEATURE, series("modelserve_drift_p_value", *_WHOSE), how="min"), _NAME),
            limits=Limits(None, _ALPHA, falling=True),
            logarithmic=True,
        ),
        lines(
            "Statistic by feature",
            "Of the test of that feature; compare it with itself only.",
            "short",
            Query(
                by(f"{_FEATURE}, detector", series("modelserve_drift_statistic", *_WHOSE), how="max"), _NAME
            ),
        ),
        lines(
            "Samples in the last window",
            "A revision with few calls has late windows, and an alarm comes late.",
            "short",
            Query(
                by(
                    "model, revision, baseline", series("modelserve_drift_window_samples", *_WHOSE), how="max"
                ),
                "{{model}} {{revision}} against {{baseline}}",
            ),
        ),
        table(
            "Features that moved most",
            "As of the last window of each revision, the farthest from its baseline first.",
            (
                "effect",
                "percentunit",
                Query(f"topk(20, {by(_FEATURE, series(effect, *_WHOSE), how='max')})"),
            ),
            (
                "p-value",
                "short",
                Query(by(_FEATURE, series("modelserve_drift_p_value", *_WHOSE), how="min")),
            ),
            keys=["model", "revision", "baseline", "feature"],
        ),
    ]


def _shadow() -> list[Panel]:
    criteria = Criteria()
    seconds = "modelserve_shadow_answer_seconds"
    compared = "modelserve_shadow_compared_total"
    return [
        lines(
            "Answers that differ",
            "Mean share of a call's texts or images, with bounds that hold at every look. The upper bound "
            f"below {criteria.limit:.0%}: they agree. The lower one above {criteria.tolerance:.0%}: they do "
            "not; see the examples on the shadow's /report.",
            "percentunit",
            *_bounds("modelserve_shadow_disagreement_ratio", "modelserve_shadow_disagreement"),
            limits=Limits(criteria.tolerance, criteria.limit),
        ),
        lines(
            "Entities that agree",
            "F1 of the new answers' entities against the logged ones', with bounds for one look. Nothing "
            "for images.",
            "percentunit",
            *_bounds("modelserve_shadow_entity_f1", "modelserve_shadow_entity_f1"),
            most=1,
        ),
        lines(
            "Distance of scores",
            "Mean absolute difference, with bounds for one look. It moves before answers do.",
            "percentunit",
            *_bounds("modelserve_shadow_score_distance", "modelserve_shadow_score_distance"),
        ),
        lines(
            "Answers that differ now",
            "Mean share in the window, by the revision that had given the logged answer. The panel on the "
            "left is of the comparison as a whole.",
            "percentunit",
            Query(
                f"{_calls('sum')} / ({_calls('count')} > 0)",
                "{{revision}} instead of {{logged_revision}}",
            ),
        ),
        lines(
            "Logged calls by what became of them",
            "agreed and disagreed were compared; the others say why not. failed_*: the server that is "
            "compared with does not answer. skipped_*: more comes than --rate lets through.",
            "cps",
            Query(by("outcome", rate(compared, *_SHADOW)), "{{outcome}}"),
            stacked=True,
        ),
        lines(
            "95th percentile of the latency",
            "To the logged answer, by the agent's clock, and to the new one of the same calls.",
            "s",
            Query(quantile(0.95, seconds, "model, revision, answer", *_SHADOW), "{{answer}} {{revision}}"),
        ),
    ]


def _taken() -> list[Panel]:
    return [
        lines(
            "Events of the detector",
            "By what became of them. dropped: no room, it is too slow or the store is. half_*: the agent "
            "lost the other half. Nothing at all: the request log is off, or its broker is.",
            "cps",
            Query(by("outcome", rate("modelserve_drift_events_total", *_SINK)), "{{outcome}}"),
            stacked=True,
        ),
        lines(
            "Events of the shadow",
            "By what became of them, likewise.",
            "cps",
            Query(by("outcome", rate("modelserve_shadow_events_total", *_SINK)), "{{outcome}}"),
            stacked=True,
        ),
        number(
            "Events lost",
            "Share of the events in the shown time that were dropped, refused or failed. Above 1%: more "
            "replicas of the detector, or a larger queue.",
            "percentunit",
            Query(_lost("modelserve_drift_events_total")),
            limits=Limits(0.001, 0.01),
            decimals=2,
        ),
        number(
            "Events lost by the shadow",
            "Likewise.",
            "percentunit",
            Query(_lost("modelserve_shadow_events_total")),
            limits=Limits(0.001, 0.01),
            decimals=2,
        ),
        lines(
            "Events that wait",
            "In the detector and in the shadow. Rising without end: events will be dropped.",
            "short",
            Query(by("", series("modelserve_drift_queue_messages", *_SINK)), "detector"),
            Query(by("", series("modelserve_shadow_queue_messages", *_SINK)), "shadow"),
        ),
        lines(
            "Bytes that wait",
            "Likewise, with those that are being read.",
            "bytes",
            Query(by("", series("modelserve_drift_queue_bytes", *_SINK)), "detector"),
            Query(by("", series("modelserve_shadow_queue_bytes", *_SINK)), "shadow"),
        ),
    ]


def _bounds(estimate: str, name: str) -> list[Query]:
    """An estimate, and its two bounds."""
    named = [(estimate, "estimate"), (f"{name}_lower", "lower"), (f"{name}_upper", "upper")]
    return [
        Query(by("model, revision", series(metric, *_SHADOW), how="max"), f"{what} {{{{revision}}}}")
        for metric, what in named
    ]


def _calls(part: str) -> str:
    labels = "model, revision, logged_revision"
    return by(labels, rate(f"modelserve_shadow_call_disagreement_{part}", *_SHADOW))


def _lost(events: str) -> str:
    return share_of(events, "", 'outcome=~"dropped|refused|failed"', *_SINK, window=RANGE)
