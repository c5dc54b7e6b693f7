"""The picture of the cascades: what passing on more and more comments costs, and what it buys."""

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import bounds
from worthit.reports.analysis.cascade import Tested, swept
from worthit.reports.analysis.run_view import name, test_accuracy
from worthit.reports.pictures.style import CASCADE_MARKER, looks, plain_log

_LINES = ("-", "--", "-.", ":")


def draw(run: Run, found: Sequence[Tested]) -> Figure:
    """Up and to the left is better; a line runs from a cheap model alone to a dear one alone.

    Args:
        found: of `worthit.reports.analysis.cascade.chosen`, at least one.
    """
    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    for tested, line in zip(found, itertools.cycle(_LINES), strict=False):
        _cascade(axes, run, tested, line)
    axes.plot([], [], CASCADE_MARKER, **_chosen("white"), label="the threshold chosen")
    taking_part = [cell for one in found for cell in (one.cascade.cheap, one.cascade.dear)]
    for cell in run.cells:
        if cell in taking_part:
            _model(axes, run, cell)
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel("compute at the best batch size, ms/comment (log)")
    axes.set_ylabel(f"accuracy on the {run.data.test_set}, %")
    axes.set_title("A cheap model first, a dear one where it is unsure", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _cascade(axes: Axes, run: Run, tested: Tested, line: str) -> None:
    """In the colour of its dear model, which it would stand in for."""
    cheap, dear = tested.cascade.cheap, tested.cascade.dear
    _, colour = looks(run)[name(run, dear)]
    sweep = swept(run, cheap, dear)
    costs = [point.compute_ms for point in sweep]
    shares = [100 * point.accuracy.value for point in sweep]
    label = f"{name(run, cheap)} → {name(run, dear)}"
    axes.plot(costs, shares, line, color=colour, linewidth=1.5, label=label)
    at = tested.cascade
    axes.plot(at.compute_ms, 100 * at.accuracy.value, CASCADE_MARKER, **_chosen(colour))


def _chosen(colour: str) -> dict[str, Any]:
    return {"color": colour, "markeredgecolor": "black", "markersize": 9, "zorder": 4}


def _model(axes: Axes, run: Run, cell: CellRecord) -> None:
    marker, colour = looks(run)[name(run, cell)]
    share, cost = test_accuracy(run, cell), bounds.compute_ms(run, cell).value
    assert share is not None
    assert cost is not None
    errors = [[100 * (share.value - share.low)], [100 * (share.high - share.value)]]
    axes.errorbar(
        cost, 100 * share.value, errors,
        fmt=marker, color=colour, capsize=3, elinewidth=1, label=name(run, cell),
    )  # fmt: skip
