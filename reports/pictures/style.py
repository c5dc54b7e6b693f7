"""How the cells of a run look in all its pictures: one marker for all seeds, one colour per model."""

import itertools
import math
from dataclasses import replace
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import name

CASCADE_MARKER = "h"
_MARKERS = "osD^vP*X<>p"
# Okabe and Ito (2008), safe for colour-blind readers; without yellow, which is too pale on white.
# Then four of Tol's (2021), for runs of many models.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255", "#999933",
    "#332288", "#BBBBBB",
)  # fmt: skip

_FONT = "DejaVu Sans"  # comes with matplotlib
_CLASS_NAME_WIDTH = 26  # characters
_LEAST_SPAN = 5.0  # of a logarithmic axis, a factor

#: settings of matplotlib; a white background is readable on white and on dark pages
SETTINGS: Any = {
    "figure.facecolor": "white",
    "savefig.dpi": 110,
    "font.size": 10,
    "font.family": _FONT,
}


class CellStyle(NamedTuple):
    marker: str
    colour: str


def cell_styles(analysis: Analysis) -> dict[str, CellStyle]:
    """Name of each cell in reports → its style, the most accurate first."""
    run = analysis.run
    models = dict.fromkeys(cell.model for cell in run.cells)
    colours = dict(zip(models, itertools.cycle(_COLOURS), strict=False))
    ranked = task.of(run).ranked
    best_first = sorted(
        run.cells, key=lambda cell: -(analysis.values[cell.name, ranked].value or 0.0)
    )
    names = dict.fromkeys(without_seed(run, cell) for cell in best_first)
    markers = dict(zip(names, itertools.cycle(_MARKERS), strict=False))
    return {
        name(run, cell): CellStyle(markers[without_seed(run, cell)], colours[cell.model])
        for cell in best_first
    }


def without_seed(run: Run, cell: CellRecord) -> str:
    """The name that the seeds of a model share."""
    return name(run, replace(cell, seed=0))


def class_names(run: Run) -> list[str]:
    """The names of all classes, by index; a number, from 1, if the font lacks letters of a name."""
    font = get_font(findfont(FontProperties(family=_FONT)))
    names = []
    for number, class_name in enumerate(run.data.classes, 1):
        known = all(font.get_char_index(ord(character)) for character in class_name)
        short = class_name
        if len(class_name) > _CLASS_NAME_WIDTH:
            short = f"{class_name[: _CLASS_NAME_WIDTH - 1]}…"
        # matplotlib reads text between two dollar signs as mathematics
        names.append(short.replace("$", r"\$") if known else f"class {number}")
    return names


def plain_frame(axes: Axes) -> None:
    """A light grid, and no frame at the top and right."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def with_legend(figure: Figure) -> Figure:
    """A legend beside the axes."""
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers (0.1, 1, 10), not powers of ten.

    The axis spans at least a factor of 5: it then has two labels of 1, 2 and 5, and a difference of
    one percent looks small.
    """
    low, high = sorted(axis.get_view_interval())
    if high / low < _LEAST_SPAN:
        middle, half = math.sqrt(low * high), math.sqrt(_LEAST_SPAN)
        low, high = middle / half, middle * half
        axis.set_view_interval(low, high, ignore=True)
    steps = (1.0,) if high / low > 50 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps, numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
