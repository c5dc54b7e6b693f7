"""By how much one run's samples differ from another's, and how surely.

All is resampled with fixed seeds: the same samples give the same intervals.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, mannwhitneyu

from worthit.reports import quality

Floats = npt.NDArray[np.float64]

_RESAMPLES = 1_000
_RESAMPLES_OF_LATENCY = 10_000
_TAILS = (2.5, 97.5)  # percentiles that leave 95 % between them


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Shift:
    """Whether one run's latencies are larger than another's, whatever their distribution."""

    cliffs_delta: float  # of two samples, P(later is larger) - P(later is smaller)
    p_value: float


@dataclass(frozen=True)
class Scored:
    """Probabilities and true labels of the same comments, both of shape (n,)."""

    probabilities: Floats
    labels: npt.NDArray[np.int64]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.probabilities >= quality.THRESHOLD) == (self.labels == 1))


@dataclass(frozen=True)
class Difference:
    """Later less base, in points: hundredths of a share."""

    points: float
    interval: Interval


@dataclass(frozen=True)
class Exchange:
    """Comments that only one of two models told right, and McNemar's exact test of them."""

    lost: int  # right in the base only
    gained: int
    p_value: float


def ratio_interval(base_ms: Sequence[float], later_ms: Sequence[float], share: float) -> Interval:
    """Of the ratio later / base of a quantile: the percentile bootstrap (Efron 1979).

    It holds how well these samples pin down the ratio, and not what differs from run to run.

    Args:
        base_ms, later_ms: latencies of single comments.
        share: which quantile, 0.5 for the median.
    """
    rng = np.random.default_rng(0)
    base, later = (
        _resampled_quantile(np.sort(np.asarray(samples)), share, rng)
        for samples in (base_ms, later_ms)
    )
    return Interval(*map(float, np.percentile(later / base, _TAILS)))


def _resampled_quantile(ordered: Floats, share: float, rng: np.random.Generator) -> Floats:
    """A quantile of each of many resamples of ordered samples, interpolated as numpy does.

    No resample is drawn: its k-th smallest is the sample at the k-th smallest of n uniform numbers,
    which are beta-distributed (Maritz and Jarrett 1978), and so is the next one's way beyond it.
    """
    n = len(ordered)
    below, weight = divmod((n - 1) * share, 1)
    rank = int(below) + 1
    place = rng.beta(rank, n - rank + 1, _RESAMPLES_OF_LATENCY)
    next_place = place + (1 - place) * rng.beta(1, n - rank, place.size) if rank < n else place
    lower, upper = (ordered[np.minimum((n * at).astype(int), n - 1)] for at in (place, next_place))
    found: Floats = lower + weight * (upper - lower)
    return found


def shift(base_ms: Sequence[float], later_ms: Sequence[float]) -> Shift:
    """Cliff's delta (Cliff 1993) and the two-sided Mann-Whitney U test behind it, by scipy."""
    found = mannwhitneyu(later_ms, base_ms)
    delta = 2 * float(found.statistic) / (len(base_ms) * len(later_ms)) - 1
    return Shift(delta, float(found.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number (Holm 1979), in their order."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def accuracy_difference(base: Scored, later: Scored, *, paired: bool) -> Difference:
    """In test accuracy, with its percentile bootstrap interval over the comments.

    Args:
        base, later: what each run scored.
        paired: whether both hold the same comments in the same order, which are then resampled
            together; otherwise each run's are by themselves.
    """
    base_shares, later_shares = (
        weights @ run.hits / len(run.labels) for run, weights in _resampled(base, later, paired)
    )
    return _difference(base.hits.mean(), later.hits.mean(), later_shares - base_shares)


def auc_difference(base: Scored, later: Scored, *, paired: bool) -> Difference | None:
    """In ROC AUC, the same way; None where a class is missing."""
    if any(len(np.unique(run.labels)) < 2 for run in (base, later)):
        return None
    base_area, later_area = (float(_areas(run, _once_each(run))[0]) for run in (base, later))
    base_areas, later_areas = (
        _areas(run, weights) for run, weights in _resampled(base, later, paired)
    )
    return _difference(base_area, later_area, later_areas - base_areas)


def exchange(base: Scored, later: Scored) -> Exchange:
    """Of the same comments in the same order: McNemar's test, exact (McNemar 1947), by scipy."""
    lost = int((base.hits & ~later.hits).sum())
    gained = int((later.hits & ~base.hits).sum())
    p_value = float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0
    return Exchange(lost, gained, p_value)


def _difference(base: float, later: float, resampled: Floats) -> Difference:
    # A resample may by chance lack a class, and then has no area.
    low, high = np.nanpercentile(resampled, _TAILS) * 100
    return Difference(float(later - base) * 100, Interval(float(low), float(high)))


def _resampled(base: Scored, later: Scored, paired: bool) -> list[tuple[Scored, Floats]]:
    """Each run with how often each of its comments is in each resample, shape (resamples, n)."""
    return [
        (base, _weights(len(base.labels), 0)),
        (later, _weights(len(later.labels), 0 if paired else 1)),
    ]


@functools.lru_cache(maxsize=2)  # all models of a run are tested on the same comments
def _weights(comments: int, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).integers(comments, size=(_RESAMPLES, comments))
    drawn += np.arange(_RESAMPLES)[:, np.newaxis] * comments
    counts = np.bincount(drawn.ravel(), minlength=drawn.size)
    return counts.reshape(drawn.shape).astype(float)


def _once_each(run: Scored) -> Floats:
    return np.ones((1, len(run.labels)))


def _areas(run: Scored, weights: Floats) -> Floats:
    """ROC AUC under each row of weights: of pairs of a toxic comment and another, the share in
    which the toxic one scores higher, where ties count half (Mann and Whitney 1947)."""
    toxic, other = np.flatnonzero(run.labels == 1), np.flatnonzero(run.labels != 1)
    other = other[np.argsort(run.probabilities[other], kind="stable")]
    up_to = np.cumsum(weights[:, other], axis=1)
    up_to = np.concatenate([np.zeros((len(weights), 1)), up_to], axis=1)
    below, not_above = (
        np.searchsorted(run.probabilities[other], run.probabilities[toxic], side)
        for side in ("left", "right")
    )
    won = np.einsum("rt,rt->r", weights[:, toxic], up_to[:, below] + up_to[:, not_above]) / 2
    with np.errstate(invalid="ignore"):
        areas: Floats = won / (weights[:, toxic].sum(axis=1) * up_to[:, -1])
    return areas
