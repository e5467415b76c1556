"""Canaries: is the new revision as good as the old one, and what does the judge think."""

from __future__ import annotations

from collections.abc import Callable

from grafana.asking import BAD, DOUBTFUL, GOOD, Limits, Query
from grafana.frame import Board, link_to, of_server
from grafana.objectives import CANARY
from grafana.panels import Panel, lines, number, states
from grafana.promql import FAILED, by, failed_share, mean, quantile, rate, series, share
from modelserve.canary.judge.policy import ShareLimits
from modelserve.canary.judge.verdicts import Verdict

_OF = "namespace, model, revision"
_NAME = "{{revision}}"
_WHOSE = ('namespace=~"$namespace"', 'model=~"$model"')
# A transformer has revisions too, and passes the calls on: with it, a canary would be compared with both.
_CALLS = (*_WHOSE, 'revision=~"$revision"', 'component=~"predictor|"', 'model!=""')
_CANARIES = by(_OF, series("modelserve_canary_traffic_percent", *_WHOSE), how="max")
_SECONDS = "modelserve_request_seconds"
_AGAINST_REFERENCE = '{namespace=~"$namespace",model=~"$model",baseline="reference"}'
_COLOURS = {Verdict.PASS: GOOD, Verdict.INCONCLUSIVE: "blue", Verdict.ERROR: DOUBTFUL, Verdict.FAIL: BAD}

Side = Callable[..., str]
"""Gives the counters of the canary, or those of what it is compared with."""


def board() -> Board:
    """The dashboard."""
    return Board(
        uid="modelserve-canary",
        title="modelserve / Canaries",
        description="For who rolls a model out: is the new revision as good as the stable one.",
        variables=of_server(has_component=False),
        rows=[
            ("Where it stands", _standing()),
            ("Canary against stable", _against()),
            ("Both revisions", _both()),
        ],
    )


def _standing() -> list[Panel]:
    return [
        lines(
            "Calls that the canary gets",
            "Percent, as the controller set it. It stands still while the judge is inconclusive, and falls "
            "to 0 on a roll-back. The same for hours: too few calls for a verdict, or the controller does "
            "not run.",
            "percent",
            Query(_CANARIES, "{{model}} {{revision}}"),
            most=100,
        ),
        states(
            "The judge's verdict",
            "Inconclusive: more calls are needed. Error: what it asks does not answer, see the "
            "controller's log. Fail: it is rolled back; the reasons are at /canaries/NAMESPACE/SERVICE of "
            "the controller.",
            Query(" or ".join(map(_verdict, Verdict)), "{{model}} {{revision}}"),
            named=[(str(place), verdict.value, _COLOURS[verdict]) for place, verdict in enumerate(Verdict)],
            width=8,
        ),
        lines(
            "Steps by how they ended",
            "In the window. rolled_back: read the reasons before trying again. superseded: a newer "
            "revision came.",
            "short",
            Query(
                by(
                    "model, outcome",
                    f"increase({series('modelserve_canary_steps_total', *_WHOSE)}[$interval])",
                ),
                "{{model}} {{outcome}}",
            ),
        ),
    ]


def _against() -> list[Panel]:
    slower = next(check for check in CANARY.latency if check.quantile == 0.95)
    errors = CANARY.errors or ShareLimits(0, 0.01)
    confidence = CANARY.confidence or ShareLimits(0, 0.15)
    return [
        number(
            "Failures more than stable",
            f"The canary's share of failed calls less the stable revision's. The judge tolerates "
            f"{errors.tolerated:.2%} and lets nothing pass that may be above {errors.limit:.0%}.",
            "percentunit",
            Query(f"{_failed(_canary)} - {_failed(_stable)}", "{{model}}"),
            limits=_limits(errors),
            decimals=2,
        ),
        number(
            "Slower than stable",
            "95th percentile of the canary by the stable revision's: 1 is as fast. The judge tolerates "
            f"{slower.tolerated:g} and lets nothing pass that may be above {slower.limit:g}. Read it with "
            "enough calls only.",
            "short",
            Query(f"{_p95(_canary)} / {_p95(_stable)}", "{{model}}"),
            limits=Limits(slower.tolerated, slower.limit),
            decimals=2,
        ),
        number(
            "Confidence less than stable",
            "Mean score of the stable revision less the canary's. Some change is natural in a new model; "
            f"above {confidence.tolerated:.0%} compare what both say of the same inputs in the shadow's "
            "report.",
            "percentunit",
            Query(f"{_confidence(_stable)} - {_confidence(_canary)}", "{{model}}"),
            limits=_limits(confidence),
            decimals=2,
        ),
        number(
            "Calls to the canary",
            f"In the shown time. Below {CANARY.least_requests} the judge does not let it pass, whatever it "
            "sees.",
            "short",
            Query(by("", _canary("increase", "modelserve_requests_total", window="$__range"))),
            limits=Limits(None, CANARY.least_requests, falling=True),
            decimals=0,
        ),
        number(
            "Drift alarm on the canary",
            "1 while the canary's answers drift from its own reference. Where the stable revision has "
            "none, it is the model: roll back.",
            "short",
            Query(f"max(modelserve_drift_detected{_AGAINST_REFERENCE} and on ({_OF}) {_CANARIES})"),
            limits=Limits(None, 1),
            decimals=0,
        ),
        number(
            "Answers that differ",
            "Share of the replayed calls on which the canary answers otherwise than the stable revision did.",
            "percentunit",
            Query(by("", series("modelserve_shadow_disagreement_ratio", *_WHOSE), how="max")),
            limits=Limits(0.01, 0.03),
            decimals=2,
        ),
    ]


