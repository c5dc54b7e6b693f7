"""The picture of the frontier: a panel for each cost, accuracy up all of them."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from worthit.bench.saved.record import Run
from worthit.reports.analysis.cascade import Tested
from worthit.reports.analysis.frontier import CascadePoint, Differ, Frontier, Point, frontiers
from worthit.reports.analysis.run_view import name
from worthit.reports.pictures.style import CASCADE_MARKER, Looks, plain_log, without_seed
from worthit.reports.pictures.style import looks as all_looks

_COLUMNS = 3
_LABELS_IN_A_PANEL = 8
_LEGEND_WIDTH, _HANDLE_WIDTH = 110, 7  # characters
_GREY = "#767676"


def draw(run: Run, differ: Differ, cascades: Sequence[Tested] = ()) -> Figure | None:
    """None where no cost is known of two cells with an accuracy, and nothing can be compared.

    Args:
        cascades: of `worthit.reports.analysis.cascade.chosen`.
    """
    all_found = frontiers(run, differ, cascades)
    found = [frontier for frontier in all_found if len(_drawn(frontier)) > 1]
    if not found:
        return None
    drawn = {point.label for frontier in found for point in _drawn(frontier)}
    looks = {label: look for label, look in all_looks(run).items() if label in drawn}
    shared = {name(run, cell): without_seed(run, cell) for cell in run.cells}
    models = {shared[label]: look for label, look in looks.items()}
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure, grid = plt.subplots(
        rows, columns, sharey=True, squeeze=False, layout="constrained",
        figsize=(8.2, 2.4 * rows + 1.2),
    )  # fmt: skip
    floor = _floor(found)
    for axes, frontier in zip(grid.flat, found, strict=False):
        _panel(axes, frontier, looks, floor)
    spare = grid.flat[len(found) :]
    for axes in spare:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("test accuracy, %")
    figure.legend(
        handles=_fillings(cascades=bool(cascades)),
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    if len(spare) and len(models) <= _LABELS_IN_A_PANEL:
        spare[0].legend(handles=_models(models), loc="center", frameon=False)
    else:
        fitting = _LEGEND_WIDTH // (max(map(len, models)) + _HANDLE_WIDTH)
        figure.legend(
            handles=_models(models), loc="outside lower center", ncols=fitting, frameon=False
        )
    return figure


def _drawn(frontier: Frontier) -> list[Point]:
    return [
        point
        for point in frontier.points
        if point.accuracy is not None and point.cost.value is not None
    ]


def _percent(point: Point) -> float:
    assert point.accuracy is not None
    return 100 * point.accuracy.value


def _floor(found: Sequence[Frontier]) -> float | None:
    """Just below all that beat guessing: with the others in scale these would be a heap at the top."""
    points = [point for frontier in found for point in _drawn(frontier)]
    lows = [100 * p.accuracy.low for p in points if p.accuracy and p.beats_guessing]
    if len(lows) == len(points) or not lows:
        return None
    return min(lows) - 0.14 * (100 - min(lows))


def _panel(axes: Axes, frontier: Frontier, looks: Looks, floor: float | None) -> None:
    points = _drawn(frontier)
    costs = [point.cost.figure.value or 0.0 for point in points]
    none = min((cost for cost in costs if cost > 0), default=1.0) / 3  # a log scale has no zero
    axes.set_xscale("log")
    axes.margins(x=0.12)
    if len(set(costs)) == 1:  # which spans nothing that a scale could be fitted to
        axes.set_xlim((costs[0] or none) / 2, (costs[0] or none) * 2)
    for point, cost in zip(points, costs, strict=True):
        _mark(axes, point, cost or none, looks[point.label], floor)
    for relay in frontier.cascades:
        _mark_cascade(axes, relay, looks, none)
    if 0.0 in costs:
        axes.axvline(none, color=_GREY, linewidth=0.8, linestyle=":")
        axes.annotate("none", (none, 1), (3, -8), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color=_GREY, fontsize=8)  # fmt: skip
    if floor is not None:
        axes.set_ylim(bottom=floor)
    _step(axes, points, none)
    plain_log(axes.xaxis)
    axes.set_xlabel(frontier.cost.axis + ("" if frontier.ranked else "\n(estimates: not ranked)"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Axes, point: Point, x: float, look: tuple[str, str], floor: float | None) -> None:
    assert point.accuracy is not None
    marker, colour = look
    y, low, high = _percent(point), 100 * point.accuracy.low, 100 * point.accuracy.high
    if floor is not None and not point.beats_guessing:
        axes.annotate(f"{y:.0f} %", (x, floor), (0, 6), textcoords="offset points", ha="center",
                      fontsize=8, color=_GREY)  # fmt: skip
        y = low = high = floor
    axes.errorbar(
        x, y, [[y - low], [high - y]],
        None if not point.cost.value else [[x - point.cost.low], [point.cost.high - x]],
        fmt=marker, color=colour, markersize=9 if marker == "*" else 6.5,
        markerfacecolor=colour if point.kind == "frontier" else "white",
        markeredgewidth=1.4, elinewidth=1, zorder=3, clip_on=False,
    )  # fmt: skip


def _mark_cascade(axes: Axes, point: CascadePoint, looks: Looks, none: float) -> None:
    if point.cost.value is None or point.dear not in looks:
        return
    _, colour = looks[point.dear]
    axes.plot(
        point.cost.value or none, 100 * point.accuracy.value, CASCADE_MARKER,
        color=colour, markersize=8.5, markerfacecolor=colour if point.pays else "white",
        markeredgecolor="black" if point.pays else colour, zorder=4,
    )  # fmt: skip


def _step(axes: Axes, points: Sequence[Point], none: float) -> None:
    """The best accuracy for a cost, up to the right edge."""
    reached = sorted(
        (point.cost.value or none, _percent(point)) for point in points if point.kind == "frontier"
    )
    if reached:
        right = axes.get_xlim()[1]
        costs, shares = zip(*reached, (right, reached[-1][1]), strict=True)
        axes.step(costs, shares, where="post", color=_GREY, linewidth=1.3, zorder=2)
        axes.set_xlim(right=right)


def _models(looks: Looks) -> list[Line2D]:
    return [
        Line2D([], [], marker=marker, color=colour, linestyle="", label=label)
        for label, (marker, colour) in looks.items()
    ]


def _fillings(*, cascades: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], marker="o", color=_GREY, label="on the frontier: better than all that is cheaper"),
        Line2D([], [], marker="o", color=_GREY, markerfacecolor="white", linestyle="",
               label="not on it: not shown to be"),
    ]  # fmt: skip
    if cascades:
        about = (
            "cascade in place of the model of its colour",
            "cascade that is not",
        )
        handles += [
            Line2D([], [], marker=CASCADE_MARKER, color=_GREY, markerfacecolor=face, markersize=8.5,
                   markeredgecolor=edge, linestyle="", label=label)
            for face, edge, label in zip((_GREY, "white"), ("black", _GREY), about, strict=True)
        ]  # fmt: skip
    return handles
