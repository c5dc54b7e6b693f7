"""reports/statistics/natural.py: weighted figures are those of the population, and intervals cover them."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit

from tests import factories
from worthit.bench.saved.data import Data
from worthit.reports.statistics import bootstrap, metrics, natural

POSITIVES, OTHERS = 60, 300
LABELS = (1,) * POSITIVES + (0,) * OTHERS
PREVALENCE = 0.03
_DRAWS = 60


def sampled(population: tuple[int, int]) -> Data:
    return factories.data(factories.part(LABELS), population=population)


def draw(rng: np.random.Generator, positives: int, others: int) -> npt.NDArray[np.float64]:
    """Scores of a model that classifies 84 % of each class correctly."""
    return np.asarray(expit(np.append(rng.normal(2, 2, positives), rng.normal(-2, 2, others))))


def test_weights_restore_the_population() -> None:
    data = sampled((9_700, 300))
    weights = natural.weights(data)
    assert weights.sum() == pytest.approx(len(LABELS))
    assert weights[:POSITIVES].sum() / weights.sum() == pytest.approx(PREVALENCE)


def test_without_balance_each_comment_counts_once() -> None:
    data = dataclasses.replace(sampled((9_700, 300)), balanced=False)
    assert (natural.weights(data) == 1).all()
    assert np.array_equal(natural.resamples(data, 20), bootstrap.counts(len(LABELS), 20))


def test_resamples_keep_the_size_of_each_class_and_draw_the_population() -> None:
    times = natural.resamples(sampled((9_700, 300)), 400)
    shares = times[:POSITIVES].sum(axis=0) / times.sum(axis=0)
    assert shares.mean() == pytest.approx(PREVALENCE, abs=0.0005)
    assert shares.std() == pytest.approx(np.sqrt(PREVALENCE * (1 - PREVALENCE) / 10_000), rel=0.1)


def test_figures_are_unbiased_and_intervals_cover_them() -> None:
    rng = np.random.default_rng(1)
    many = draw(rng, 200_000, 200_000) >= 0.5
    recall, alarms = many[:200_000].mean(), many[200_000:].mean()
    hits = PREVALENCE * recall
    truth = {
        metrics.RECALL: recall,
        metrics.PRECISION: hits / (hits + (1 - PREVALENCE) * alarms),
        metrics.ACCURACY: hits + (1 - PREVALENCE) * (1 - alarms),
    }
    values: dict[metrics.Measure, list[float]] = {measure: [] for measure in truth}
    covered = dict.fromkeys(truth, 0)
    for _ in range(_DRAWS):
        positives = int(rng.binomial(20_000, PREVALENCE))
        data, scores = sampled((20_000 - positives, positives)), draw(rng, POSITIVES, OTHERS)
        found = bootstrap.estimates(
            natural.resamples(data, 100), LABELS, [scores], natural.weights(data)
        )
        for measure, true in truth.items():
            estimate = found[measure]
            assert estimate.value is not None
            values[measure].append(estimate.value)
            if estimate.low is not None and estimate.high is not None:
                covered[measure] += estimate.low <= true <= estimate.high
    for measure, true in truth.items():
        error = np.std(values[measure]) / np.sqrt(_DRAWS)
        assert np.mean(values[measure]) == pytest.approx(true, abs=4 * error)
        assert covered[measure] >= 0.83 * _DRAWS  # with 95 % coverage, fewer in one of 3,000 cases


def test_corrected_scores_of_a_calibrated_model_are_calibrated_in_the_population() -> None:
    rng = np.random.default_rng(0)
    # Scores of two normal distributions with means ±1 and variance 1: the logit is twice the value.
    scores = expit(2 * np.append(rng.normal(1, 1, 20_000), rng.normal(-1, 1, 20_000)))
    labels = (1,) * 20_000 + (0,) * 20_000
    data = factories.data(factories.part(labels), population=(190_000, 20_000))
    weights = natural.weights(data)
    raw, corrected = (
        metrics.values(of, labels, weights)[metrics.CALIBRATION_ERROR]
        for of in (scores, natural.corrected(data, scores, natural.training_shares(data)))
    )
    assert raw is not None
    assert corrected is not None
    assert raw > 0.1
    assert corrected < 0.01


def test_scores_of_more_classes_are_corrected_alike() -> None:
    data = factories.data(factories.part((0, 1, 1)), population=(300, 100))
    two = np.array([0.2, 0.5, 1.0])
    of_each_class = natural.corrected(
        data, np.stack([1 - two, two], axis=1), natural.training_shares(data)
    )
    assert of_each_class[:, 1] == pytest.approx(
        natural.corrected(data, two, natural.training_shares(data))
    )
    # A third of the training comments is positive, and a quarter of the population: odds change by 2/3.
    assert natural.corrected(data, two, natural.training_shares(data))[1:] == pytest.approx(
        [0.4, 1.0]
    )


def test_comments_that_count_less_than_once_are_weighted_too() -> None:
    weights = (0.1, 0.1, 0.2)
    two = metrics.values((0.9, 0.6, 0.1), (1, 0, 1), weights)
    # Precision is 1 at the first positive comment, and 0.3 / 0.4 at the second.
    assert two[metrics.AVERAGE_PRECISION] == pytest.approx((0.1 * 1 + 0.2 * 0.75) / 0.3)
    assert metrics.at_recall((0.9, 0.6, 0.1), (1, 0, 1), 0.3, weights) == (1.0, 0.9)
    of_each_class = np.eye(3)[[0, 1, 2]]
    assert metrics.values(of_each_class, (0, 1, 2), weights)[metrics.MACRO_F1] == 1.0
