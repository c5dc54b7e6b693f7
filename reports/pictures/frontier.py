"""The picture of the frontiers: one panel per cost, with accuracy on the vertical axis."""

import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from worthit.reports.analysis import task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import CascadePoint, Frontier, Point
from worthit.reports.analysis.run_view import name
from worthit.reports.pictures.style import (
    CASCADE_MARKER,
    CellStyle,
    cell_styles,
    plain_log,
    without_seed,
)

Styles = Mapping[str, CellStyle]  # by label

_COLUMNS = 3
_MOST_LABELS_IN_PANEL = 8
_LEGEND_WIDTH, _HANDLE_WIDTH = 110, 7  # characters
_GREY = "#767676"


def draw(analysis: Analysis) -> Figure | None:
    """None if no cost is known for two cells with an accuracy: there is nothing to compare."""
    frontiers = [one for one in analysis.frontiers if len(_known(one)) > 1]
    if not frontiers:
        return None
    labels = {point.label for one in frontiers for point in _known(one)}
    styles = {label: style for label, style in cell_styles(analysis).items() if label in labels}
    rows = math.ceil(len(frontiers) / _COLUMNS)
    figure, grid = plt.subplots(
        rows, min(_COLUMNS, len(frontiers)), sharey=True, squeeze=False, layout="constrained",
        figsize=(8.2, 2.4 * rows + 1.2),
    )  # fmt: skip
    floor = _floor(frontiers)
    for axes, one in zip(grid.flat, frontiers, strict=False):
        _draw_panel(axes, one, styles, floor)
    spare = grid.flat[len(frontiers) :]
    for axes in spare:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(f"test {task.ranking(analysis.run).heading}, %")
    figure.legend(
        handles=_kinds_of_marker(cascades=bool(analysis.cascades)),
        loc="outside upper center", ncols=2, frameon=False,
    )  # fmt: skip
    _add_model_legend(figure, next(iter(spare), None), _by_model(analysis, styles))
    return figure


def _known(frontier: Frontier) -> list[Point]:
    return [point for point in frontier.points if point.is_known]


def _percent(point: Point) -> float:
    assert point.accuracy.value is not None
    return 100 * point.accuracy.value


def _floor(frontiers: Iterable[Frontier]) -> float | None:
    """Where the accuracy axis starts: just below all models that beat guessing.

    The models below are drawn at the edge; in scale, they would push all others together.
    """
    points = [point for one in frontiers for point in _known(one)]
    lows = [100 * point.accuracy.low for point in points if point.beats_guessing]
    if len(lows) == len(points) or not lows:
        return None
    return min(lows) - 0.14 * (100 - min(lows))


def _draw_panel(axes: Axes, frontier: Frontier, styles: Styles, floor: float | None) -> None:
    points = _known(frontier)
    costs = [point.cost.value or 0.0 for point in points]
    zero = min((cost for cost in costs if cost > 0), default=1.0) / 3  # a log scale has no zero
    axes.set_xscale("log")
    axes.margins(x=0.12)
    if len(set(costs)) == 1:  # no range to scale the axis to
        axes.set_xlim((costs[0] or zero) / 2, (costs[0] or zero) * 2)
    for point, cost in zip(points, costs, strict=True):
        _draw_point(axes, point, cost or zero, styles[point.label], floor)
    for cascade in frontier.cascades:
        _draw_cascade(axes, cascade, styles, zero)
    if 0.0 in costs:
        axes.axvline(zero, color=_GREY, linewidth=0.8, linestyle=":")
        axes.annotate("none", (zero, 1), (3, -8), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color=_GREY, fontsize=8)  # fmt: skip
    if floor is not None:
        axes.set_ylim(bottom=floor)
    _draw_step(axes, points, zero)
    plain_log(axes.xaxis)
    _, label = frontier.figure.frontier or ("", "")
    axes.set_xlabel(label + ("" if frontier.ranked else "\n(estimates: not ranked)"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_point(axes: Axes, point: Point, x: float, style: CellStyle, floor: float | None) -> None:
    y, low, high = _percent(point), 100 * point.accuracy.low, 100 * point.accuracy.high
    if floor is not None and not point.beats_guessing:
        axes.annotate(f"{y:.0f} %", (x, floor), (0, 6), textcoords="offset points", ha="center",
                      fontsize=8, color=_GREY)  # fmt: skip
        y = low = high = floor
    axes.errorbar(
        x, y, [[max(y - low, 0)], [max(high - y, 0)]],  # a bootstrap interval may be beside its figure
        _cost_errors(point, x),
        fmt=style.marker, color=style.colour, markersize=9 if style.marker == "*" else 6.5,
        markerfacecolor=style.colour if point.standing == "frontier" else "white",
        markeredgewidth=1.4, elinewidth=1, zorder=3, clip_on=False,
    )  # fmt: skip


def _cost_errors(point: Point, x: float) -> list[list[float]] | None:
    """Below and above the cost; none for no cost, and where its error is unknown."""
    if not point.cost.value or point.cost.estimated or point.cost.disturbed:
        return None
    return [[x - point.cost.low], [point.cost.high - x]]


def _draw_cascade(axes: Axes, point: CascadePoint, styles: Styles, zero: float) -> None:
    if point.cost.value is None or point.expensive not in styles:
        return
    colour = styles[point.expensive].colour
    axes.plot(
        point.cost.value or zero, 100 * point.accuracy.value, CASCADE_MARKER,
        color=colour, markersize=8.5, markerfacecolor=colour if point.pays else "white",
        markeredgecolor="black" if point.pays else colour, zorder=4,
    )  # fmt: skip


def _draw_step(axes: Axes, points: Sequence[Point], zero: float) -> None:
    """The best accuracy for a cost, up to the right edge."""
    steps = sorted(
        (point.cost.value or zero, _percent(point))
        for point in points
        if point.standing == "frontier"
    )
    if steps:
        right = axes.get_xlim()[1]
        costs, percents = zip(*steps, (right, steps[-1][1]), strict=True)
        axes.step(costs, percents, where="post", color=_GREY, linewidth=1.3, zorder=2)
        axes.set_xlim(right=right)


def _by_model(analysis: Analysis, styles: Styles) -> Styles:
    """One style for all seeds of a model."""
    run = analysis.run
    shared = {name(run, cell): without_seed(run, cell) for cell in run.cells}
    return {shared[label]: style for label, style in styles.items()}


def _add_model_legend(figure: Figure, spare: Axes | None, models: Styles) -> None:
    """In a spare panel if there is one and it has room, else below all panels."""
    handles = [
        Line2D([], [], marker=style.marker, color=style.colour, linestyle="", label=label)
        for label, style in models.items()
    ]
    if spare is not None and len(models) <= _MOST_LABELS_IN_PANEL:
        spare.legend(handles=handles, loc="center", frameon=False)
    else:
        columns = max(_LEGEND_WIDTH // (max(map(len, models)) + _HANDLE_WIDTH), 1)
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def _kinds_of_marker(*, cascades: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], marker="o", color=_GREY,
               label="on the frontier: beats all cheaper models"),
        Line2D([], [], marker="o", color=_GREY, markerfacecolor="white", linestyle="",
               label="not on the frontier"),
    ]  # fmt: skip
    if cascades:
        kinds = (
            (_GREY, "black", "cascade: replaces the model of its colour"),
            ("white", _GREY, "other cascade"),
        )
        handles += [
            Line2D([], [], marker=CASCADE_MARKER, color=_GREY, markerfacecolor=face, markersize=8.5,
                   markeredgecolor=edge, linestyle="", label=label)
            for face, edge, label in kinds
        ]  # fmt: skip
    return handles
