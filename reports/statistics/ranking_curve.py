"""ROC and precision-recall figures, threshold by threshold, in many resamples at once.

scikit-learn has the same figures, and tests compare with them. It takes one resample at a time, and
a second to import, which is half of what a report may take.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Matrix = npt.NDArray[np.floating]
Vector = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """Counts at or above each of the k distinct scores of positive comments, in each resample.

    A comment counts as often as it is in the resample, times its weight if it has one.
    """

    thresholds: Vector  # (k,), highest first
    times: Matrix  # (k, resamples): positive comments with exactly that score
    hits: Matrix  # (k, resamples): positive comments with that score or a higher one
    alarms: Matrix  # (k, resamples): negative comments with that score or a higher one
    tied: Matrix | None  # (k, resamples): negative comments with exactly that score; None: none
    negatives: Vector  # (resamples,): all negative comments

    @classmethod
    def of(cls, times: Matrix, labels: npt.ArrayLike, scores: npt.ArrayLike) -> "Curve":
        positive, score = np.asarray(labels) == 1, np.asarray(scores, np.float64)
        ranks = np.argsort(-score, kind="stable")
        positives, negatives = ranks[positive[ranks]], ranks[~positive[ranks]]
        thresholds, repeats = np.unique(-score[positives], return_counts=True)
        ends = np.cumsum(repeats)
        from_here = np.searchsorted(-score[negatives], thresholds, "left")
        to_here = np.searchsorted(-score[negatives], thresholds, "right")
        at_thresholds = _sums(times, positives, ends - repeats, ends)
        all_alarms = _sums(
            times, negatives, np.append(0, to_here), np.append(to_here, len(negatives))
        )
        alarms = _running(all_alarms)
        return cls(
            -thresholds,
            times=at_thresholds,
            hits=_running(at_thresholds.copy()),
            alarms=alarms[:-1],
            tied=_sums(times, negatives, from_here, to_here)
            if (from_here < to_here).any()
            else None,
            negatives=alarms[-1],
        )

    def roc_auc(self) -> Vector:
        """The share of positive-negative pairs in the right order, ties half; NaN without pairs."""
        beaten = self.negatives - self.alarms
        if self.tied is not None:
            beaten += self.tied / 2
        right = np.einsum("kr,kr->r", self.times, beaten, dtype=np.float64)
        return ratio(right, self.times.sum(axis=0) * self.negatives)

    def average_precision(self) -> Vector:
        """Without interpolation, as in scikit-learn; NaN if a class is missing."""
        precision = np.einsum("kr,kr->r", self.times, self.precision, dtype=np.float64)
        positives = self.times.sum(axis=0)
        return np.where(self.negatives > 0, ratio(precision, positives), np.nan)

    @functools.cached_property
    def precision(self) -> Matrix:
        """At each threshold, shape (k, resamples); 0 if no comment is at or above it."""
        called = self.hits + self.alarms
        return np.divide(self.hits, called, out=called, where=called > 0)

    def at_recall(self, recall: float) -> tuple[Vector, Vector]:
        """Precision and threshold where a recall is first reached, (resamples,) each; else NaN."""
        positives = self.times.sum(axis=0, dtype=np.float64)
        # Rounding: 0.55 times 100 is above 55, and sums of weights are inexact.
        reached = self.hits >= recall * positives * (1 - 1e-5)
        first = reached.argmax(axis=0)
        precision = np.take_along_axis(self.precision, first[None], axis=0)[0]
        missing = np.where(positives > 0, 0.0, np.nan)
        return precision + missing, self.thresholds[first] + missing


def one_vs_rest(
    times: Matrix, labels: npt.ArrayLike, probabilities: npt.ArrayLike
) -> Iterator[Curve]:
    """The curve of the positive class, or of each class or label that occurs against the rest.

    Args:
        labels: class indices, shape (n,), or 0 and 1 for each of several labels, (n, labels).
        probabilities: of the positive class, shape (n,), or of each class or label, (n, classes).
    """
    truth, scores = np.asarray(labels), np.asarray(probabilities)
    if truth.ndim == 2:
        for number in np.flatnonzero(truth.any(axis=0)):
            yield Curve.of(times, truth[:, number], scores[:, number])
        return
    if scores.ndim == 1:
        yield Curve.of(times, truth, scores)
        return
    for kind in np.unique(truth):
        yield Curve.of(times, truth == kind, scores[:, kind])


def mean_defined(figures: Iterable[Vector]) -> Vector:
    """The mean of the figures defined in each resample, (resamples,); NaN if none is."""
    stacked = np.stack(list(figures))
    known = ~np.isnan(stacked)
    return ratio(np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0))


def confusion_at_thresholds(
    labels: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """True and false positives at each distinct score, the highest first; shape (thresholds,) each.

    As in scikit-learn's `roc_curve`, whose import would take a fifth of a report's time.
    """
    positive, score = np.asarray(labels) == 1, np.asarray(scores)
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    hits = np.cumsum(positive[order])[last]
    return hits, last + 1 - hits


def _sums(
    times: Matrix,
    rows: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> Matrix:
    """The sums of slices of some rows of times, shape (slices, resamples)."""
    slices = [rows[start:end] for start, end in zip(starts, ends, strict=True)]
    chosen = np.concatenate([*slices, rows[:0]])
    edges = np.append(0, np.cumsum(ends - starts))
    # Each slice is a row of ones and zeros; their product with times is one pass over it.
    picks = csr_array((np.ones(len(chosen), times.dtype), chosen, edges), (len(slices), len(times)))
    return np.asarray(picks @ times)


def _running(sums: Matrix) -> Matrix:
    """Cumulative sums of each column, in place; faster than numpy's cumsum along rows."""
    for before, row in itertools.pairwise(sums):
        row += before
    return sums


def ratio(part: Vector, whole: Vector) -> Vector:
    """part / whole; NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
