"""The picture of a simulation: how many canaries were rolled back by how many of their requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from modelserve.canary.simulation.simulating import FLAGGER, JUDGE, JUDGE_SET, KAYENTA, Row
from modelserve.errors import ModelServeError

_STYLES = {
    JUDGE: {"color": "#1b6ca8", "linestyle": "-"},
    JUDGE_SET: {"color": "#1b6ca8", "linestyle": ":"},
    FLAGGER: {"color": "#b2182b", "linestyle": "--"},
    KAYENTA: {"color": "#6b7280", "linestyle": "-."},
}


class UnknownFormat(ModelServeError):
    """A picture of no known format; the message names those that are."""


def expect_format(file: Path) -> None:
    """Make sure that a file's ending says a format, before hours of runs that it is to show.

    Raises:
        UnknownFormat: it does not.
    """
    known = Figure().canvas.get_supported_filetypes()
    if file.suffix[1:].lower() not in known:
        raise UnknownFormat(
            f"{file} ends with no format of pictures; .{', .'.join(sorted(known))} are accepted"
        )


def draw_rows(rows: Sequence[Row], file: Path) -> None:
    """Draw a panel for each scenario, and a line for each judge.

    Args:
        rows: of all scenarios.
        file: to write; its ending says in which format.
    """
    names = list(dict.fromkeys(row.scenario for row in rows))
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "modelserve"}):
        figure = Figure(figsize=(3.2 * len(names), 3.0), layout="constrained")
        axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axis, name in zip(axes, names, strict=True):
            is_empty = True
            for row in rows:
                if row.scenario == name:
                    until = np.sort(row.outcomes.requests_until)
                    shares = np.arange(1, until.size + 1) / until.size
                    told = np.isfinite(until)
                    axis.step(until[told], shares[told], where="post", label=row.judge, **_STYLES[row.judge])
                    is_empty &= not told.any()
            axis.set_title(name, fontsize=9)
            axis.set_xlim(left=0)
            if is_empty:
                axis.set_xticks([])
                axis.text(0.5, 0.3, "none", transform=axis.transAxes, ha="center")
            axis.set_xlabel("requests to the canary")
            axis.set_ylim(0, 1.02)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("canaries rolled back")
        # The first panel is of equal canaries, and has room.
        axes[0].legend(*axes[-1].get_legend_handles_labels(), frameon=False, fontsize=8, loc="upper left")
        figure.savefig(file, dpi=120)
