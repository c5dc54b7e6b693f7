"""reports/compare/differences.py: how much samples differ, and how surely; intervals cover what is true."""

from collections.abc import Callable

import numpy as np
import pytest

from worthit.reports.analysis import metrics
from worthit.reports.compare import differences

COMMENTS = 400
LABELS = tuple(i % 2 for i in range(COMMENTS))


def coverage(
    truth: float, interval: Callable[[np.random.Generator], differences.Interval]
) -> float:
    rng = np.random.default_rng(0)
    found = [interval(rng) for _ in range(300)]
    return sum(one.low <= truth <= one.high for one in found) / len(found)


def test_the_interval_of_a_ratio_of_medians_covers_the_truth() -> None:
    def interval(rng: np.random.Generator) -> differences.Interval:
        base, later = rng.lognormal(0, 0.4, 300), 1.2 * rng.lognormal(0, 0.4, 200)
        return differences.ratio_interval(base.tolist(), later.tolist(), 0.5)

    assert 0.92 <= coverage(1.2, interval) <= 0.98


def test_the_interval_of_a_paired_difference_covers_the_truth() -> None:
    labels = np.asarray(LABELS)

    def interval(rng: np.random.Generator) -> differences.Interval:
        base = np.where(rng.random(COMMENTS) < 0.9, labels, 1 - labels)
        later = np.where(rng.random(COMMENTS) < 0.1, 1 - base, base)  # 90 % becomes 82 %
        before, after = (differences.Scored(told.astype(float), labels) for told in (base, later))
        return differences.accuracy_difference(before, after, paired=True).interval

    assert 0.92 <= coverage(-8.0, interval) <= 0.98


def test_unpaired_runs_are_resampled_each_by_itself() -> None:
    held = differences.Scored(
        np.where(np.arange(COMMENTS) < 80, 1 - np.asarray(LABELS), LABELS).astype(float),
        np.asarray(LABELS),
    )
    alike = differences.accuracy_difference(held, held, paired=False)
    assert alike.points == 0
    # two shares of 80 % of 400 differ by 1.96 x sqrt(2 x 0.16 / 400) = 5.5 points, either way
    assert (alike.interval.low, alike.interval.high) == pytest.approx((-5.5, 5.5), abs=0.5)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_quantiles_are_resampled_as_by_drawing(share: float) -> None:
    rng = np.random.default_rng(0)
    samples = np.sort(rng.lognormal(0, 0.4, 300))
    drawn = np.quantile(samples[rng.integers(300, size=(10_000, 300))], share, axis=1)
    found = differences._resampled_quantile(samples, share, rng)
    for percent in (2.5, 25, 50, 75, 97.5):
        assert np.percentile(found, percent) == pytest.approx(np.percentile(drawn, percent), 0.02)


def test_auc_difference_is_that_of_the_report() -> None:
    rng = np.random.default_rng(0)
    labels = np.asarray(LABELS)
    before, after = (
        differences.Scored((rng.normal(labels, spread)).round(1), labels) for spread in (1.0, 1.5)
    )
    found = differences.auc_difference(before, after, paired=True)
    areas = [metrics.roc_auc(run.probabilities.tolist(), LABELS) for run in (before, after)]
    assert found is not None
    assert found.points == pytest.approx(((areas[1] or 0) - (areas[0] or 0)) * 100)
    assert found.interval.low < found.points < found.interval.high
    one_class = differences.Scored(before.probabilities, np.ones_like(labels))
    assert differences.auc_difference(before, one_class, paired=True) is None


def test_cliffs_delta_and_mcnemar_by_hand() -> None:
    assert differences.shift([1, 2], [3, 4]).cliffs_delta == 1
    assert differences.shift([1, 3], [2, 4]).cliffs_delta == 0.5
    labels = np.ones(10, int)
    before, after = (
        differences.Scored(np.ones(10), labels),
        differences.Scored(np.zeros(10), labels),
    )
    assert differences.exchange(before, after) == differences.Exchange(
        10, 0, pytest.approx(2 / 2**10)
    )
    assert differences.exchange(before, before) == differences.Exchange(0, 0, 1.0)
