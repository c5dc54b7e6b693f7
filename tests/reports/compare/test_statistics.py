"""reports/compare/statistics.py: differences of samples, and intervals that cover the true values."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.compare import statistics
from worthit.reports.compare.statistics import ScoredComments

COMMENTS = 400
LABELS = np.arange(COMMENTS) % 2
RESAMPLES = bootstrap.counts(COMMENTS)


def scored(probabilities: npt.ArrayLike, labels: Sequence[int] = ()) -> ScoredComments:
    truth = np.asarray(labels) if len(labels) else LABELS
    return ScoredComments(np.asarray(probabilities, float), truth, RESAMPLES)


def coverage(truth: float, interval: Callable[[np.random.Generator], statistics.Change]) -> float:
    rng = np.random.default_rng(0)
    intervals = [interval(rng) for _ in range(300)]
    return sum(one.low <= truth <= one.high for one in intervals) / len(intervals)


def test_the_interval_of_a_ratio_of_medians_covers_the_true_ratio() -> None:
    def interval(rng: np.random.Generator) -> statistics.Change:
        base, later = rng.lognormal(0, 0.4, 300), 1.2 * rng.lognormal(0, 0.4, 200)
        return statistics.Change(
            1.2, *statistics.ratio_interval(base.tolist(), later.tolist(), 0.5)
        )

    assert 0.92 <= coverage(1.2, interval) <= 0.98


def test_the_interval_of_a_paired_difference_covers_the_true_difference() -> None:
    def interval(rng: np.random.Generator) -> statistics.Change:
        base = np.where(rng.random(COMMENTS) < 0.9, LABELS, 1 - LABELS)
        later = np.where(rng.random(COMMENTS) < 0.1, 1 - base, base)  # 90 % becomes 82 %
        return statistics.accuracy_difference(scored(base), scored(later))

    assert 0.92 <= coverage(-8.0, interval) <= 0.98


def test_unpaired_runs_are_resampled_independently() -> None:
    probabilities = np.where(np.arange(COMMENTS) < 80, 1 - LABELS, LABELS)
    base = scored(probabilities)
    later = ScoredComments(base.probabilities, LABELS, bootstrap.counts(COMMENTS, seed=1))
    difference = statistics.accuracy_difference(base, later)
    assert difference.value == 0
    # two shares of 80 % of 400 differ by 1.96 x sqrt(2 x 0.16 / 400) = 5.5 points, either way
    assert (difference.low, difference.high) == pytest.approx((-5.5, 5.5), abs=0.5)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_quantiles_of_resamples_are_distributed_as_if_drawn(share: float) -> None:
    rng = np.random.default_rng(0)
    samples = np.sort(rng.lognormal(0, 0.4, 300))
    drawn = np.quantile(samples[rng.integers(300, size=(10_000, 300))], share, axis=1)
    quantiles = statistics.resampled_quantile(samples, share, rng)
    for percent in (2.5, 25, 50, 75, 97.5):
        expected = np.percentile(drawn, percent)
        assert np.percentile(quantiles, percent) == pytest.approx(expected, 0.02)


def test_the_difference_in_auc_is_that_of_the_report() -> None:
    rng = np.random.default_rng(0)
    before, after = (scored(rng.normal(LABELS, spread).round(1)) for spread in (1.0, 1.5))
    difference = statistics.auc_difference(before, after)
    areas = [metrics.roc_auc(one.probabilities, LABELS.tolist()) for one in (before, after)]
    assert difference is not None
    assert difference.value == pytest.approx(((areas[1] or 0) - (areas[0] or 0)) * 100)
    assert difference.low < difference.value < difference.high
    one_class = scored(before.probabilities, [1] * COMMENTS)
    assert statistics.auc_difference(before, one_class) is None


def test_cliffs_delta_and_mcnemar_by_hand() -> None:
    assert statistics.latency_shift([1, 2], [3, 4]).cliffs_delta == 1
    assert statistics.latency_shift([1, 3], [2, 4]).cliffs_delta == 0.5
    before, after = scored(np.ones(10), [1] * 10), scored(np.zeros(10), [1] * 10)
    assert statistics.changed_predictions(before, after) == statistics.ChangedPredictions(
        10, 0, pytest.approx(2 / 2**10)
    )
    assert statistics.changed_predictions(before, before) == statistics.ChangedPredictions(
        0, 0, 1.0
    )
