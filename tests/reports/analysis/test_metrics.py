"""reports/analysis/metrics.py and resampling.py: how good a classifier is, and how sure that is."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from tests.scored_runs import draw
from worthit.reports.analysis import bootstrap, paired_tests
from worthit.reports.analysis import metrics as quality
from worthit.reports.analysis.ranking_curve import Curve

SCIKIT_LEARN = {
    quality.ACCURACY: lambda y, p, w: metrics.accuracy_score(y, p >= 0.5, sample_weight=w),
    quality.BALANCED_ACCURACY: lambda y, p, w: metrics.balanced_accuracy_score(
        y, p >= 0.5, sample_weight=w
    ),
    quality.PRECISION: lambda y, p, w: metrics.precision_score(y, p >= 0.5, sample_weight=w),
    quality.RECALL: lambda y, p, w: metrics.recall_score(y, p >= 0.5, sample_weight=w),
    quality.F1: lambda y, p, w: metrics.f1_score(y, p >= 0.5, sample_weight=w),
    quality.ROC_AUC: lambda y, p, w: metrics.roc_auc_score(y, p, sample_weight=w),
    quality.AVERAGE_PRECISION: lambda y, p, w: metrics.average_precision_score(
        y, p, sample_weight=w
    ),
    quality.BRIER: lambda y, p, w: metrics.brier_score_loss(y, p, sample_weight=w),
}


def test_figures_of_four_comments_by_hand() -> None:
    probabilities, labels = (0.9, 0.6, 0.4, 0.1), (1, 0, 1, 0)
    values = {
        measure: measure.value(probabilities, labels)
        for measure in (*quality.DECISIONS, *quality.SCORES)
    }
    assert values[quality.ROC_AUC] == 0.75
    assert values[quality.AVERAGE_PRECISION] == pytest.approx((1 + 2 / 3) / 2)
    assert values[quality.BRIER] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    # each comment is alone in its bin: off by 0.1, 0.6, 0.6, 0.1
    assert values[quality.CALIBRATION_ERROR] == pytest.approx(1.4 / 4)
    for measure in quality.DECISIONS:
        assert values[measure] == 0.5


def test_calibration_bins_are_tenths_and_hold_both_ends() -> None:
    assert quality.bins((0.0, 0.05, 0.1, 0.95, 1.0)).tolist() == [0, 0, 1, 9, 9]
    # in one bin opposite errors cancel: 0.62 and 0.66 with one toxic of two
    assert quality.calibration_error((0.62, 0.66), (1, 0)) == pytest.approx(0.14)


def test_precision_at_a_recall_is_at_the_highest_threshold_that_reaches_it() -> None:
    probabilities, labels = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (1, 0, 1, 0, 1, 0)
    assert quality.at_recall(probabilities, labels, 0.3) == (1.0, 0.9)
    assert quality.at_recall(probabilities, labels, 0.5) == (2 / 3, 0.7)
    assert quality.at_recall(probabilities, labels, 1.0) == (3 / 5, 0.5)
    assert quality.at_recall((0.5, 0.5), (0, 0), 0.8) is None


def test_what_is_not_defined_is_none_for_its_reason() -> None:
    times = bootstrap.counts(4)
    found = bootstrap.estimates(times, (1, 1, 1, 1), [(0.1, 0.2, 0.3, 0.4)])
    for measure in (quality.BALANCED_ACCURACY, quality.ROC_AUC, quality.AVERAGE_PRECISION):
        assert found[measure].value is None
        assert found[measure].reason == "only one class among these comments"
    assert found[quality.PRECISION].reason == "no comment is called positive"
    assert found[quality.RECALL].value == 0.0
    assert found[quality.BRIER].value is not None
    none_toxic = bootstrap.estimates(times, (0, 0, 0, 0), [(0.1, 0.2, 0.3, 0.9)])
    assert none_toxic[quality.F1].value is None
    assert none_toxic[quality.RECALL].value is None


def test_resamples_have_as_many_comments_and_are_always_the_same() -> None:
    times = bootstrap.counts(30, 50)
    assert times.shape == (30, 50)
    assert (times.sum(axis=0) == 30).all()
    assert np.array_equal(times, bootstrap.counts(30, 50))
    assert len({tuple(column) for column in times.T}) == 50


@pytest.mark.parametrize(("comments", "noise"), [(40, 0.3), (40, 0.8), (200, 0.6)])
def test_resampled_figures_are_those_of_scikit_learn_with_weights(
    comments: int, noise: float
) -> None:
    probabilities, labels = draw(comments, noise)
    times = bootstrap.counts(comments, 20)
    found = bootstrap.resampled(times, labels, probabilities)
    for measure, reference in SCIKIT_LEARN.items():
        expected = [reference(labels, np.asarray(probabilities), weights) for weights in times.T]
        assert found[measure] == pytest.approx(expected, abs=1e-5), measure.heading
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = quality.calibration_error(
            [probabilities[i] for i in rows], [labels[i] for i in rows]
        )
        assert found[quality.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


@pytest.mark.parametrize("decimals", [1, 9])  # with many ties, and with none
def test_figures_are_those_of_scikit_learn(decimals: int) -> None:
    probabilities, labels = draw(200, 0.6, share=0.3)
    rounded = np.round(probabilities, decimals)
    for measure, reference in SCIKIT_LEARN.items():
        found = measure.value(tuple(rounded), labels)
        assert found == pytest.approx(reference(labels, rounded, None)), measure.heading
    precisions, recalls, thresholds = metrics.precision_recall_curve(labels, rounded)
    highest = np.flatnonzero(recalls[:-1] >= 0.7)[-1]
    expected = precisions[highest], thresholds[highest]
    assert quality.at_recall(tuple(rounded), labels, 0.7) == pytest.approx(expected)


@pytest.mark.parametrize(("hits", "comments"), [(0, 9), (9, 9), (1, 3), (457, 500)])
def test_intervals_and_tests_of_shares_are_those_of_scipy(hits: int, comments: int) -> None:
    reference = binomtest(hits, comments)
    interval = reference.proportion_ci(method="wilson")
    share = quality.share(hits, comments)
    assert share is not None
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high))
    first = np.arange(comments) < hits
    assert paired_tests.mcnemar_p(first, ~first) == pytest.approx(reference.pvalue)


def test_resampled_precision_at_a_recall_is_that_of_the_comments_repeated() -> None:
    probabilities, labels = draw(60, 0.6, share=0.2)
    times = bootstrap.counts(60, 20)
    precision, threshold = Curve.of(times, labels, probabilities).at_recall(0.8)
    for number, weights in enumerate(times.T):
        rows = np.repeat(np.arange(60), weights.astype(int))
        again = quality.at_recall([probabilities[i] for i in rows], [labels[i] for i in rows], 0.8)
        assert (precision[number], threshold[number]) == pytest.approx(again)


def test_resamples_that_lack_a_class_do_not_count() -> None:
    times = np.asarray([[0, 1, 1], [2, 1, 1], [1, 1, 1]], np.float32)
    areas = bootstrap.resampled(times, (1, 0, 0), (0.6, 0.7, 0.1))[quality.ROC_AUC]
    assert np.isnan(areas).tolist() == [True, False, False]
    found = bootstrap.estimate(0.5, np.asarray([np.nan, 0.25, 0.75]))
    assert found.low == pytest.approx(0.2625)
    assert found.high == pytest.approx(0.7375)


def test_a_perfect_score_has_no_interval_but_a_reason() -> None:
    found = bootstrap.estimates(bootstrap.counts(20), (1, 0) * 10, [(0.9, 0.1) * 10])
    perfect = found[quality.ACCURACY]
    assert (perfect.value, perfect.low, perfect.high) == (1.0, None, None)
    assert "all resamples are alike" in perfect.reason


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    # Of normals 1 apart the AUC is Φ(1/√2), the accuracy Φ(½), and this the chance of toxic.
    truths = {quality.ROC_AUC: 0.76025, quality.ACCURACY: 0.69146, quality.CALIBRATION_ERROR: 0.0}
    rng = np.random.default_rng(1)
    times = bootstrap.counts(200, 300)
    covered = dict.fromkeys(truths, 0.0)
    for _ in range(150):
        labels = rng.integers(2, size=200)
        chances = 1 / (1 + np.exp(0.5 - labels - rng.normal(0, 1, 200)))
        found = bootstrap.estimates(times, tuple(labels.tolist()), [tuple(chances.tolist())])
        for measure, truth in truths.items():
            low, high = found[measure].low, found[measure].high
            assert low is not None
            assert high is not None
            covered[measure] += (low <= truth <= high) / 150
    assert 0.90 <= covered[quality.ROC_AUC] <= 0.99
    assert 0.90 <= covered[quality.ACCURACY] <= 0.99
    assert covered[quality.CALIBRATION_ERROR] >= 0.5  # at the end of its scale; else never


def test_seeds_widen_the_interval_and_their_mean_is_the_figure() -> None:
    labels = (1, 0) * 100
    good = tuple(0.9 if (i % 10 > 1) == bool(y) else 0.1 for i, y in enumerate(labels))
    bad = tuple(0.9 if (i % 10 > 5) == bool(y) else 0.1 for i, y in enumerate(labels))
    times = bootstrap.counts(200)
    alone, other = (
        bootstrap.estimates(times, labels, [scored])[quality.ACCURACY] for scored in (good, bad)
    )
    both = bootstrap.estimates(times, labels, [good, bad])[quality.ACCURACY]
    assert (alone.value, other.value) == (0.8, 0.4)
    assert both.value == pytest.approx(0.6)
    assert both.low is not None
    assert both.high is not None
    assert alone.value is not None
    assert both.low < 0.45
    assert both.high > 0.75
