"""How far a figure could be off: the bootstrap over comments (Efron 1979), all resamples at once.

A resample is a number of times for each comment, so every figure becomes a weighted one. All
models are given the same resamples: their differences are those on the same comments.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worthit.reports import quality
from worthit.reports.curve import Curve, Matrix, Vector, ratio
from worthit.reports.quality import Measure

RESAMPLES = 1_000
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; what is None is so for the reason given."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@functools.lru_cache(maxsize=4)  # many sections of a report resample the same comments
def counts(comments: int, resamples: int = RESAMPLES, seed: int = _SEED) -> Matrix:
    """How often each comment is in each resample, shape (comments, resamples), read-only.

    The same for the same arguments: what shares them is resampled together.
    """
    rng = np.random.default_rng(seed)
    times = np.empty((resamples, comments), np.uint8)  # bytes are quicker to turn round
    for row in times:  # one at a time stays in the processor's cache: five times as fast as at once
        row[:] = np.bincount(rng.integers(comments, size=comments), minlength=comments)
    drawn = times.T.astype(np.float32, order="C")
    drawn.flags.writeable = False
    return drawn


def estimates(
    times: Matrix, labels: Sequence[int], trainings: Sequence[Sequence[float]]
) -> dict[Measure, Estimate]:
    """Each figure of a model, with its interval.

    Args:
        times: of `counts`, shape (n, resamples).
        labels: 1 toxic, shape (n,).
        trainings: probabilities of toxic, shape (n,), of each seed the model was trained with. The
            figure is their mean; with several, each resample draws seeds, then comments.
    """
    drawn = [resampled(times, labels, scores) for scores in trainings]
    found = {}
    for measure in (*quality.DECISIONS, *quality.SCORES):
        values = [measure.value(scores, labels) for scores in trainings]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            found[measure] = Estimate(None, reason=measure.undefined)
            continue
        replicates = over_seeds(np.stack([of_seed[measure] for of_seed in drawn]))
        mean = float(np.mean(known))
        # Chance adds to the distance from the diagonal, in a resample once more: so turn it round.
        if measure is quality.CALIBRATION_ERROR:
            replicates = np.maximum(2 * mean - replicates, 0)
        found[measure] = estimate(mean, replicates)
    return found


def estimate(value: float, replicates: Vector) -> Estimate:
    """A figure and the percentile interval of its replicates, shape (resamples,).

    Resamples in which it is not defined (NaN), for want of a class, do not count.
    """
    defined = replicates[~np.isnan(replicates)]
    if not len(defined) or np.ptp(defined) < 1e-6:  # no more than float32 tells apart
        return Estimate(value, reason="no interval: all resamples are alike, as of a perfect score")
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


def over_seeds(replicates: Matrix) -> Vector:
    """The mean of as many seeds, drawn anew for each resample, from shape (seeds, resamples)."""
    seeds, resamples = replicates.shape
    drawn = np.random.default_rng(_SEED).integers(seeds, size=(seeds, resamples))
    mean: Vector = np.take_along_axis(replicates, drawn, axis=0).mean(axis=0)
    return mean


def resampled(
    times: Matrix, labels: Sequence[int], scores: Sequence[float]
) -> dict[Measure, Vector]:
    """Each figure in each resample, shape (resamples,); NaN where it is not defined."""
    toxic, called = np.asarray(labels) == 1, quality.called(scores)
    gaps = np.asarray(scores) - toxic
    by_bin = gaps * (quality.bins(scores) == np.arange(quality.BINS)[:, None])
    summed = np.stack([toxic, ~toxic, toxic & called, ~toxic & called, gaps**2, *by_bin])
    positives, negatives, hits, alarms, squares, *bins = summed.astype(times.dtype) @ times
    everything = positives + negatives
    recall, specificity = ratio(hits, positives), ratio(negatives - alarms, negatives)
    curve = Curve.of(times, labels, scores)
    return {
        quality.ACCURACY: ratio(hits + negatives - alarms, everything),
        quality.BALANCED_ACCURACY: (recall + specificity) / 2,
        quality.PRECISION: ratio(hits, hits + alarms),
        quality.RECALL: recall,
        quality.F1: np.where(positives > 0, ratio(2 * hits, hits + alarms + positives), np.nan),
        quality.ROC_AUC: curve.roc_auc(),
        quality.AVERAGE_PRECISION: curve.average_precision(),
        quality.BRIER: ratio(squares, everything),
        quality.CALIBRATION_ERROR: ratio(np.abs(bins).sum(axis=0), everything),
    }
