"""By how much one run's samples differ from another's, and how surely.

All is resampled with fixed seeds: the same samples give the same intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.analysis.paired_tests import mcnemar_p
from worthit.reports.analysis.ranking_curve import Matrix, mean_defined, one_vs_rest
from worthit.reports.text.class_names import Probabilities

Floats = npt.NDArray[np.float64]

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
    """Probabilities and true classes, shape (n,), of the same comments."""

    probabilities: Probabilities
    labels: npt.NDArray[np.int64]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        return np.asarray(metrics.called(self.probabilities) == self.labels)


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
    from scipy.stats import mannwhitneyu  # most of a second to import, for comparisons only

    found = mannwhitneyu(later_ms, base_ms)
    delta = 2 * float(found.statistic) / (len(base_ms) * len(later_ms)) - 1
    return Shift(delta, float(found.pvalue))


def accuracy_difference(base: Scored, later: Scored, *, paired: bool) -> Difference:
    """In test accuracy, with its percentile bootstrap interval over the comments.

    Args:
        base, later: what each run scored.
        paired: whether both hold the same comments in the same order, which are then resampled
            together; otherwise each run's are by themselves.
    """
    base_shares, later_shares = (
        run.hits @ times / len(run.labels) for run, times in _resampled(base, later, paired)
    )
    return _difference(base.hits.mean(), later.hits.mean(), later_shares - base_shares)


def auc_difference(base: Scored, later: Scored, *, paired: bool) -> Difference | None:
    """In ROC AUC, macro of more classes than two, the same way; None where a class is missing."""
    base_area, later_area = (
        metrics.roc_auc(run.probabilities, run.labels.tolist()) for run in (base, later)
    )
    if base_area is None or later_area is None:
        return None
    base_areas, later_areas = (
        mean_defined(
            [
                curve.roc_auc()
                for curve in one_vs_rest(times, run.labels.tolist(), run.probabilities)
            ]
        )
        for run, times in _resampled(base, later, paired)
    )
    return _difference(base_area, later_area, later_areas - base_areas)


def exchange(base: Scored, later: Scored) -> Exchange:
    """Of the same comments in the same order: McNemar's test, exact (McNemar 1947), by scipy."""
    lost = int((base.hits & ~later.hits).sum())
    gained = int((later.hits & ~base.hits).sum())
    return Exchange(lost, gained, mcnemar_p(base.hits, later.hits))


def _difference(base: float, later: float, resampled: Floats) -> Difference:
    # A resample may by chance lack a class, and then has no area.
    low, high = np.nanpercentile(resampled, _TAILS) * 100
    return Difference(float(later - base) * 100, Interval(float(low), float(high)))


def _resampled(base: Scored, later: Scored, paired: bool) -> list[tuple[Scored, Matrix]]:
    """Each run with how often each of its comments is in each resample, shape (n, resamples)."""
    return [
        (base, bootstrap.counts(len(base.labels))),
        (later, bootstrap.counts(len(later.labels), seed=0 if paired else 1)),
    ]
