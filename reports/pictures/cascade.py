"""The picture of the cascades: accuracy against compute, as more comments are passed on."""

import itertools
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis import run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.cascade import Cascade, sweep
from worthit.reports.analysis.run_view import name
from worthit.reports.pictures.style import (
    CASCADE_MARKER,
    CellStyle,
    cell_styles,
    plain_frame,
    plain_log,
    with_legend,
)

_LINES = ("-", "--", "-.", ":")


def draw(analysis: Analysis) -> Figure:
    """Up and to the left is better; a line runs from the cheap model alone to the expensive one.

    There must be at least one cascade.
    """
    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    run, styles = analysis.run, cell_styles(analysis)
    cascades = [test.cascade for test in analysis.cascades]
    for cascade, line in zip(cascades, itertools.cycle(_LINES), strict=False):
        _draw_cascade(axes, analysis, cascade, line, styles[name(run, cascade.expensive)].colour)
    axes.plot([], [], CASCADE_MARKER, **_threshold_style("white"), label="selected threshold")
    members = [cell for cascade in cascades for cell in (cascade.cheap, cascade.expensive)]
    for cell in run.cells:
        if cell in members:
            _draw_model(axes, analysis, cell, styles[name(run, cell)])
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel("compute at the best batch size, core-ms/comment (log)")
    axes.set_ylabel(f"accuracy on the {run.data.test_set}, %")
    axes.set_title("Cascades: cheap model first, expensive model if unsure", loc="left")
    plain_frame(axes)
    return with_legend(figure)


def _draw_cascade(axes: Axes, analysis: Analysis, cascade: Cascade, line: str, colour: str) -> None:
    run = analysis.run
    points = sweep(run, analysis.values, cascade.cheap, cascade.expensive)
    costs_ms = [point.compute_ms for point in points]
    shares = [100 * point.accuracy.value for point in points]
    label = f"{name(run, cascade.cheap)} → {name(run, cascade.expensive)}"
    if any(len(run_view.trainings(run, cell)) > 1 for cell in (cascade.cheap, cascade.expensive)):
        label += ", first seeds"
    axes.plot(costs_ms, shares, line, color=colour, linewidth=1.5, label=label)
    accuracy = 100 * cascade.accuracy.value
    axes.plot(cascade.compute_ms, accuracy, CASCADE_MARKER, **_threshold_style(colour))


def _threshold_style(colour: str) -> dict[str, Any]:
    return {"color": colour, "markeredgecolor": "black", "markersize": 9, "zorder": 4}


def _draw_model(axes: Axes, analysis: Analysis, cell: CellRecord, style: CellStyle) -> None:
    share = analysis.values[cell.name, "accuracy"]
    cost_ms = analysis.values[cell.name, "compute_ms"].value
    assert share.value is not None
    assert cost_ms is not None
    seeds = len(run_view.trainings(analysis.run, cell))
    label = name(analysis.run, cell) + f", mean of {seeds} seeds" * (seeds > 1)
    errors = [[100 * (share.value - share.low)], [100 * (share.high - share.value)]]
    axes.errorbar(
        cost_ms, 100 * share.value, errors,
        fmt=style.marker, color=style.colour, capsize=3, elinewidth=1, label=label,
    )  # fmt: skip
