"""More than two classes: the figures of each class, and the most frequent confusions."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import scores
from worthit.reports.pictures.titles import MOST_CLASSES_DRAWN
from worthit.reports.sections import choices, seeds
from worthit.reports.sections.glossary import link
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import percent
from worthit.reports.text.tables import folded, table, tabulated

_CONFUSION = "## Confusion matrices"
_MOST_PAIRS = 5  # errors per model, beside its picture
_MOST_WITHOUT_PICTURE = 10
_MOST_CLASSES = 20  # in a table: nobody reads hundreds of rows

Counts = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]


def section(analysis: Analysis) -> list[str]:
    """F1, precision and recall of each of several classes; else nothing."""
    run = analysis.run
    if class_names.kind(run.data) != "several classes" or not analysis.models:
        return []
    matrices = _matrices(analysis)
    names, first = class_names.names(run.data), seeds.of_first(analysis)
    comments = np.bincount(run.data.test.labels, minlength=len(names))
    tested = np.flatnonzero(comments).tolist()
    figures = {model: _figures(counts) for model, counts in matrices.items()}
    rows = _worst(tested, figures)
    f1 = [
        [names[i], f"{comments[i]:,}", *(_share(of[2][i]) for of in figures.values())] for i in rows
    ]
    details = [
        [names[i], *(_share(of[j][i]) for of in figures.values() for j in (0, 1))] for i in rows
    ]
    headings = [f"{model}: {what}" for model in figures for what in ("precision", "recall")]
    text = tabulated(["class", *headings], details)
    never = "Precision is n/a for a class that is never predicted." if "n/a" in text else ""
    return [
        "## Class by class",
        f"{_lowest(names, figures)} Of each class, {link('F1')} on the {run.data.test_set} and its number "
        f"of comments, n{_missing(len(names) - len(tested))}{first}. For few comments, F1 is uncertain."
        f"{_left_out(len(tested) - len(rows))}",
        *table("F1 of each class", ["class", "n", *figures], f1),
        *folded("Precision and recall of each class", text, never),
    ]


def confusion(analysis: Analysis) -> list[str]:
    """What the pictures of confusion matrices show; for more than two classes, the most frequent errors."""
    run = analysis.run
    if class_names.of_labels(run) or not analysis.models:
        return []
    matrices = _matrices(analysis)
    first = seeds.of_first(analysis)
    if class_names.of_two(run):
        predicted = choices.answered(analysis)
        return [_CONFUSION, f"On the {run.data.test_set}{first}; {predicted}."]
    classes = len(run.data.classes)
    drawn = classes <= MOST_CLASSES_DRAWN
    unreadable = "" if drawn else f" A matrix of {classes} classes is too large for a picture."
    total = np.sum(list(matrices.values()), axis=0)
    return [
        _CONFUSION,
        f"{_most_frequent(analysis, total)} On the {run.data.test_set}{first}; predicted is the "
        f"class with the highest score{choices.chosen(analysis)}.{unreadable}",
        *_frequent(analysis, matrices, _MOST_PAIRS if drawn else _MOST_WITHOUT_PICTURE),
    ]


def _most_frequent(analysis: Analysis, counts: Counts) -> str:
    names, errors = class_names.names(analysis.run.data), counts - np.diag(counts.diagonal())
    if not errors.any():
        return "No model confuses any classes."
    true, predicted = divmod(int(errors.argmax()), len(errors))
    together = "" if len(analysis.models) == 1 else " by all models together"
    return (
        f"The most frequent error{together}: {names[predicted]} is predicted for {names[true]} "
        f"({errors.max():,} times)."
    )


def _frequent(analysis: Analysis, matrices: Mapping[str, Counts], most: int) -> list[str]:
    names, body = class_names.names(analysis.run.data), []
    for model, counts in matrices.items():
        errors = counts - np.diag(counts.diagonal())
        for cell in np.argsort(-errors, axis=None, kind="stable")[:most].tolist():
            true, predicted = divmod(cell, len(names))
            if errors[true, predicted]:
                share = percent(errors[true, predicted] / counts[true].sum())
                count = f"{errors[true, predicted]:,}"
                body.append([model, names[true], names[predicted], count, share])
    if not body:
        return []
    headings = ["model", "class", "predicted", "comments", "of the class"]
    return table(f"The most frequent errors of each model, at most {most}", headings, body, left=3)


def _matrices(analysis: Analysis) -> dict[str, Counts]:
    """Model → confusion matrix on the test set, shape (classes, classes), of its first seed."""
    run = analysis.run
    return {
        model: metrics.confusion(scores(run, cells[0]), run.data.test.labels)
        for model, cells in analysis.models.items()
    }


def _figures(counts: Counts) -> tuple[Vector, Vector, Vector]:
    """Precision, recall and F1 of each class, shape (classes,); NaN if not defined."""
    hits, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (
            hits / predicted,
            hits / true,
            np.where(true > 0, 2 * hits / (true + predicted), np.nan),
        )


def _lowest(names: list[str], figures: Mapping[str, tuple[Vector, Vector, Vector]]) -> str:
    lowest: dict[str, list[str]] = {}
    for model, (_, _, f1) in figures.items():
        place = int(np.nanargmin(f1))
        lowest.setdefault(names[place], []).append(f"{model} {percent(float(f1[place]))}")
    classes = "; ".join(f"{name} ({', '.join(models)})" for name, models in lowest.items())
    return f"Lowest F1: {classes}."


def _missing(classes: int) -> str:
    return f"; {classes} of the classes have none and are omitted" if classes else ""


def _worst(rows: list[int], figures: Mapping[str, tuple[Vector, Vector, Vector]]) -> list[int]:
    """All classes, or those with the lowest mean F1 of all models, the lowest first."""
    if len(rows) <= _MOST_CLASSES:
        return rows
    mean = np.mean([f1 for _, _, f1 in figures.values()], axis=0)
    return sorted(rows, key=lambda row: float(mean[row]))[:_MOST_CLASSES]


def _left_out(classes: int) -> str:
    if not classes:
        return ""
    return (
        f" The tables have the {_MOST_CLASSES} classes with the lowest mean F1 of all models; {classes} others "
        "are left out."
    )


def _share(value: float) -> str:
    return "n/a" if np.isnan(value) else percent(value)
