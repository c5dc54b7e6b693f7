"""The pictures of a report. Pure, but for the files they are asked to write."""

import itertools
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from worthit.bench.record import CellRecord, Run
from worthit.reports import quality
from worthit.reports.columns import name
from worthit.reports.markdown import OVERVIEW

_MARKERS = "osD^vP*X"
_CLASSES = ("not toxic", "toxic")
# Read on GitHub's white and dark pages alike: the pictures bring a ground of their own.
_STYLE: Any = {
    "figure.facecolor": "white",
    "savefig.dpi": 110,
    "font.size": 10,
    "font.family": "DejaVu Sans",
}


def draw(run: Run, folder: Path) -> dict[str, str]:
    """Draw all pictures of a run into a folder.

    Returns:
        title → file name; the overview first.
    """
    drawn = {}
    with plt.rc_context(_STYLE):
        if any(cell.quality and cell.throughput for cell in run.cells):
            drawn[OVERVIEW] = _saved(_overview(run), folder, "overview.png")
        for cell in run.cells:
            if cell.quality is not None:
                drawn[f"confusion matrix of {cell.name}"] = _saved(
                    _confusion(cell, run), folder, f"confusion-{cell.name}.png"
                )
    return drawn


def _saved(figure: Figure, folder: Path, file_name: str) -> str:
    # Without dates and versions in it the same run gives the same bytes.
    figure.savefig(folder / file_name, metadata={"Software": None})
    plt.close(figure)
    return file_name


def _overview(run: Run) -> Figure:
    """Accuracy against throughput: up and to the right is better."""
    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    points = []
    for cell in run.cells:
        if cell.quality is not None and cell.throughput is not None:
            found = quality.accuracy(cell.quality.test, run.data.test.labels)
            rate = cell.throughput.best.comments_per_s.value
            if found is not None and rate is not None:
                points.append((name(run, cell), found, rate))
    # Names beside the points would cover each other where models are alike.
    points.sort(key=lambda point: -point[1].value)
    for (label, found, rate), marker in zip(points, itertools.cycle(_MARKERS)):
        errors = [[100 * (found.value - found.low)], [100 * (found.high - found.value)]]
        axes.errorbar(rate, 100 * found.value, errors, fmt=marker, capsize=3, label=label)
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.1)
    axes.set_xlabel("throughput at the best batch size, comments/s (log)")
    axes.set_ylabel("accuracy on the balanced test set, %")
    axes.set_title("What each model reaches, and how fast", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _confusion(cell: CellRecord, run: Run) -> Figure:
    assert cell.quality is not None
    counts = quality.confusion(cell.quality.test, run.data.test.labels)
    figure, axes = plt.subplots(figsize=(2.9, 2.6), layout="constrained")
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.sum()) / 2, 1))
    for true in (0, 1):
        for called in (0, 1):
            dark = counts[true, called] > counts.sum() / 4
            axes.text(called, true, f"{counts[true, called]:,}", ha="center", va="center",
                      color="white" if dark else "black")  # fmt: skip
    axes.set_xticks((0, 1), _CLASSES)
    axes.set_yticks((0, 1), _CLASSES, rotation=90, va="center")
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    axes.set_title(name(run, cell), fontsize=10)
    return figure
