"""Panels in the project's form: a unit, thresholds where a number is good or bad, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, heatmap, loki
from grafana_foundation_sdk.builders import logs as logs_panel
from grafana_foundation_sdk.builders import stat as stat_panel
from grafana_foundation_sdk.builders import statetimeline as states_panel
from grafana_foundation_sdk.builders import table as table_panel
from grafana_foundation_sdk.builders import timeseries as lines_panel
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from grafana.asking import NO_LIMITS, PROMETHEUS, Limits, Query, reference, target, targets

Panel: TypeAlias = (
    lines_panel.Panel
    | stat_panel.Panel
    | states_panel.Panel
    | heatmap.Panel
    | table_panel.Panel
    | logs_panel.Panel
)

LOKI = common_models.DataSourceRef(type_val="loki", uid="loki")

_HEIGHT = 8


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    limits: Limits | None = None,
    link: dashboard.DashboardLink | None = None,
    stacked: bool = False,
    logarithmic: bool = False,
    most: float | None = None,
    width: int = 8,
) -> lines_panel.Panel:
    """Lines over time.

    Args:
        title: of the panel.
        description: what it shows, and what to do.
        unit: by Grafana's name.
        queries: one or more.
        limits: lines in the panel.
        link: where a click on a series leads.
        stacked: whether the series are parts of one whole.
        logarithmic: whether the axis is.
        most: the axis's end.
        width: of 24.
    """
    panel = (
        lines_panel.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .height(_HEIGHT)
        .span(width)
        .line_width(1)
        .fill_opacity(40 if stacked else 5)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .targets(targets(queries))
    )
    if not logarithmic:
        panel.min(0)
    else:
        scale = common.ScaleDistributionConfig().type(common_models.ScaleDistribution.LOG).log(10)
        panel.scale_distribution(scale)
    if most is not None:
        panel.max(most)
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if limits is not None:
        panel.thresholds(limits.build()).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        )
    if link is not None:
        panel.data_links([link])
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    limits: Limits | None = None,
    decimals: int | None = None,
    width: int = 4,
) -> stat_panel.Panel:
    """One number, of now or of the shown time; see ``lines`` for the arguments."""
    panel = (
        stat_panel.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .no_value("none")
        .height(4)
        .span(width)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(NO_LIMITS if limits is None else limits.build())
        .color_mode(
            common_models.BigValueColorMode.NONE if limits is None else common_models.BigValueColorMode.VALUE
        )
        .targets(targets([query], is_instant=True))
    )
    if decimals is not None:
        panel.decimals(decimals)
    return panel


def states(
    title: str,
    description: str,
    *queries: Query,
    named: Sequence[tuple[str, str, str]],
    link: dashboard.DashboardLink | None = None,
    width: int = 12,
) -> states_panel.Panel:
    """A bar for each series, by what it is over time.

    Args:
        title: of the panel.
        description: what it shows, and what to do.
        queries: one or more.
        named: values as text, with what they are called and their colour.
        link: where a click on a series leads.
        width: of 24.
    """
    options = {
        value: models.ValueMappingResult(text=text, color=color, index=place)
        for place, (value, text, color) in enumerate(named)
    }
    panel = (
        states_panel.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("short")
        .height(_HEIGHT)
        .span(width)
        .mappings([models.ValueMap(options=options)])
        .merge_values(True)
        .show_value(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
        )
        .targets(targets(queries))
    )
    if link is not None:
        panel.data_links([link])
    return panel


def heat(title: str, description: str, unit: str, query: Query, *, width: int = 8) -> heatmap.Panel:
    """How a histogram's observations are spread, over time; see ``lines`` for the arguments."""
    asked = target(query, 0, is_instant=False).format(prometheus_models.PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .height(_HEIGHT)
        .span(width)
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common_models.AxisPlacement.LEFT))
        .targets([asked])
    )


def table(
    title: str,
    description: str,
    *columns: tuple[str, str, Query],
    keys: Sequence[str],
    width: int = 24,
) -> table_panel.Panel:
    """A row for each set of labels, as it is now.

    Args:
        title: of the panel.
        description: what it shows, and what to do.
        columns: each with its name, its unit and what it shows.
        keys: labels by which the columns' series are one row; the first columns.
        width: of 24.
    """
    asked = [
        target(query, place, is_instant=True).format(prometheus_models.PromQueryFormat.TABLE)
        for place, (_, _, query) in enumerate(columns)
    ]
    values = {
        f"Value #{reference(place)}" if len(columns) > 1 else "Value": name
        for place, (name, *_) in enumerate(columns)
    }
    order = {name: place for place, name in enumerate([*keys, *values])}
    organize: dict[str, object] = {
        "excludeByName": {"Time": True},
        "indexByName": order,
        "renameByName": values,
    }
    panel = (
        table_panel.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("short")
        .height(_HEIGHT)
        .span(width)
        .targets([*asked])
        .transformations(
            [
                models.DataTransformerConfig(id_val="merge", options={}),
                models.DataTransformerConfig(id_val="organize", options=organize),
            ]
        )
    )
    for name, unit, _ in columns:
        panel.override_by_name(name, [models.DynamicConfigValue(id_val="unit", value=unit)])
    return panel


def logs(title: str, description: str, expression: str) -> logs_panel.Panel:
    """Log lines out of Loki."""
    return (
        logs_panel.Panel()
        .title(title)
        .description(description)
        .datasource(LOKI)
        .height(_HEIGHT)
        .span(24)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common_models.LogsSortOrder.DESCENDING)
        .dedup_strategy(common_models.LogsDedupStrategy.NONE)
        .targets([loki.Dataquery().expr(expression).ref_id("A").datasource(LOKI)])
    )
