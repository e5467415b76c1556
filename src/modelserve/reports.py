"""What reports for people have in common: pages in one file, and pictures drawn into them."""

from __future__ import annotations

import io
import warnings
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#374151", "#e5e7eb"

_DRAWING = Lock()
"""matplotlib's settings are the process's, and pages may be asked for by several threads."""

_UNSAID = {"Creator": None, "Date": None, "Format": None, "Type": None}
"""What matplotlib would tell of the drawing, and not of what it shows."""


def page_template(package: str, name: str, **filters: object) -> Template:
    """A template of a package, in which all is escaped that is not ``Markup``.

    Args:
        package: that holds the file.
        name: of the file.
        filters: further ones beside ``utc`` and ``data_uri``.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(utc=_utc, data_uri=_data_uri, **filters)
    return environment.from_string(files(package).joinpath(name).read_text("utf-8"))


def plain_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture, in inches."""
    figure, (axes,) = plain_panels(width, height, 1)
    return figure, axes


def plain_panels(width: float, height: float, count: int) -> tuple[Figure, Sequence[Axes]]:
    """Empty panels below each other with one horizontal axis, in inches.

    Without pyplot, which would keep the picture in the process.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # for whoever draws

    figure = Figure(figsize=(width, height), layout="constrained")
    panels: list[Axes] = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        for spine in axes.spines.values():
            spine.set_color(GRID)
        axes.tick_params(colors=INK, labelsize=9)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
    return figure, panels


def time_axis(axes: Axes) -> None:
    """Let a horizontal axis of matplotlib's dates tell times of day, and the date once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415  # for whoever draws

    # With as many ticks at least as matplotlib has by default, there are spans of time that fit no interval.
    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def format_seconds(seconds: float) -> str:
    """In the unit that makes it short."""
    if abs(seconds) >= 1:
        return f"{seconds:.3g} s"
    return f"{1e3 * seconds:.3g} ms" if abs(seconds) >= 1e-3 else f"{1e6 * seconds:.3g} µs"


def verbatim(name: str, most: int | None = None) -> str:
    """A name from outside as matplotlib draws it: its dollars are no formula, and it stays on its line.

    Args:
        name: to draw.
        most: characters of it; None for all.
    """
    if most is not None and len(name) > most:
        name = f"{name[: most - 1]}…"
    return "".join(one if one.isprintable() else "�" for one in name).replace("$", r"\$")


def svg(figure: Figure, title: str) -> Markup:
    """A picture as it stands in a page, without what only a file has; the same figure is the same text.

    Args:
        figure: to write.
        title: for those who cannot see it; its ids are made of it, and stay apart from other pictures'.
    """
    from matplotlib import rc_context  # noqa: PLC0415  # for whoever draws

    stream = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": title}
    with _DRAWING, rc_context(settings), warnings.catch_warnings():
        # Text stays text, which readers' fonts draw: what matplotlib's lacks is only measured a little wrong.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(stream, format="svg", transparent=True, metadata={**_UNSAID, "Title": title})
    drawn = stream.getvalue()
    return Markup(drawn[drawn.index("<svg") :])


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _data_uri(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
