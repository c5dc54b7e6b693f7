"""Quality and training time at growing training sizes: how many labels buy what."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.reports.analysis import metrics
from worthit.reports.analysis.paired_tests import holm, mcnemar_p
from worthit.reports.analysis.run_view import name
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities
from worthit.reports.text.format import Footnotes, percent, written
from worthit.reports.text.tables import listed, tabulated


@dataclass(frozen=True)
class Point:
    """One model after training on so many comments."""

    comments: int
    train_s: Figure
    test: Probabilities
    accuracy: metrics.Share


def curves(run: Run) -> dict[str, list[Point]]:
    """Model → its points, smallest training set first, the whole one last."""
    return {
        name(run, cell): points
        for cell in run.cells
        if cell.learning_curve and (points := _points(run, cell))
    }


def _points(run: Run, cell: CellRecord) -> list[Point]:
    found = [(point.comments, point.train_s, point.test) for point in cell.learning_curve]
    if cell.training is not None and cell.quality is not None:
        found.append((cell.training.comments, cell.training.train_s, cell.quality.test))
    points = []
    for comments, train_s, test in found:
        scores = class_names.probabilities(run.data, test)
        share = metrics.accuracy(scores, run.data.test.labels)
        if share is not None:
            points.append(Point(comments, train_s, scores, share))
    return points


def section(run: Run) -> list[str]:
    """Tables of accuracy and training time by size, and where one model overtakes another."""
    found = curves(run)
    if not found:
        return []
    sizes = sorted({point.comments for points in found.values() for point in points})
    notes = Footnotes()
    accuracies, seconds = [], []
    for model, points in found.items():
        by_size = {point.comments: point for point in points}
        held = [by_size.get(size) for size in sizes]
        accuracies.append([model, *(percent(p.accuracy.value) if p else "" for p in held)])
        seconds.append([model, *(written(p.train_s, notes) if p else "" for p in held)])
    widest = max(p.accuracy.high - p.accuracy.low for points in found.values() for p in points)
    return [
        "Each model trained on ever larger parts of the same comments, and tested on the same "
        f"{len(run.data.test.labels):,}. Test accuracy by comments trained on; its 95 % intervals "
        f"are up to ±{100 * widest / 2:.1f} points wide.",
        tabulated(["model", *(f"{size:,}" for size in sizes)], accuracies),
        "Training, s.",
        tabulated(["model", *(f"{size:,}" for size in sizes)], seconds),
        *listed(notes.lines()),
        *listed([*_plateaus(run, found), *_crossings(run, found)]),
    ]


def _plateaus(run: Run, found: Mapping[str, Sequence[Point]]) -> list[str]:
    """How few comments do as well as all, as far as the test comments tell."""
    lines = []
    for model, points in found.items():
        *smaller, whole = points
        p_values = holm([_p(run, point, whole) for point in smaller])
        alike = [
            point.comments
            for point, value in zip(smaller, p_values, strict=True)
            if value >= metrics.ALPHA
        ]
        if alike:
            lines.append(
                f"{model}: {min(alike):,} comments are not told apart from {whole.comments:,}"
            )
        elif smaller and whole.accuracy.value > smaller[-1].accuracy.value:
            lines.append(f"{model}: the last comments, up to {whole.comments:,}, still helped")
    return lines


def _crossings(run: Run, found: Mapping[str, Sequence[Point]]) -> list[str]:
    """Where a model that was less accurate is more so, both supported by McNemar's test."""
    lines = []
    for first, second in itertools.combinations(found, 2):
        shared = _shared(found[first], found[second])
        p_values = holm([_p(run, one, other) for one, other in shared])
        leads = [
            (one.comments, first if one.accuracy.value > other.accuracy.value else second)
            for (one, other), value in zip(shared, p_values, strict=True)
            if value < metrics.ALPHA
        ]
        for (before, leader), (after, next_leader) in itertools.pairwise(leads):
            if leader != next_leader:
                lines.append(
                    f"{next_leader} overtakes {leader} between {before:,} and {after:,} comments"
                )
    return lines


def _shared(first: Sequence[Point], second: Sequence[Point]) -> list[tuple[Point, Point]]:
    others = {point.comments: point for point in second}
    return [(point, others[point.comments]) for point in first if point.comments in others]


def _p(run: Run, first: Point, second: Point) -> float:
    labels = np.asarray(run.data.test.labels)
    return mcnemar_p(
        metrics.called(first.test) == labels,
        metrics.called(second.test) == labels,
    )
