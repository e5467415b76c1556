"""What all dashboards have: variables, marks of canaries and drift, links to each other, and a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from grafana.asking import PROMETHEUS
from grafana.panels import Panel

_TAG = "modelserve"
_INTERVALS = "2m,5m,15m,1h,6h"
"""Windows of rates. Four scrapes of 30 s are the least that a rate can be trusted with."""

_LOADED = "modelserve_model_loaded"
_SAME_SERVICE = "var-namespace=${__field.labels.namespace}&var-model=${__field.labels.model}"

Variable: TypeAlias = dashboard.QueryVariable | dashboard.TextBoxVariable


@dataclass(frozen=True)
class Board:
    """A dashboard, before it has a grid.

    Attributes:
        uid: part of its address, which links to it keep.
        title: of it.
        description: whom it is for, and which question it answers.
        variables: beside the data source and the interval, which all have.
        rows: titles, each with its panels.
        has_marks: whether canaries and drift of the chosen namespaces and models are marked.
    """

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[tuple[str, Sequence[Panel]]]
    has_marks: bool = True

    def build(self) -> models.Dashboard:
        """As Grafana has it, with numbered panels."""
        board = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([_TAG])
            .time("now-3h", "now")
            .refresh("1m")
            .timezone("browser")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
            .link(
                dashboard.DashboardLink("modelserve")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags([_TAG])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
        )
        for variable in self.variables:
            board.with_variable(variable)
        if self.has_marks:
            board.annotations(_annotations())
        board.with_variable(_interval())
        number = 0
        for title, panels in self.rows:
            number += 1
            board.with_row(dashboard.Row(title).id(number))
            for panel in panels:
                number += 1
                board.with_panel(panel.id(number))
        return board.build()


def choice(name: str, label: str, query: str, *, has_all: bool = True) -> dashboard.QueryVariable:
    """A variable with the values that a label has; several may be chosen.

    Args:
        name: in queries.
        label: for people.
        query: as ``label_values(series, label)``.
        has_all: whether all of them is a choice, and the first one. It matches series without the label too.
    """
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(has_all)
    )
    if has_all:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.include_all(True).all_value(".*").current(everything)
    return variable


def of_server(*, has_component: bool = True) -> list[Variable]:
    """Namespace, model, component and revision, as servers tell them."""
    chosen = 'namespace=~"$namespace"'
    variables: list[Variable] = [choice("namespace", "Namespace", f"label_values({_LOADED}, namespace)")]
    for name in ("model", "component", "revision") if has_component else ("model", "revision"):
        variables.append(choice(name, name.capitalize(), f"label_values({_LOADED}{{{chosen}}}, {name})"))
        chosen += f',{name}=~"${name}"'
    return variables


def link_to(uid: str, title: str) -> dashboard.DashboardLink:
    """A link from a series to another dashboard, of the same service and time."""
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"/d/{uid}?${{__url_time_range}}&{_SAME_SERVICE}")
    )


def _interval() -> dashboard.IntervalVariable:
    return (
        dashboard.IntervalVariable("interval")
        .label("Interval")
        .description("Window of rates and quantiles: longer is smoother and later")
        .values(_INTERVALS)
        .current(models.VariableOption(selected=True, text="5m", value="5m"))
        .options(
            [
                models.VariableOption(text=value, value=value, selected=value == "5m")
                for value in _INTERVALS.split(",")
            ]
        )
    )


def _annotations() -> list[Builder[models.AnnotationQuery]]:
    """While a canary has some of the calls, once it is called worse, and while there is a drift alarm."""
    whose = 'namespace=~"$namespace",model=~"$model"'
    return [
        _annotation(
            "Canaries",
            "blue",
            f"max by (namespace, model, revision) (modelserve_canary_traffic_percent{{{whose}}} > 0 < 100)",
            "Canary {{revision}}",
        ),
        _annotation(
            "Failed canaries",
            "red",
            f'max by (namespace, model, revision) (modelserve_canary_verdict{{{whose},verdict="fail"}} == 1)',
            "Canary {{revision}} is worse",
        ),
        _annotation(
            "Drift",
            "orange",
            f"max by (namespace, model, revision, baseline) (modelserve_drift_detected{{{whose}}} == 1)",
            "Drift of {{revision}} against {{baseline}}",
        ),
    ]


def _annotation(name: str, color: str, expression: str, title: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(color)
        .expr(expression)
        .step("60s")
        .title_format(title)
        .text_format("{{namespace}}/{{model}}")
        .tag_keys("namespace,model,revision")
    )
