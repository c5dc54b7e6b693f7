"""How each cell looks in all pictures of a report: a marker of its own, a colour for its model.

And what classes are called there.
"""

import itertools

from matplotlib.font_manager import FontProperties, findfont, get_font

from worthit.bench.record import CellRecord, Run
from worthit.reports.columns import name, test_accuracy

_MARKERS = "osD^vP*X"
# Okabe and Ito (2008), told apart by the colour-blind; without yellow, too pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

FONT = "DejaVu Sans"  # which comes with matplotlib
_WIDEST = 26  # characters of a class's name

Looks = dict[str, tuple[str, str]]  # label → marker and colour


def looks(run: Run) -> Looks:
    """For each cell by its name in reports, the most accurate first."""
    models = dict.fromkeys(cell.model for cell in run.cells)
    colours = dict(zip(models, itertools.cycle(_COLOURS), strict=False))
    best_first = sorted(run.cells, key=lambda cell: -_accuracy(run, cell))
    return {
        name(run, cell): (marker, colours[cell.model])
        for cell, marker in zip(best_first, itertools.cycle(_MARKERS), strict=False)
    }


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
