"""Accuracy and training time at growing training sizes: what more labels buy."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.reports.analysis import decisions
from worthit.reports.analysis.paired_tests import holm, mcnemar_p
from worthit.reports.analysis.run_view import name, truth
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities


@dataclass(frozen=True)
class CurvePoint:
    """One model after training on a number of comments."""

    comments: int
    train_s: Figure
    test: Probabilities
    accuracy: metrics.Share


@dataclass(frozen=True)
class Plateau:
    """How the smallest sufficient training set of a model compares with the whole one."""

    model: str
    enough: int | None  # comments that do not differ significantly from all; None: all still help
    comments: int  # all


@dataclass(frozen=True)
class Crossing:
    """Where one model overtakes another; both leads are significant."""

    leader: str
    overtaken: str
    before: int  # comments at which the overtaken model still leads
    after: int


Curves = Mapping[str, Sequence[CurvePoint]]


def curves(run: Run) -> Curves:
    """Model → its points, the smallest training set first, the whole one last."""
    return {
        name(run, cell): points
        for cell in run.cells
        if cell.learning_curve and (points := _points(run, cell))
    }


def _points(run: Run, cell: CellRecord) -> list[CurvePoint]:
    trainings = [(point.comments, point.train_s, point.test) for point in cell.learning_curve]
    if cell.training is not None and cell.quality is not None:
        trainings.append((cell.training.comments, cell.training.train_s, cell.quality.test))
    points = []
    for comments, train_s, test in trainings:
        scores = class_names.probabilities(run.data, test)
        # Otherwise class weights would predict a rare class too often.
        scores = decisions.without_validation(run, cell).calibrated(scores)
        share = metrics.accuracy(scores, truth(run))
        if share is not None:
            points.append(CurvePoint(comments, train_s, scores, share))
    return points


def plateaus(run: Run, curves: Curves) -> list[Plateau]:
    """How few comments are as good as all, as far as the test comments show."""
    found = []
    for model, points in curves.items():
        *smaller, whole = points
        p_values = holm([_p(run, point, whole) for point in smaller])
        equal = [
            point.comments for point, p in zip(smaller, p_values, strict=True) if p >= metrics.ALPHA
        ]
        if equal:
            found.append(Plateau(model, min(equal), whole.comments))
        elif smaller and whole.accuracy.value > smaller[-1].accuracy.value:
            found.append(Plateau(model, None, whole.comments))
    return found


def crossings(run: Run, curves: Curves) -> list[Crossing]:
    """Where a less accurate model becomes the more accurate one, by McNemar's test."""
    found = []
    for first, second in itertools.combinations(curves, 2):
        shared = _shared(curves[first], curves[second])
        p_values = holm([_p(run, one, other) for one, other in shared])
        leads = [
            (one.comments, first if one.accuracy.value > other.accuracy.value else second)
            for (one, other), p in zip(shared, p_values, strict=True)
            if p < metrics.ALPHA
        ]
        for (before, leader), (after, next_leader) in itertools.pairwise(leads):
            if leader != next_leader:
                found.append(Crossing(next_leader, leader, before, after))
    return found


def _shared(
    first: Sequence[CurvePoint], second: Sequence[CurvePoint]
) -> list[tuple[CurvePoint, CurvePoint]]:
    others = {point.comments: point for point in second}
    return [(point, others[point.comments]) for point in first if point.comments in others]


def _p(run: Run, first: CurvePoint, second: CurvePoint) -> float:
    labels = truth(run)
    return mcnemar_p(metrics.correct(first.test, labels), metrics.correct(second.test, labels))
