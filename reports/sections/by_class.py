"""Of more classes than two: how each is told, and which are taken for which."""

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Run
from worthit.reports.analysis import metrics
from worthit.reports.analysis.run_view import by_model, test_scores
from worthit.reports.text import class_names
from worthit.reports.text.format import percent
from worthit.reports.text.tables import tabulated

#: so many classes can be read in a picture of a confusion matrix
MOST_DRAWN = 20
_MOST_PAIRS = 5  # of classes that a model takes for one another, beside its picture
_MOST_WITHOUT_PICTURE = 10

Counts = npt.NDArray[np.int64]


def matrices(run: Run) -> dict[str, Counts]:
    """Model → confusion matrix, shape (classes, classes), on the test set; of its first seed."""
    return {
        model: metrics.confusion(test_scores(run, cells[0].quality), run.data.test.labels)
        for model, cells in by_model(run).items()
        if cells[0].quality is not None
    }


def told(run: Run) -> list[str]:
    """F1 of each class by each model, then precision and recall; nothing of two classes."""
    if class_names.of_two(run):
        return []
    found, names = matrices(run), class_names.names(run.data)
    if not found:
        return []
    numbers = np.bincount(run.data.test.labels, minlength=len(names))
    rows = np.flatnonzero(numbers).tolist()
    figures = {model: _figures(counts) for model, counts in found.items()}
    f1_table = tabulated(
        ["class", "n", *found],
        [
            [names[i], f"{numbers[i]:,}", *(_share(of[i][2]) for of in figures.values())]
            for i in rows
        ],
    )
    headings = [f"{model}: {what}" for model in found for what in ("precision", "recall")]
    details = tabulated(
        ["class", *headings],
        [[names[i], *(_share(of[i][j]) for of in figures.values() for j in (0, 1))] for i in rows],
    )
    without = len(names) - len(rows)
    return [
        "## Class by class",
        f"F1 of each class on the {run.data.test_set}, in which it has n comments"
        + (f"; classes without any ({without}) are left out" if without else "")
        + ". Of a few comments it says little.",
        f1_table,
        "<details><summary>Precision and recall of each class</summary>",
        details,
        *(["Precision is n/a of a class that no comment is called."] if "n/a" in details else []),
        "</details>",
    ]


def _figures(counts: Counts) -> list[tuple[float, float, float]]:
    """Precision, recall and F1 of each class; NaN where there is none."""
    right, true, called = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    figures = []
    for hits, of_class, so_called in zip(right, true, called, strict=True):
        figures.append(
            (
                hits / so_called if so_called else np.nan,
                hits / of_class if of_class else np.nan,
                2 * hits / (of_class + so_called) if of_class else np.nan,
            )
        )
    return figures


def confused(run: Run) -> list[str]:
    """The classes most often taken for another, by each model; nothing of two classes."""
    found, names = matrices(run), class_names.names(run.data)
    most = _MOST_PAIRS if len(names) <= MOST_DRAWN else _MOST_WITHOUT_PICTURE
    body = []
    for model, counts in found.items():
        wrong = counts - np.diag(counts.diagonal())
        for cell in np.argsort(-wrong, axis=None, kind="stable")[:most].tolist():
            true, called = divmod(cell, len(names))
            if wrong[true, called]:
                share = percent(wrong[true, called] / counts[true].sum())
                entries = [names[true], names[called], f"{wrong[true, called]:,}", share]
                body.append([model, *entries])
    if class_names.of_two(run) or not body:
        return []
    return [
        f"What each model mistakes for what, at most the {most} commonest.",
        tabulated(["model", "is", "called", "comments", "of its class"], body, left=3),
    ]


def _share(value: float) -> str:
    return "n/a" if np.isnan(value) else percent(value)
