"""Intervals of metrics by the bootstrap over comments (Efron 1979), all resamples at once.

A resample is a count for each comment, so that every metric becomes a weighted one. All models share
the resamples, so that their differences are on the same comments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure, Truth
from worthit.reports.statistics.ranking_curve import Matrix, Vector
from worthit.reports.statistics.trainings import Spread

RESAMPLES = 1_000
_SEED = 0
#: chance raises these, and raises them again in a resample
_RAISED_BY_CHANCE = {
    metrics.CALIBRATION_ERROR,
    metrics.MACRO_AVERAGE_PRECISION,
    metrics.LABEL_AVERAGE_PRECISION,
}


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
    times: Matrix,
    labels: Truth,
    trainings: Sequence[npt.ArrayLike],
    weights: npt.ArrayLike | None = None,
) -> dict[Measure, Estimate]:
    """Each figure of a model, with its interval.

    Args:
        times: of `counts`, shape (n, resamples).
        labels: as `metrics` takes them.
        trainings: the probabilities of each seed, as `metrics` takes them. The figure is the mean
            over seeds; with several, the interval also covers the trainings (`trainings.Spread`).
        weights: how much each comment counts in the figure, shape (n,); once by default.
    """
    drawn = [metrics.resampled(times, labels, scores) for scores in trainings]
    values = [metrics.values(scores, labels, weights) for scores in trainings]
    found = {}
    for measure in drawn[0]:
        known = [value for of_seed in values if (value := of_seed[measure]) is not None]
        if len(known) < len(values):
            found[measure] = Estimate(None, reason=measure.undefined)
            continue
        replicates: Vector = np.mean([of_seed[measure] for of_seed in drawn], axis=0)
        mean = float(np.mean(known))
        # Chance adds the same again in a resample: reflect the interval.
        if measure in _RAISED_BY_CHANCE:
            replicates = np.clip(2 * mean - replicates, 0, 1)
        found[measure] = _over_trainings(estimate(mean, replicates), replicates, known)
    return found


def _over_trainings(found: Estimate, replicates: Vector, figures: Sequence[float]) -> Estimate:
    """An estimate whose interval also covers the trainings.

    Args:
        figures: of each training.
    """
    if found.value is None or found.low is None or found.high is None:
        return found
    by = Spread.of(np.nanvar(replicates), [figures]).stretch
    low, high = (
        found.value - by * (found.value - found.low),
        found.value + by * (found.high - found.value),
    )
    return replace(found, low=max(low, 0.0), high=min(high, max(1.0, found.high)))


def estimate(value: float, replicates: Vector) -> Estimate:
    """A figure and the percentile interval of its replicates, shape (resamples,).

    Resamples that lack a class, where the figure is not defined (NaN), do not count.
    """
    defined = replicates[~np.isnan(replicates)]
    if not len(defined) or np.ptp(defined) < 1e-6:  # float32 resolves no less
        return Estimate(
            value,
            reason="no interval: all resamples give the same, as for a score of 0 or a perfect one",
        )
    return Estimate(value, *interval(defined))


def interval(replicates: Vector) -> tuple[float, float]:
    """The percentiles 2.5 and 97.5; NaN does not count."""
    low, high = np.nanquantile(replicates, (0.025, 0.975))
    return float(low), float(high)
