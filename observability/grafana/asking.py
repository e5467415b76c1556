"""What a panel asks, and from where its numbers are bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard, prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

PROMETHEUS = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")

GOOD, DOUBTFUL, BAD = "green", "yellow", "red"


@dataclass(frozen=True)
class Query:
    """What is asked, and what its series are called.

    Attributes:
        expression: PromQL.
        legend: with labels in double braces.
        exemplars: whether traces of single calls are marked, where the metric has them.
    """

    expression: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True)
class Limits:
    """From where a number is doubtful and bad; with ``falling`` it is so below, not above.

    Attributes:
        doubtful: the first edge; None where there is none between good and bad.
        bad: the second one.
        falling: whether small numbers are the bad ones.
    """

    doubtful: float | None
    bad: float
    falling: bool = False

    def build(self) -> dashboard.ThresholdsConfig:
        """As Grafana has it: steps upwards, each with the colour from there on."""
        edges: list[tuple[float | None, str]]
        if self.falling:
            edges = [
                (None, BAD),
                (self.bad, GOOD if self.doubtful is None else DOUBTFUL),
                (self.doubtful, GOOD),
            ]
        else:
            edges = [(None, GOOD), (self.doubtful, DOUBTFUL), (self.bad, BAD)]
        first, *others = edges
        steps = [first, *(edge for edge in others if edge[0] is not None)]
        return (
            dashboard.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps([models.Threshold(value=value, color=color) for value, color in steps])
        )


NO_LIMITS = (
    dashboard.ThresholdsConfig()
    .mode(models.ThresholdsMode.ABSOLUTE)
    .steps([models.Threshold(value=None, color=GOOD)])
)


def targets(queries: Sequence[Query], *, is_instant: bool = False) -> list[Builder[Dataquery]]:
    """All that a panel asks: of now where it is instant, else of the shown time."""
    return [target(query, place, is_instant=is_instant) for place, query in enumerate(queries)]


def target(query: Query, place: int, *, is_instant: bool) -> prometheus.Dataquery:
    """One of them, by its place among all."""
    asked = (
        prometheus.Dataquery()
        .ref_id(reference(place))
        .datasource(PROMETHEUS)
        .editor_mode(prometheus_models.QueryEditorMode.CODE)
        .expr(query.expression)
        .legend_format(query.legend or "__auto")
    )
    if is_instant:
        return asked.instant()
    asked.range()
    return asked.exemplar(True) if query.exemplars else asked


def reference(place: int) -> str:
    """The letter by which a panel knows what it asks at this place."""
    return "ABCDEFGH"[place]
