"""The picture of a confusion matrix."""

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import metrics
from worthit.reports.analysis.run_view import name, scores
from worthit.reports.pictures.style import class_names

_INCHES_PER_CLASS = 0.36
_LARGEST_FONT, _SMALLEST_FONT = 10.0, 6.5


def draw(run: Run, cell: CellRecord) -> Figure:
    """Counts of test comments.

    For more than two classes, the colour is the share of the true class.
    """
    counts = metrics.confusion(scores(run, cell), run.data.test.labels)
    figure = _two_classes(run, counts) if len(counts) == 2 else _more_classes(run, counts)
    axes = figure.axes[0]
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(name(run, cell), fontsize=10)
    return figure


def _two_classes(run: Run, counts: npt.NDArray[np.int64]) -> Figure:
    figure, axes = plt.subplots(figsize=(2.9, 2.6), layout="constrained")
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.sum()) / 2, 1))
    for true, predicted in np.ndindex(2, 2):
        dark = counts[true, predicted] > counts.sum() / 4
        axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center",
                  color="white" if dark else "black")  # fmt: skip
    names = class_names(run)
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names, rotation=90, va="center")
    return figure


def _more_classes(run: Run, counts: npt.NDArray[np.int64]) -> Figure:
    classes = len(counts)
    size = 2.2 + _INCHES_PER_CLASS * classes
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = float(np.clip(14 - 0.4 * classes, _SMALLEST_FONT, _LARGEST_FONT))
    for true, predicted in np.argwhere(counts):  # zeros would hide the pattern
        axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center",
                  fontsize=font, color="white" if shares[true, predicted] > 0.5 else "black")  # fmt: skip
    names = class_names(run)
    axes.set_xticks(range(classes), names, rotation=90 if classes > 3 else 0, fontsize=font)
    axes.set_yticks(range(classes), names, fontsize=font)
    return figure
