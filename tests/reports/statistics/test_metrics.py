"""reports/statistics/metrics.py and bootstrap.py: quality figures and their intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as scikit_learn

from tests.scored_runs import draw
from worthit.reports.analysis import paired_tests
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.ranking_curve import Curve, confusion_at_thresholds

REFERENCES = {
    metrics.ACCURACY: lambda y, p, w: scikit_learn.accuracy_score(y, p >= 0.5, sample_weight=w),
    metrics.BALANCED_ACCURACY: lambda y, p, w: scikit_learn.balanced_accuracy_score(
        y, p >= 0.5, sample_weight=w
    ),
    metrics.PRECISION: lambda y, p, w: scikit_learn.precision_score(y, p >= 0.5, sample_weight=w),
    metrics.RECALL: lambda y, p, w: scikit_learn.recall_score(y, p >= 0.5, sample_weight=w),
    metrics.F1: lambda y, p, w: scikit_learn.f1_score(y, p >= 0.5, sample_weight=w),
    metrics.ROC_AUC: lambda y, p, w: scikit_learn.roc_auc_score(y, p, sample_weight=w),
    metrics.AVERAGE_PRECISION: lambda y, p, w: scikit_learn.average_precision_score(
        y, p, sample_weight=w
    ),
    metrics.BRIER: lambda y, p, w: scikit_learn.brier_score_loss(y, p, sample_weight=w),
}


def test_figures_of_four_comments_are_those_by_hand() -> None:
    probabilities, labels = (0.9, 0.6, 0.4, 0.1), (1, 0, 1, 0)
    values = {
        measure: measure.value(probabilities, labels)
        for measure in (*metrics.DECISIONS, *metrics.SCORES)
    }
    assert values[metrics.ROC_AUC] == 0.75
    assert values[metrics.AVERAGE_PRECISION] == pytest.approx((1 + 2 / 3) / 2)
    assert values[metrics.BRIER] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    # each comment is alone in its bin: off by 0.1, 0.6, 0.6, 0.1
    assert values[metrics.CALIBRATION_ERROR] == pytest.approx(1.4 / 4)
    for measure in metrics.DECISIONS:
        assert values[measure] == 0.5


def test_calibration_bins_are_tenths_and_include_both_ends() -> None:
    assert metrics.bins((0.0, 0.05, 0.1, 0.95, 1.0)).tolist() == [0, 0, 1, 9, 9]
    # opposite errors cancel in one bin: 0.62 and 0.66, one of two is toxic
    assert metrics.CALIBRATION_ERROR.value((0.62, 0.66), (1, 0)) == pytest.approx(0.14)


def test_precision_at_a_recall_is_at_the_highest_threshold_that_reaches_it() -> None:
    probabilities, labels = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (1, 0, 1, 0, 1, 0)
    assert metrics.at_recall(probabilities, labels, 0.3) == (1.0, 0.9)
    assert metrics.at_recall(probabilities, labels, 0.5) == (2 / 3, 0.7)
    assert metrics.at_recall(probabilities, labels, 1.0) == (3 / 5, 0.5)
    assert metrics.at_recall((0.5, 0.5), (0, 0), 0.8) is None


def test_an_undefined_figure_is_none_and_says_why() -> None:
    times = bootstrap.counts(4)
    estimates = bootstrap.estimates(times, (1, 1, 1, 1), [(0.1, 0.2, 0.3, 0.4)])
    for measure in (metrics.BALANCED_ACCURACY, metrics.ROC_AUC, metrics.AVERAGE_PRECISION):
        assert estimates[measure].value is None
        assert estimates[measure].reason == "only one class among these comments"
    assert estimates[metrics.PRECISION].reason == "no comment is predicted positive"
    assert estimates[metrics.RECALL].value == 0.0
    assert estimates[metrics.BRIER].value is not None
    none_toxic = bootstrap.estimates(times, (0, 0, 0, 0), [(0.1, 0.2, 0.3, 0.9)])
    assert none_toxic[metrics.F1].value is None
    assert none_toxic[metrics.RECALL].value is None


def test_resamples_have_the_same_number_of_comments_and_are_reproducible() -> None:
    times = bootstrap.counts(30, 50)
    assert times.shape == (30, 50)
    assert (times.sum(axis=0) == 30).all()
    assert np.array_equal(times, bootstrap.counts(30, 50))
    assert len({tuple(column) for column in times.T}) == 50


@pytest.mark.parametrize(("comments", "noise"), [(40, 0.3), (40, 0.8), (200, 0.6)])
def test_resampled_figures_equal_weighted_ones_of_scikit_learn(comments: int, noise: float) -> None:
    probabilities, labels = draw(comments, noise)
    times = bootstrap.counts(comments, 20)
    resampled = metrics.resampled(times, labels, probabilities)
    for measure, reference in REFERENCES.items():
        expected = [reference(labels, np.asarray(probabilities), weights) for weights in times.T]
        assert resampled[measure] == pytest.approx(expected, abs=1e-5), measure.heading
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = metrics.CALIBRATION_ERROR.value(
            [probabilities[i] for i in rows], [labels[i] for i in rows]
        )
        assert resampled[metrics.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


@pytest.mark.parametrize("decimals", [1, 9])  # many ties, no ties
def test_figures_equal_those_of_scikit_learn(decimals: int) -> None:
    probabilities, labels = draw(200, 0.6, share=0.3)
    rounded = np.round(probabilities, decimals)
    for measure, reference in REFERENCES.items():
        value = measure.value(tuple(rounded), labels)
        assert value == pytest.approx(reference(labels, rounded, None)), measure.heading
    precisions, recalls, thresholds = scikit_learn.precision_recall_curve(labels, rounded)
    highest = np.flatnonzero(recalls[:-1] >= 0.7)[-1]
    expected = precisions[highest], thresholds[highest]
    assert metrics.at_recall(tuple(rounded), labels, 0.7) == pytest.approx(expected)


def test_true_and_false_positives_at_thresholds_equal_those_of_scikit_learn() -> None:
    probabilities, labels = draw(200, 0.6, share=0.3)  # with ties
    hits, alarms = confusion_at_thresholds(labels, probabilities)
    rates, recalls, _ = scikit_learn.roc_curve(labels, probabilities, drop_intermediate=False)
    assert alarms / (200 - sum(labels)) == pytest.approx(rates[1:])
    assert hits / sum(labels) == pytest.approx(recalls[1:])


@pytest.mark.parametrize(("hits", "comments"), [(0, 9), (9, 9), (1, 3), (457, 500)])
def test_wilson_intervals_and_mcnemar_equal_those_of_scipy(hits: int, comments: int) -> None:
    reference = binomtest(hits, comments)
    interval = reference.proportion_ci(method="wilson")
    share = metrics.share(hits, comments)
    assert share is not None
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high))
    first = np.arange(comments) < hits
    assert paired_tests.mcnemar_p(first, ~first) == pytest.approx(reference.pvalue)


def test_the_interval_of_a_share_contains_it_whatever_is_rounded() -> None:
    for comments in range(1, 2_000):
        for hits in (0, comments):
            share = metrics.share(hits, comments)
            assert share is not None
            assert share.low <= share.value <= share.high


def test_resampled_precision_at_a_recall_equals_that_of_repeated_comments() -> None:
    probabilities, labels = draw(60, 0.6, share=0.2)
    times = bootstrap.counts(60, 20)
    precision, threshold = Curve.of(times, labels, probabilities).at_recall(0.8)
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(60), weights.astype(int))
        again = metrics.at_recall([probabilities[i] for i in rows], [labels[i] for i in rows], 0.8)
        assert (precision[number], threshold[number]) == pytest.approx(again)


def test_resamples_without_a_class_are_not_counted() -> None:
    times = np.asarray([[0, 1, 1], [2, 1, 1], [1, 1, 1]], np.float32)
    areas = metrics.resampled(times, (1, 0, 0), (0.6, 0.7, 0.1))[metrics.ROC_AUC]
    assert np.isnan(areas).tolist() == [True, False, False]
    estimate = bootstrap.estimate(0.5, np.asarray([np.nan, 0.25, 0.75]))
    assert estimate.low == pytest.approx(0.2625)
    assert estimate.high == pytest.approx(0.7375)


def test_a_perfect_score_has_no_interval_but_a_reason() -> None:
    estimates = bootstrap.estimates(bootstrap.counts(20), (1, 0) * 10, [(0.9, 0.1) * 10])
    perfect = estimates[metrics.ACCURACY]
    assert (perfect.value, perfect.low, perfect.high) == (1.0, None, None)
    assert "all resamples give the same" in perfect.reason


def test_intervals_cover_the_truth_as_often_as_claimed() -> None:
    # Normal distributions 1 apart: AUC Φ(1/√2), accuracy Φ(½), probabilities calibrated.
    truths = {metrics.ROC_AUC: 0.76025, metrics.ACCURACY: 0.69146, metrics.CALIBRATION_ERROR: 0.0}
    rng = np.random.default_rng(1)
    times = bootstrap.counts(200, 300)
    covered = dict.fromkeys(truths, 0.0)
    for _ in range(150):
        labels = rng.integers(2, size=200)
        chances = 1 / (1 + np.exp(0.5 - labels - rng.normal(0, 1, 200)))
        estimates = bootstrap.estimates(times, tuple(labels.tolist()), [tuple(chances.tolist())])
        for measure, truth in truths.items():
            low, high = estimates[measure].low, estimates[measure].high
            assert low is not None
            assert high is not None
            covered[measure] += (low <= truth <= high) / 150
    assert 0.90 <= covered[metrics.ROC_AUC] <= 0.99
    assert 0.90 <= covered[metrics.ACCURACY] <= 0.99
    assert covered[metrics.CALIBRATION_ERROR] >= 0.5  # its truth is at the end of the scale


def test_seeds_widen_the_interval_and_the_figure_is_their_mean() -> None:
    labels = (1, 0) * 100
    good = tuple(0.9 if (i % 10 > 1) == bool(y) else 0.1 for i, y in enumerate(labels))
    bad = tuple(0.9 if (i % 10 > 5) == bool(y) else 0.1 for i, y in enumerate(labels))
    times = bootstrap.counts(200)
    alone, other = (
        bootstrap.estimates(times, labels, [scored])[metrics.ACCURACY] for scored in (good, bad)
    )
    both = bootstrap.estimates(times, labels, [good, bad])[metrics.ACCURACY]
    assert (alone.value, other.value) == (0.8, 0.4)
    assert both.value == pytest.approx(0.6)
    assert both.low is not None
    assert both.high is not None
    assert alone.value is not None
    assert both.low < 0.45
    assert both.high > 0.75
