"""The picture of a confusion matrix."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis.run_view import name, scores
from worthit.reports.pictures.style import class_names
from worthit.reports.statistics import metrics

_INCHES_PER_CLASS = 0.36
_LARGEST_FONT, _SMALLEST_FONT = 10.0, 6.5


def draw(run: Run, cell: CellRecord) -> Figure:
    """Counts of test comments.

    For more than two classes, the colour is the share of the true class.
    """
    counts = metrics.confusion(scores(run, cell), run.data.test.labels)
    names, classes = class_names(run), len(counts)
    if classes == 2:
        size, font = (2.9, 2.6), _LARGEST_FONT
        shares = counts / max(int(counts.sum()) / 2, 1)
    else:
        size = (2.2 + _INCHES_PER_CLASS * classes,) * 2
        font = float(np.clip(14 - 0.4 * classes, _SMALLEST_FONT, _LARGEST_FONT))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(counts.shape):
        if classes == 2 or counts[true, predicted]:  # many zeros would hide the pattern
            axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center",
                      fontsize=font, color="white" if shares[true, predicted] > 0.5 else "black")  # fmt: skip
    axes.set_xticks(range(classes), names, rotation=90 if classes > 3 else 0, fontsize=font)
    if classes == 2:
        axes.set_yticks((0, 1), names, rotation=90, va="center")
    else:
        axes.set_yticks(range(classes), names, fontsize=font)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(name(run, cell), fontsize=10)
    return figure
