"""The picture of a confusion matrix."""

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import metrics
from worthit.reports.analysis.run_view import name, test_scores
from worthit.reports.pictures.style import class_names

_INCHES_A_CLASS = 0.36
_LARGEST_FONT, _SMALLEST_FONT = 10.0, 6.5


def draw(run: Run, cell: CellRecord) -> Figure:
    """Counts in every field; of more classes than two, the darker the more of its class."""
    assert cell.quality is not None
    counts = metrics.confusion(test_scores(run, cell.quality), run.data.test.labels)
    figure = _of_two(run, counts) if len(counts) == 2 else _of_many(run, counts)
    axes = figure.axes[0]
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    axes.set_title(name(run, cell), fontsize=10)
    return figure


def _of_two(run: Run, counts: npt.NDArray[np.int64]) -> Figure:
    figure, axes = plt.subplots(figsize=(2.9, 2.6), layout="constrained")
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.sum()) / 2, 1))
    for true, called in np.ndindex(2, 2):
        dark = counts[true, called] > counts.sum() / 4
        axes.text(called, true, f"{counts[true, called]:,}", ha="center", va="center",
                  color="white" if dark else "black")  # fmt: skip
    names = class_names(run)
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names, rotation=90, va="center")
    return figure


def _of_many(run: Run, counts: npt.NDArray[np.int64]) -> Figure:
    kinds = len(counts)
    size = 2.2 + _INCHES_A_CLASS * kinds
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = float(np.clip(14 - 0.4 * kinds, _SMALLEST_FONT, _LARGEST_FONT))
    for true, called in np.argwhere(counts):  # zeros would hide the pattern
        axes.text(called, true, f"{counts[true, called]:,}", ha="center", va="center", fontsize=font,
                  color="white" if shares[true, called] > 0.5 else "black")  # fmt: skip
    names = class_names(run)
    axes.set_xticks(range(kinds), names, rotation=90 if kinds > 3 else 0, fontsize=font)
    axes.set_yticks(range(kinds), names, fontsize=font)
    return figure
