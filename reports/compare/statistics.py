"""Statistics of the samples of two runs: differences, their 95 % intervals, and tests.

Seeds of the resampling are fixed: the same samples give the same intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.reports.analysis import metrics
from worthit.reports.analysis.bootstrap import interval
from worthit.reports.analysis.paired_tests import mcnemar_p
from worthit.reports.analysis.ranking_curve import Matrix
from worthit.reports.text.class_names import Probabilities

Floats = npt.NDArray[np.float64]

_LATENCY_RESAMPLES = 10_000


@dataclass(frozen=True)
class LatencyShift:
    """How often latencies of one run exceed those of the other, whatever their distribution."""

    cliffs_delta: float  # P(a later one is larger) - P(it is smaller)
    p_value: float


@dataclass(frozen=True)
class ScoredComments:
    """Probabilities and class indices of the same n comments."""

    probabilities: Probabilities
    labels: npt.NDArray[np.int64]  # (n,)
    resamples: Matrix  # (n, resamples), see `bootstrap.counts`; paired runs share them

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """True for each comment classified correctly, shape (n,)."""
        return np.asarray(metrics.predicted(self.probabilities) == self.labels)


@dataclass(frozen=True)
class Change:
    """A figure later in relation to the base, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ChangedPredictions:
    """Comments that only one of two models classifies correctly, and McNemar's exact test."""

    lost: int  # correct in the base only
    gained: int  # correct in the later run only
    p_value: float


def ratio_interval(
    base_ms: Sequence[float], later_ms: Sequence[float], share: float
) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron 1979) of the ratio later / base of a quantile.

    It covers the variation between samples, not that between runs.

    Args:
        base_ms, later_ms: latencies of single comments.
        share: which quantile, 0.5 for the median.
    """
    rng = np.random.default_rng(0)
    base, later = (
        resampled_quantile(np.sort(np.asarray(samples)), share, rng)
        for samples in (base_ms, later_ms)
    )
    return interval(later / base)


def resampled_quantile(ordered: Floats, share: float, rng: np.random.Generator) -> Floats:
    """A quantile of many resamples of ordered samples, shape (resamples,), interpolated as in numpy.

    No resample is drawn. Its k-th smallest value is the sample at the k-th smallest of n uniform
    numbers, which has a beta distribution (Maritz and Jarrett 1978), as has the gap to the next.
    """
    n = len(ordered)
    below, weight = divmod((n - 1) * share, 1)
    rank = int(below) + 1
    place = rng.beta(rank, n - rank + 1, _LATENCY_RESAMPLES)
    next_place = place + (1 - place) * rng.beta(1, n - rank, place.size) if rank < n else place
    lower, upper = (ordered[np.minimum((n * at).astype(int), n - 1)] for at in (place, next_place))
    quantile: Floats = lower + weight * (upper - lower)
    return quantile


def latency_shift(base_ms: Sequence[float], later_ms: Sequence[float]) -> LatencyShift:
    """Cliff's delta (Cliff 1993) and the two-sided Mann-Whitney U test."""
    from scipy.stats import mannwhitneyu  # takes 0.4 s to import

    test = mannwhitneyu(later_ms, base_ms)
    delta = 2 * float(test.statistic) / (len(base_ms) * len(later_ms)) - 1
    return LatencyShift(delta, float(test.pvalue))


def accuracy_difference(base: ScoredComments, later: ScoredComments) -> Change:
    """Later minus base in test accuracy, in points, with its percentile bootstrap interval."""
    base_shares, later_shares = (
        run.correct @ run.resamples / len(run.labels) for run in (base, later)
    )
    return _points(later.correct.mean() - base.correct.mean(), later_shares - base_shares)


def auc_difference(base: ScoredComments, later: ScoredComments) -> Change | None:
    """The same for ROC AUC, macro for more than two classes; None if only one class occurs."""
    runs = [(run.labels.tolist(), run.probabilities) for run in (base, later)]
    base_area, later_area = (metrics.roc_auc(scores, labels) for labels, scores in runs)
    if base_area is None or later_area is None:
        return None
    base_areas, later_areas = (
        metrics.roc_aucs(run.resamples, *both)
        for run, both in zip((base, later), runs, strict=True)
    )
    return _points(later_area - base_area, later_areas - base_areas)


def changed_predictions(base: ScoredComments, later: ScoredComments) -> ChangedPredictions:
    """Changes between two models on the same comments in the same order."""
    lost = int((base.correct & ~later.correct).sum())
    gained = int((later.correct & ~base.correct).sum())
    return ChangedPredictions(lost, gained, mcnemar_p(base.correct, later.correct))


def _points(difference: float, resampled: Floats) -> Change:
    return Change(100 * float(difference), *interval(100 * resampled))
