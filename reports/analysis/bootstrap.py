"""Intervals of metrics by the bootstrap over comments (Efron 1979), all resamples at once.

A resample is a count for each comment, so that every metric becomes a weighted one. All models share
the resamples, so that their differences are on the same comments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from worthit.reports.analysis import metrics
from worthit.reports.analysis.metrics import Measure
from worthit.reports.analysis.ranking_curve import (
    Curve,
    Matrix,
    Vector,
    mean_defined,
    one_vs_rest,
    ratio,
)

RESAMPLES = 1_000
_SEED = 0
#: chance raises these, and raises them again in a resample
_RAISED_BY_CHANCE = {metrics.CALIBRATION_ERROR, metrics.MACRO_AVERAGE_PRECISION}


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; `reason` says why one of them is None."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def counts(comments: int, resamples: int = RESAMPLES, seed: int = _SEED) -> Matrix:
    """How often each comment is in each resample, shape (comments, resamples), read-only.

    The same arguments give the same counts.
    """
    rng = np.random.default_rng(seed)
    times = np.empty((resamples, comments), np.uint8)  # bytes transpose faster
    for row in times:  # row by row stays in the processor's cache: five times faster
        row[:] = np.bincount(rng.integers(comments, size=comments), minlength=comments)
    drawn = times.T.astype(np.float32, order="C")
    drawn.flags.writeable = False
    return drawn


def estimates(
    times: Matrix, labels: Sequence[int], trainings: Sequence[npt.ArrayLike]
) -> dict[Measure, Estimate]:
    """Each figure of a model, with its interval.

    Args:
        times: of `counts`, shape (n, resamples).
        labels: class indices, shape (n,).
        trainings: the probabilities of each seed, as `metrics` takes them. The figure is their mean;
            with several seeds, each resample draws seeds, then comments.
    """
    drawn = [resampled(times, labels, scores) for scores in trainings]
    found = {}
    for measure in drawn[0]:
        values = [measure.value(scores, labels) for scores in trainings]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            found[measure] = Estimate(None, reason=measure.undefined)
            continue
        replicates = over_seeds(np.stack([of_seed[measure] for of_seed in drawn]))
        mean = float(np.mean(known))
        # Chance adds the same again in a resample: reflect the interval.
        if measure in _RAISED_BY_CHANCE:
            replicates = np.clip(2 * mean - replicates, 0, 1)
        found[measure] = estimate(mean, replicates)
    return found


def estimate(value: float, replicates: Vector) -> Estimate:
    """A figure and the percentile interval of its replicates, shape (resamples,).

    Resamples that lack a class, where the figure is not defined (NaN), do not count.
    """
    defined = replicates[~np.isnan(replicates)]
    if not len(defined) or np.ptp(defined) < 1e-6:  # float32 resolves no less
        return Estimate(
            value, reason="no interval: all resamples are identical, as for a perfect score"
        )
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def over_seeds(replicates: Matrix) -> Vector:
    """The mean over seeds, drawn with replacement for each resample; from (seeds, resamples)."""
    seeds, resamples = replicates.shape
    drawn = np.random.default_rng(_SEED).integers(seeds, size=(seeds, resamples))
    mean: Vector = np.take_along_axis(replicates, drawn, axis=0).mean(axis=0)
    return mean


def resampled(times: Matrix, labels: Sequence[int], scores: npt.ArrayLike) -> dict[Measure, Vector]:
    """Each metric in each resample, shape (resamples,); NaN where it is not defined."""
    of_two = np.ndim(scores) == 1
    return _of_two(times, labels, scores) if of_two else _of_many(times, labels, scores)


def _of_two(times: Matrix, labels: Sequence[int], scores: npt.ArrayLike) -> dict[Measure, Vector]:
    positive, called = np.asarray(labels) == 1, metrics.predicted(scores) == 1
    summed = np.stack([positive, ~positive, positive & called, ~positive & called])
    positives, negatives, hits, alarms = summed.astype(times.dtype) @ times
    everything = positives + negatives
    recall, specificity = ratio(hits, positives), ratio(negatives - alarms, negatives)
    curve = Curve.of(times, labels, scores)
    return {
        metrics.ACCURACY: ratio(hits + negatives - alarms, everything),
        metrics.BALANCED_ACCURACY: (recall + specificity) / 2,
        metrics.PRECISION: ratio(hits, hits + alarms),
        metrics.RECALL: recall,
        metrics.F1: np.where(positives > 0, ratio(2 * hits, hits + alarms + positives), np.nan),
        metrics.ROC_AUC: curve.roc_auc(),
        metrics.AVERAGE_PRECISION: curve.average_precision(),
        **_of_probabilities(times, labels, scores),
    }


def _of_many(times: Matrix, labels: Sequence[int], scores: npt.ArrayLike) -> dict[Measure, Vector]:
    truth, called, kinds = np.asarray(labels), metrics.predicted(scores), np.shape(scores)[1]
    right = np.flatnonzero(called == truth)
    true = _by_class(times, truth, np.arange(len(truth)), kinds)
    answered = _by_class(times, called, np.arange(len(truth)), kinds)
    hits = _by_class(times, truth, right, kinds)
    occurs = true > 0
    precision = np.where(occurs, hits / np.maximum(answered, 1), np.nan)
    f1 = np.where(occurs, 2 * hits / np.maximum(true + answered, 1), np.nan)
    areas, precisions = _areas(times, labels, scores)
    return {
        metrics.ACCURACY: ratio(hits.sum(axis=0), true.sum(axis=0)),
        metrics.MACRO_RECALL: mean_defined(map(ratio, hits, true)),
        metrics.MACRO_PRECISION: mean_defined(precision),
        metrics.MACRO_F1: mean_defined(f1),
        metrics.MACRO_ROC_AUC: areas,
        metrics.MACRO_AVERAGE_PRECISION: precisions,
        **_of_probabilities(times, labels, scores),
    }


def _by_class(
    times: Matrix, classes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], kinds: int
) -> Matrix:
    """How often the comments of some rows are in each resample, by class: (kinds, resamples)."""
    ones = np.ones(len(rows), times.dtype)
    return np.asarray(csr_array((ones, (classes[rows], rows)), (kinds, len(times))) @ times)


def _areas(times: Matrix, labels: Sequence[int], scores: npt.ArrayLike) -> tuple[Vector, Vector]:
    """Macro ROC AUC and average precision in each resample; one curve at a time to save memory."""
    found = [
        (curve.roc_auc(), curve.average_precision()) for curve in one_vs_rest(times, labels, scores)
    ]
    areas, precisions = zip(*found, strict=True)
    return mean_defined(areas), mean_defined(precisions)


def _of_probabilities(
    times: Matrix, labels: Sequence[int], scores: npt.ArrayLike
) -> dict[Measure, Vector]:
    claims, hits = metrics.calibration_pairs(scores, labels)
    by_bin = (claims - hits) * (metrics.bins(claims) == np.arange(metrics.BINS)[:, None])
    summed = np.stack([np.ones(len(claims)), metrics.squares(scores, labels), *by_bin])
    everything, squares, *bins = summed.astype(times.dtype) @ times
    return {
        metrics.BRIER: ratio(squares, everything),
        metrics.CALIBRATION_ERROR: ratio(np.abs(bins).sum(axis=0), everything),
    }
