"""Statistics of the samples of two runs: differences, their 95 % intervals, and tests.

Seeds of the resampling are fixed: the same samples give the same intervals.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.bench.instruments import quantiles
from worthit.bench.saved.record import Latency
from worthit.reports.analysis.paired_tests import mcnemar_p
from worthit.reports.statistics import metrics
from worthit.reports.statistics.bootstrap import interval
from worthit.reports.statistics.metrics import Measure
from worthit.reports.statistics.ranking_curve import Matrix
from worthit.reports.text.class_names import Probabilities, Truth

Floats = npt.NDArray[np.float64]

_LATENCY_RESAMPLES = 400  # enough for a standard error


@dataclass(frozen=True)
class ScoredComments:
    """Probabilities and labels of the same n comments, as `metrics` takes them."""

    probabilities: Probabilities  # for which the answers are the chosen ones
    calibrated: Probabilities  # by which comments rank, see `run_view.calibrated`
    labels: Truth
    resamples: Matrix  # (n, resamples), see `bootstrap.counts`; paired runs share them

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """True for each comment classified correctly, shape (n,)."""
        return metrics.correct(self.probabilities, self.labels)


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


def share_comments(base: Latency, later: Latency) -> bool:
    """True if both runs timed the same comments, as far as the shorter one got."""
    comments = min(base.comments, later.comments)
    return base.characters[:comments] == later.characters[:comments]


def paired_ratio(base: Latency, later: Latency, confidence: float) -> Change | None:
    """The ratio later / base of the median latency, comment by comment.

    A comment's latency is its median over passes. The interval has two independent parts, of comments
    (bootstrap standard error, the same resamples for both runs) and of time (`quantiles.drift` of the
    ratios). It does not cover a difference that lasts for a whole measurement, such as machine noise.

    Args:
        base, later: of the same comments, in the same order.
        confidence: of each bound.

    Returns:
        None if there are too few samples.
    """
    from scipy.special import stdtrit  # takes 20 ms to import

    comments = min(base.comments, later.comments)
    samples = min(len(base.samples_ms), len(later.samples_ms))
    if comments < 2:
        return None
    both = np.log([base.samples_ms[:samples], later.samples_ms[:samples]])
    by_time = quantiles.drift(both[1] - both[0], comments, confidence)
    if by_time is None:
        return None
    drawn = np.random.default_rng(0).integers(comments, size=(_LATENCY_RESAMPLES, comments))
    each = [_log_per_comment(latency)[:comments] for latency in (base, later)]
    resampled = [np.median(logs[drawn], axis=1) for logs in each]
    spread = float(np.std(resampled[1] - resampled[0]))
    by_comment = float(stdtrit(comments - 1, confidence)) * spread
    # In a single pass, the blocks of time hold different comments, so they cover both parts.
    parts = (by_comment, by_time)
    width = math.hypot(*parts) if samples >= 2 * comments else max(parts)
    middle = float(np.median(each[1]) - np.median(each[0]))
    return Change(math.exp(middle), math.exp(middle - width), math.exp(middle + width))


def unpaired_ratio(base: Latency, later: Latency, share: float, confidence: float) -> Change | None:
    """The ratio later / base of a latency quantile of different comments.

    Args:
        share: which quantile, 0.5 for the median.
        confidence: of each bound. Those of both runs are combined by their squares, as logarithms.

    Returns:
        None if there are too few comments or samples.
    """
    values = [float(np.quantile(latency.samples_ms, share)) for latency in (base, later)]
    found = [
        quantiles.bounds(latency.samples_ms, latency.comments, round(100 * share), confidence)
        for latency in (base, later)
    ]
    if found[0] is None or found[1] is None:
        return None
    ratio = values[1] / values[0]
    below = math.hypot(math.log(values[1] / found[1][0]), math.log(found[0][1] / values[0]))
    above = math.hypot(math.log(found[1][1] / values[1]), math.log(values[0] / found[0][0]))
    return Change(ratio, ratio * math.exp(-below), ratio * math.exp(above))


def _log_per_comment(latency: Latency) -> Floats:
    """The logarithm of each comment's median latency, shape (comments,)."""
    passes = math.ceil(len(latency.samples_ms) / latency.comments)
    table = np.full(passes * latency.comments, np.nan)
    table[: len(latency.samples_ms)] = np.log(latency.samples_ms)
    medians: Floats = np.nanmedian(table.reshape(passes, latency.comments), axis=0)
    return medians


def accuracy_difference(base: ScoredComments, later: ScoredComments) -> Change:
    """Later minus base in test accuracy, in points, with its percentile bootstrap interval."""
    base_shares, later_shares = (
        run.correct @ run.resamples / len(run.labels) for run in (base, later)
    )
    return _points(later.correct.mean() - base.correct.mean(), later_shares - base_shares)


def auc_difference(base: ScoredComments, later: ScoredComments) -> Change | None:
    """The same for ROC AUC, macro for more than two classes; None if only one class occurs."""
    runs = [(run.labels, run.calibrated) for run in (base, later)]
    base_area, later_area = (metrics.roc_auc(scores, labels) for labels, scores in runs)
    if base_area is None or later_area is None:
        return None
    base_areas, later_areas = (
        metrics.roc_aucs(run.resamples, *both)
        for run, both in zip((base, later), runs, strict=True)
    )
    return _points(later_area - base_area, later_areas - base_areas)


def figure_difference(
    measure: Measure, base: ScoredComments, later: ScoredComments
) -> Change | None:
    """The same for any figure; None if it is not defined for these comments."""
    values = [measure.value(run.probabilities, run.labels) for run in (base, later)]
    if values[0] is None or values[1] is None:
        return None
    before, after = (
        metrics.resampled(run.resamples, run.labels, run.probabilities)[measure]
        for run in (base, later)
    )
    return _points(values[1] - values[0], after - before)


def changed_predictions(base: ScoredComments, later: ScoredComments) -> ChangedPredictions:
    """Changes between two models on the same comments in the same order."""
    lost = int((base.correct & ~later.correct).sum())
    gained = int((later.correct & ~base.correct).sum())
    return ChangedPredictions(lost, gained, mcnemar_p(base.correct, later.correct))


def _points(difference: float, resampled: Floats) -> Change:
    return Change(100 * float(difference), *interval(100 * resampled))
