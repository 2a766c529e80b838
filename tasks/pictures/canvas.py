"""One look for every chart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.pictures.fonts import FIRST, make_legible

INK, FAINT, BLUE, ORANGE = "#1c2733", "#b8c1cb", "#2166ac", "#d6604d"
PALETTE = (BLUE, ORANGE, "#1b7837", "#8e6bb0", "#b8860b", "#35978f", "#c2548f", "#6b6b6b")
STYLE: dict[Any, Any] = {
    "font.family": FIRST,
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebef",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "savefig.dpi": 144,
}


@contextmanager
def drawn(path: Path | io.BytesIO, width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` by `height` inches, written as PNG when the block ends."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        make_legible(figure)
        figure.savefig(path, format="png", metadata={"Software": None})


def panels(figure: Figure, count: int, columns: int) -> list[Axes]:
    """`count` axes in rows of `columns`."""
    columns = min(columns, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for spare in grid[count:]:
        spare.set_axis_off()
    return list(grid[:count])


def plain(axes: Axes, title: str = "") -> None:
    """No ticks, no frame, no grid: for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title)
