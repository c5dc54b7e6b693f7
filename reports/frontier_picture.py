"""The picture of the frontier: a panel for each cost, accuracy up all of them."""

import itertools
import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from worthit.bench.record import Run
from worthit.reports.frontier import Differ, Frontier, Point, frontiers

_MARKERS = "osD^vP*X"
# Okabe and Ito (2008), told apart by the colour-blind; without yellow, too pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_COLUMNS = 3
_GREY = "#767676"


def draw(run: Run, differ: Differ) -> Figure | None:
    """None where fewer than two cells have an accuracy and a cost, and nothing can be compared."""
    found = [frontier for frontier in frontiers(run, differ) if len(_drawn(frontier)) > 1]
    if not found:
        return None
    best_first = sorted(
        {
            point.label: point.accuracy.value
            for f in found
            for point in _drawn(f)
            if point.accuracy
        }.items(),
        key=lambda item: -item[1],
    )
    looks = dict(
        zip(
            [label for label, _ in best_first],
            zip(itertools.cycle(_MARKERS), itertools.cycle(_COLOURS)),
        )
    )
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        sharey=True,
        squeeze=False,
        layout="constrained",
        figsize=(8.2, 2.55 * rows + 0.9),
    )
    for axes, frontier in zip(grid.flat, found, strict=False):
        _panel(axes, frontier, looks)
    for axes in grid.flat[len(found) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("test accuracy, %")
    figure.legend(
        handles=_legend(looks),
        loc="outside lower center",
        ncols=min(5, len(looks) + 2),
        frameon=False,
    )
    return figure


def _drawn(frontier: Frontier) -> list[Point]:
    return [
        point
        for point in frontier.points
        if point.accuracy is not None and point.cost.value is not None
    ]


def _panel(axes: Axes, frontier: Frontier, looks: dict[str, tuple[str, str]]) -> None:
    points = _drawn(frontier)
    costs = [point.cost.figure.value or 0.0 for point in points]
    least = min((cost for cost in costs if cost > 0), default=1.0)
    none = least / 3  # where those without such a cost are drawn on a scale that has no zero
    for point, cost in zip(points, costs, strict=True):
        assert point.accuracy is not None
        x, y = cost or none, 100 * point.accuracy.value
        marker, colour = looks[point.label]
        axes.errorbar(
            x, y,
            [[y - 100 * point.accuracy.low], [100 * point.accuracy.high - y]],
            [[x - point.cost.low], [point.cost.high - x]] if cost else None,
            fmt=marker, color=colour, markersize=9 if marker == "*" else 6.5,
            markerfacecolor=colour if point.kind == "frontier" else "white",
            markeredgewidth=1.4, elinewidth=1, zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.12)
    if 0.0 in costs:
        axes.axvline(none, color=_GREY, linewidth=0.8, linestyle=":")
        axes.annotate("none", (none, 0), (3, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color=_GREY, fontsize=8)  # fmt: skip
    _step(axes, points, none)
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(frontier.cost.axis + ("" if frontier.ranked else "\n(estimates: not ranked)"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _step(axes: Axes, points: Sequence[Point], none: float) -> None:
    """The best accuracy for a cost, up to the right edge."""
    reached = sorted(
        (point.cost.value or none, 100 * point.accuracy.value)
        for point in points
        if point.kind == "frontier" and point.accuracy is not None
    )
    if reached:
        right = axes.get_xlim()[1]
        costs, shares = zip(*reached, (right, reached[-1][1]), strict=True)
        axes.step(costs, shares, where="post", color=_GREY, linewidth=1.3, zorder=2)
        axes.set_xlim(right=right)


def _legend(looks: dict[str, tuple[str, str]]) -> list[Line2D]:
    """Models, best first, then what filling means."""
    models = [
        Line2D([], [], marker=marker, color=colour, linestyle="", label=label)
        for label, (marker, colour) in looks.items()
    ]
    filled = Line2D([], [], marker="o", color=_GREY, label="on the frontier")
    hollow = Line2D([], [], marker="o", color=_GREY, markerfacecolor="white", linestyle="",
                    label="not on it")  # fmt: skip
    return [*models, filled, hollow]
