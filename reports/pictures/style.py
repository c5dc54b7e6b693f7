"""How each cell looks in all pictures of a report: a marker for all its seeds, a colour for its model.

And what classes are called there.
"""

import itertools
import math
from dataclasses import replace

from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis.run_view import name, test_accuracy

CASCADE_MARKER = "h"
_MARKERS = "osD^vP*X<>p"
# Okabe and Ito (2008), told apart by the colour-blind; without yellow, too pale on white. Then four
# of Tol's (2021), for runs of many models.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255", "#999933",
    "#332288", "#BBBBBB",
)  # fmt: skip

FONT = "DejaVu Sans"  # which comes with matplotlib
_WIDEST = 26  # characters of a class's name
_LEAST_SPAN = 5.0  # of a logarithmic axis, a factor

Looks = dict[str, tuple[str, str]]  # label → marker and colour


def looks(run: Run) -> Looks:
    """For each cell by its name in reports, the most accurate first; the same for all seeds."""
    models = dict.fromkeys(cell.model for cell in run.cells)
    colours = dict(zip(models, itertools.cycle(_COLOURS), strict=False))
    best_first = sorted(run.cells, key=lambda cell: -_accuracy(run, cell))
    alike = dict.fromkeys(without_seed(run, cell) for cell in best_first)
    markers = dict(zip(alike, itertools.cycle(_MARKERS), strict=False))
    return {
        name(run, cell): (markers[without_seed(run, cell)], colours[cell.model])
        for cell in best_first
    }


def without_seed(run: Run, cell: CellRecord) -> str:
    """The name that the seeds of a model share."""
    return name(run, replace(cell, seed=0))


def class_names(run: Run) -> list[str]:
    """Of all classes, by index; by its number (from 1) where the font lacks letters of a name."""
    font = get_font(findfont(FontProperties(family=FONT)))
    names = []
    for number, called in enumerate(run.data.classes, 1):
        known = all(font.get_char_index(ord(character)) for character in called)
        short = called if len(called) <= _WIDEST else f"{called[: _WIDEST - 1]}…"
        # Between two dollar signs matplotlib reads mathematics.
        names.append(short.replace("$", r"\$") if known else f"class {number}")
    return names


def _accuracy(run: Run, cell: CellRecord) -> float:
    share = test_accuracy(run, cell)
    return share.value if share else 0.0


def plain_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis as plain numbers: 0.1, 1, 10, not powers of ten.

    It spans a factor of 5 at least, so that there are two of 1, 2, 5 on it, and what differs by a
    percent looks like it.
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