def _both() -> list[Panel]:
    requests, predictions = "modelserve_requests_total", "modelserve_predictions_total"
    calls = by("namespace, model", rate(requests, *_CALLS))
    return [
        lines(
            "Calls by revision, as they arrive",
            "Share of the calls. It has to follow what the controller set; where it does not, someone else "
            "writes the traffic.",
            "percentunit",
            Query(
                f"{by(_OF, rate(requests, *_CALLS))} / on (namespace, model) group_left () ({calls} > 0)",
                "{{model}} {{revision}}",
            ),
            stacked=True,
            most=1,
            link=link_to("modelserve-serving", "Serving of ${__field.labels.model}"),
        ),
        lines(
            "Failed calls by revision",
            "Share of the calls. Both rise: the cause is shared, the canary is not to blame.",
            "percentunit",
            Query(failed_share(_OF, *_CALLS), _NAME),
            link=link_to("modelserve-serving", "Serving of ${__field.labels.model}"),
        ),
        lines(
            "95th percentile of the latency by revision",
            "A canary's first minutes are slow: caches are cold. Dots are single calls, click on one for "
            "its trace.",
            "s",
            Query(quantile(0.95, _SECONDS, _OF, *_CALLS), _NAME, exemplars=True),
            link=link_to("modelserve-serving", "Serving of ${__field.labels.model}"),
        ),
        lines(
            "Labels by revision",
            "Share of each label among a revision's predictions. They get the same calls by chance, so the "
            "shares should be the same.",
            "percentunit",
            Query(
                f"{by(f'{_OF}, label', rate(predictions, *_CALLS))} / on ({_OF}) group_left () "
                f"({by(_OF, rate(predictions, *_CALLS))} > 0)",
                "{{label}} {{revision}}",
            ),
        ),
        lines(
            "Confidence by revision",
            "Mean score of entities and best labels.",
            "percentunit",
            Query(mean("modelserve_prediction_confidence", _OF, *_CALLS), _NAME),
            most=1,
        ),
        lines(
            "Drift alarms by revision",
            "1 while there is one. On both: the inputs have changed. On the canary alone: the model.",
            "short",
            Query(
                by(f"{_OF}, baseline", series("modelserve_drift_detected", *_WHOSE), how="max"),
                "{{revision}} against {{baseline}}",
            ),
            link=link_to("modelserve-drift", "Drift of ${__field.labels.model}"),
            most=1,
        ),
    ]


def _limits(limits: ShareLimits) -> Limits:
    return Limits(limits.tolerated, limits.limit)


def _canary(function: str, metric: str, *matchers: str, window: str = "$interval") -> str:
    """A counter of the revisions that are canaries."""
    return f"{function}({series(metric, *_CALLS, *matchers)}[{window}]) and on ({_OF}) {_CANARIES}"


def _stable(function: str, metric: str, *matchers: str, window: str = "$interval") -> str:
    """A counter of the other revisions of services that have a canary."""
    return (
        f"({function}({series(metric, *_CALLS, *matchers)}[{window}]) unless on ({_OF}) {_CANARIES}) "
        f"and on (namespace, model) {_CANARIES}"
    )


def _failed(side: Side) -> str:
    requests = "modelserve_requests_total"
    return f"({share(_total(side('rate', requests, FAILED)), _total(side('rate', requests)))})"


def _p95(side: Side) -> str:
    return f"histogram_quantile(0.95, {by('namespace, model, le', side('rate', f'{_SECONDS}_bucket'))})"


def _confidence(side: Side) -> str:
    scores = "modelserve_prediction_confidence"
    return f"({_total(side('rate', f'{scores}_sum'))} / ({_total(side('rate', f'{scores}_count'))} > 0))"


def _total(counters: str) -> str:
    return by("namespace, model", counters)


def _verdict(verdict: Verdict) -> str:
    """The place of a verdict among all, while it is the last one."""
    shown = series("modelserve_canary_verdict", *_WHOSE, f'verdict="{verdict.value}"')
    return f"{list(Verdict).index(verdict)} * (max by ({_OF}) ({shown}) == 1)"
