"""The pictures of scores: ROC, precision-recall and reliability, one line per model."""

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import calibrated, name, scores, truth
from worthit.reports.pictures.style import cell_styles, class_names, plain_frame, with_legend
from worthit.reports.statistics import metrics, natural
from worthit.reports.statistics.ranking_curve import confusion_at_thresholds
from worthit.reports.text import class_names as classes
from worthit.reports.text import natural as natural_text
from worthit.reports.text.class_names import Probabilities

Floats = npt.NDArray[np.float64]

_LEAST_IN_BIN = 10  # comments; shares of fewer vary too much


def draw_roc(analysis: Analysis) -> Figure:
    """Up and to the left is better."""
    run = analysis.run
    averaged = "labels" if classes.of_labels(run) else "classes"
    if classes.of_two(run):
        positive = classes.worded(class_names(run)[1])
        across = f"false positive rate: other comments predicted {positive}, %"
        up = f"recall: {positive} comments predicted {positive}, %"
    else:
        across, up = (
            f"{what}, %, mean over {averaged}" for what in ("false positive rate", "recall")
        )
    figure, axes = _frame("ROC curves", f"{across}\n({run.data.test_set})", up)
    for label, cell, line in _models(analysis):
        rates, recalls = _roc_line(scores(run, calibrated(cell)), truth(run))
        axes.plot(100 * rates, 100 * recalls, label=label, **line)
    rater = analysis.rater
    if rater is not None and rater.recall is not None and rater.false_alarms is not None:
        point = (100 * rater.false_alarms, 100 * rater.recall)
        axes.plot(*point, "ko", fillstyle="none", ms=10, mew=2, zorder=3, label="one rater")
    axes.plot((0, 100), (0, 100), ":", color="grey", label="guessing")
    return with_legend(figure)


def draw_precision_recall(analysis: Analysis) -> Figure:
    """Up and to the right is better."""
    run = analysis.run
    labels, positive = run.data.natural.labels, classes.worded(class_names(run)[1])
    other_weight, positive_weight = natural.class_weights(run.data)
    figure, axes = _frame(
        f"Precision and recall {natural_text.at_share(run.data)}",
        f"recall: {positive} comments predicted {positive}, %",
        f"precision: correct among those predicted {positive}, %",
    )
    for label, cell, line in _models(analysis):
        hits, alarms = confusion_at_thresholds(labels, scores(run, cell, "natural"))
        found, counted = hits > 0, positive_weight * hits
        recall = hits[found] / sum(labels)
        precision = counted[found] / (counted + other_weight * alarms)[found]
        axes.plot(100 * recall[::-1], 100 * precision[::-1], label=label, **line)
    axes.axhline(100 * natural.shares(run.data)[1], ls=":", color="grey", label="guessing")
    return with_legend(figure)


def draw_reliability(analysis: Analysis) -> Figure:
    """On the diagonal a score is a probability: the share of comments for which it holds."""
    run = analysis.run
    if classes.of_labels(run):
        of, share = ", all labels", "labels that comments have"
    elif classes.of_two(run):
        of, share = "", f"{classes.worded(class_names(run)[1])} comments"
    else:
        of, share = " of the predicted class", "comments classified correctly"
    figure, axes = _frame(
        "Reliability diagram",
        f"mean score{of}, %, by bins of 10 %",
        f"{share}, % ({run.data.test_set})",
    )
    for label, cell, line in _models(analysis):
        probabilities, events = metrics.calibration_pairs(scores(run, calibrated(cell)), truth(run))
        probabilities, events = probabilities.ravel(), events.ravel()
        bins = metrics.bins(probabilities)
        masks = [bins == number for number in range(metrics.BINS)]
        masks = [mask for mask in masks if mask.sum() >= _LEAST_IN_BIN]
        axes.plot(
            [100 * probabilities[mask].mean() for mask in masks],
            [100 * events[mask].mean() for mask in masks],
            label=label,
            **line | {"markevery": 1},
        )
    axes.plot((0, 100), (0, 100), ":", color="grey", label="perfect calibration")
    return with_legend(figure)


def _roc_line(scores: Probabilities, labels: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """False positive rates and recalls; for several classes or labels, the mean of their curves.

    Curves are averaged at equal false positive rates (Fawcett 2006), for one readable line per model.
    """
    if scores.ndim == 1:
        return _roc_points(labels, scores)
    grid = np.linspace(0, 1, 501)
    if labels.ndim == 2:
        mixed = np.flatnonzero((labels.min(axis=0) == 0) & (labels.max(axis=0) == 1))
        curves = [_roc_points(labels[:, number], scores[:, number]) for number in mixed]
    else:
        curves = [_roc_points(labels == number, scores[:, number]) for number in np.unique(labels)]
    lines = [np.interp(grid, rates, recalls) for rates, recalls in curves]
    return np.append(0, grid), np.append(0, np.mean(lines, axis=0))


def _roc_points(labels: npt.ArrayLike, scores: Floats) -> tuple[Floats, Floats]:
    hits, alarms = confusion_at_thresholds(labels, scores)
    return np.append(0, alarms / alarms[-1]), np.append(0, hits / hits[-1])


def _frame(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Square axes of percent, with room for a legend beside them."""
    figure, axes = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
    axes.set_title(title, loc="left")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.set_aspect("equal")
    plain_frame(axes)
    return figure, axes


def _models(analysis: Analysis) -> Iterator[tuple[str, CellRecord, dict[str, Any]]]:
    """Label, first seed, and line style of each model."""
    styles = cell_styles(analysis)
    for number, (label, cells) in enumerate(analysis.models.items()):
        seeds = f", first of {len(cells)} seeds" if len(cells) > 1 else ""
        marker, colour = styles[name(analysis.run, cells[0])]
        line = {
            "color": colour,
            "marker": marker,
            "markersize": 5,
            "markevery": (0.02 * number, 0.16),  # markers of different lines do not coincide
            "linewidth": 1.3,
        }
        yield label + seeds, cells[0], line
