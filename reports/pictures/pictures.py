"""The pictures of a report. Pure, but for the files they are asked to write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from worthit.bench.cell import file_name
from worthit.bench.saved.record import Quality, Run
from worthit.reports.analysis import cascade, human_rater, learning, metrics, paired_tests
from worthit.reports.analysis.run_view import by_model, name, test_scores
from worthit.reports.pictures import cascade as cascade_picture
from worthit.reports.pictures import confusion
from worthit.reports.pictures import frontier as frontier_picture
from worthit.reports.pictures.style import FONT, class_names, looks, plain_log
from worthit.reports.sections.by_class import MOST_DRAWN
from worthit.reports.sections.quality import PRECISION_RECALL, RELIABILITY, ROC
from worthit.reports.sections.report import CASCADES, CONFUSION, FRONTIER, LEARNING
from worthit.reports.text import class_names as classes
from worthit.reports.text.class_names import Probabilities

Floats = npt.NDArray[np.float64]

_LEAST_IN_BIN = 10  # comments: the share of fewer would jump about
# Read on GitHub's white and dark pages alike: the pictures bring a ground of their own.
_STYLE: Any = {
    "figure.facecolor": "white",
    "savefig.dpi": 110,
    "font.size": 10,
    "font.family": FONT,
}


def draw(run: Run, folder: Path) -> dict[str, str]:
    """Draw all pictures of a run into a folder.

    Returns:
        title → file name; the frontier first.
    """
    drawn = {}
    with plt.rc_context(_STYLE):
        differ = paired_tests.differ(paired_tests.pairs(run))
        cascades = cascade.chosen(run)
        frontier = frontier_picture.draw(run, differ, cascades)
        if frontier is not None:
            drawn[FRONTIER] = _saved(frontier, folder, "frontier.png")
        if cascades:
            drawn[CASCADES] = _saved(cascade_picture.draw(run, cascades), folder, "cascades.png")
        if learning.curves(run):
            drawn[LEARNING] = _saved(_learning(run), folder, "learning.png")
        if any(cell.quality for cell in run.cells):
            drawn[RELIABILITY] = _saved(_reliability(run), folder, "reliability.png")
            if len(set(run.data.test.labels)) > 1:
                drawn[ROC] = _saved(_roc(run), folder, "roc.png")
            if classes.of_two(run) and len(set(run.data.natural.labels)) == 2:
                drawn[PRECISION_RECALL] = _saved(
                    _precision_recall(run), folder, "precision-recall.png"
                )
        for cell in run.cells if len(run.data.classes) <= MOST_DRAWN else ():
            if cell.quality is not None:
                drawn[f"{CONFUSION} {cell.name}"] = _saved(
                    confusion.draw(run, cell),
                    folder,
                    f"confusion-{file_name(cell.name)}.png",
                )
    return drawn


def _saved(figure: Figure, folder: Path, file_name: str) -> str:
    # Without dates and versions in it the same run gives the same bytes.
    figure.savefig(folder / file_name, metadata={"Software": None})
    plt.close(figure)
    return file_name


def _learning(run: Run) -> Figure:
    """Accuracy and training time by how many comments were trained on."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.9), layout="constrained")
    curves = learning.curves(run)
    trained_on = sorted({point.comments for points in curves.values() for point in points})
    for number, (label, points) in enumerate(curves.items()):
        marker, colour = looks(run)[label]
        look = {"color": colour, "marker": marker, "markersize": 5}
        shares = [point.accuracy for point in points]
        errors = [
            [100 * (share.value - share.low) for share in shares],
            [100 * (share.high - share.value) for share in shares],
        ]
        sizes = [point.comments * (1 + 0.02 * number) for point in points]  # bars side by side
        left.errorbar(
            sizes, [100 * share.value for share in shares], errors, capsize=2, label=label, **look
        )
        timed = [point for point in points if point.train_s.value is not None]
        right.plot(
            [point.comments for point in timed], [point.train_s.value for point in timed], **look
        )
    for axes, title, up in (
        (left, "What more labels buy", f"accuracy on the {run.data.test_set}, %"),
        (right, "and what they cost", "training, s (log)"),
    ):
        axes.set_xscale("log", base=2)
        axes.set_xticks(trained_on, [f"{comments:,}" for comments in trained_on])
        axes.set_xlabel("comments trained on (log)")
        axes.set_ylabel(up)
        axes.set_title(title, loc="left")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    right.set_yscale("log")
    plain_log(right.yaxis)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _roc(run: Run) -> Figure:
    """Up and to the left is better."""
    if classes.of_two(run):
        positive = classes.worded(class_names(run)[1])
        title = f"{positive} comments found, and others called {positive}"
        title = title[0].upper() + title[1:]
        across, up = f"others called {positive}", f"{positive} comments found, %"
    else:
        title = "Comments of a class found, and others called so"
        across, up = "others called so", "comments of a class found, %, mean over the classes"
    figure, axes = _frame(title, f"{across}, % of them ({run.data.test_set})", up)
    for label, scored, style in _models(run):
        alarms, found = _roc_line(test_scores(run, scored), np.asarray(run.data.test.labels))
        axes.plot(100 * alarms, 100 * found, label=label, **style)
    rater = human_rater.rater_of(run)
    if rater is not None and rater.recall is not None and rater.false_alarms is not None:
        point = (100 * rater.false_alarms, 100 * rater.recall)
        axes.plot(*point, "ko", fillstyle="none", ms=10, mew=2, zorder=3, label="one rater")
    axes.plot((0, 100), (0, 100), ":", color="grey", label="guessing")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _roc_line(scores: Probabilities, labels: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Shares of others called so and of comments found; of many classes the mean of their curves.

    So macro-averaged, each share of others alike (Fawcett 2006), a line a model stays readable.
    """
    if scores.ndim == 1:
        alarms, found, _ = roc_curve(labels, scores)
        return alarms, found
    grid = np.linspace(0, 1, 501)
    curves = (roc_curve(labels == kind, scores[:, kind]) for kind in np.unique(labels))
    lines = [np.interp(grid, alarms, found) for alarms, found, _ in curves]
    return np.append(0, grid), np.append(0, np.mean(lines, axis=0))


def _precision_recall(run: Run) -> Figure:
    """Up and to the right is better."""
    labels, positive = run.data.natural.labels, classes.worded(class_names(run)[1])
    figure, axes = _frame(
        "At natural prevalence: how many alarms are right",
        f"recall: {positive} comments found, %",
        f"precision: comments called {positive} that are, %",
    )
    for label, scored, style in _models(run):
        precision, recall, _ = precision_recall_curve(labels, scored.natural)
        found = recall > 0  # nothing found has no precision, though scikit-learn begins there
        axes.plot(100 * recall[found], 100 * precision[found], label=label, **style)
    axes.axhline(100 * sum(labels) / len(labels), ls=":", color="grey", label="guessing")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _reliability(run: Run) -> Figure:
    """On the diagonal a probability means what it says."""
    what = (
        f"that is {classes.worded(class_names(run)[1])}" if classes.of_two(run) else "called right"
    )
    of_which = "" if classes.of_two(run) else " of the class called"
    figure, axes = _frame(
        "What a probability is worth",
        f"mean probability{of_which} in a tenth of the scale, %",
        f"share {what}, % ({run.data.test_set})",
    )
    for label, scored, style in _models(run):
        claims, hits = metrics.claimed(test_scores(run, scored), run.data.test.labels)
        bins = metrics.bins(claims)
        held = [bins == number for number in range(metrics.BINS)]
        held = [mask for mask in held if mask.sum() >= _LEAST_IN_BIN]
        axes.plot(
            [100 * claims[mask].mean() for mask in held],
            [100 * hits[mask].mean() for mask in held],
            label=label,
            **style | {"markevery": 1},
        )
    axes.plot((0, 100), (0, 100), ":", color="grey", label="as it should be")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _frame(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    """Axes of per cent both ways, with room for the legend beside them."""
    figure, axes = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
    axes.set_title(title, loc="left")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _models(run: Run) -> Iterator[tuple[str, Quality, dict[str, Any]]]:
    """Name, scores of the first seed, and looks of each model's line."""
    for number, (label, cells) in enumerate(by_model(run).items()):
        scored = cells[0].quality
        assert scored is not None
        several = f", first of {len(cells)} seeds" if len(cells) > 1 else ""
        # Markers at a distance of each other, and not where those of the next line are.
        marker, colour = looks(run)[name(run, cells[0])]
        style = {
            "color": colour,
            "marker": marker,
            "markersize": 5,
            "markevery": (0.02 * number, 0.16),
            "linewidth": 1.3,
        }
        yield label + several, scored, style
