"""reports/analysis/decisions.py: calibration and thresholds, chosen on validation comments."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from tests import factories, multiclass_runs
from tests.biased_runs import LABELS, VALIDATION, draw, run
from tests.multiclass_runs import NOISES, THREE
from worthit.bench.saved import record
from worthit.reports.analysis.decisions import Choice, Decisions
from worthit.reports.analysis.run_view import accuracy, scores
from worthit.reports.sections import choices
from worthit.reports.statistics import calibration, metrics
from worthit.reports.statistics.calibration import Calibration


def decided(**given: Any) -> tuple[Decisions, Choice, np.ndarray]:
    """Decisions, the choice of the one model, and which test comments are predicted positive."""
    found = Decisions.of(run(**given))
    predicted = metrics.predicted(scores(found.decided, found.decided.cells[0]))
    return found, found.choices["tfidf-cpu"], predicted == 1


def test_a_model_that_always_says_yes_gets_a_threshold() -> None:
    found, choice, _ = decided(scale=0.6, shift=4.0)
    assert choice.calibration.method == "temperature and bias"
    before, after = (accuracy(of, of.cells[0]) for of in (found.measured, found.decided))
    assert before is not None
    assert after is not None
    assert before.value < 0.55
    assert after.value > 0.8


def test_a_calibrated_model_is_left_alone() -> None:
    found, choice, _ = decided(scale=1.0, shift=0.0)
    assert choice.calibration == Calibration()
    assert found.decided.cells == found.measured.cells


def test_an_overconfident_model_keeps_its_answers() -> None:
    found, choice, _ = decided(scale=3.0, shift=0.0)
    assert choice.calibration.method == "temperature"
    assert choice.calibration.scale == pytest.approx(1 / 3, rel=0.2)
    assert accuracy(found.decided, found.decided.cells[0]) == accuracy(
        found.measured, found.measured.cells[0]
    )


def test_a_fit_of_two_classes_is_a_penalised_logistic_regression() -> None:
    own, labels = np.asarray(draw(VALIDATION, 0.5, 1.0, 2)), np.asarray(VALIDATION)
    fitted = calibration.fit(
        np.log(np.stack([1 - own, own], axis=1)), labels, "temperature and bias"
    )
    reference = LogisticRegression(C=1e6).fit(logit(own)[:, None], labels)
    assert fitted.scale == pytest.approx(reference.coef_[0, 0], rel=0.04)  # shrunk to 1
    bias = fitted.biases[1] - fitted.biases[0]
    assert bias == pytest.approx(reference.intercept_[0], rel=0.05)


def test_perfect_scores_of_0_and_1_are_fitted() -> None:
    labels = np.asarray(VALIDATION)
    found = calibration.calibrate(labels.astype(np.float64), labels)
    assert math.isfinite(found.scale)
    choice = Choice("accuracy", 500, found)
    assert metrics.predicted(choice.decided(labels.astype(np.float64))).tolist() == labels.tolist()


def test_a_model_that_ranks_worse_than_chance_is_not_turned_around() -> None:
    labels = np.asarray(VALIDATION)
    own = 1 - np.asarray(draw(VALIDATION, 1.0, 0.0, 2))
    found = calibration.calibrate(own, labels)
    assert 0 < found.scale < 0.1
    area = metrics.roc_auc(Choice("accuracy", 500, found).calibrated(own), VALIDATION)
    assert area == pytest.approx(metrics.roc_auc(own, VALIDATION))


def test_too_few_validation_comments_choose_nothing() -> None:
    made = run(0.6, 4.0)
    few = factories.part(VALIDATION[:40])
    assert made.cells[0].quality is not None
    quality = dataclasses.replace(
        made.cells[0].quality, validation=made.cells[0].quality.validation[:40]
    )
    cell = dataclasses.replace(made.cells[0], quality=quality)
    data = dataclasses.replace(made.data, validation=few)
    found = Decisions.of(dataclasses.replace(made, data=data, cells=(cell,)))
    assert found.decided is found.measured
    assert found.choices["tfidf-cpu"].comments == 0


def test_the_choice_does_not_depend_on_the_test_comments() -> None:
    made = run(0.6, 4.0, objective="f1")
    assert made.cells[0].quality is not None
    reversed_quality = dataclasses.replace(
        made.cells[0].quality, test=tuple(1 - one for one in made.cells[0].quality.test)
    )
    other = dataclasses.replace(
        made, cells=(dataclasses.replace(made.cells[0], quality=reversed_quality),)
    )
    assert Decisions.of(made).choices == Decisions.of(other).choices


def test_a_recall_is_reached_on_validation_comments() -> None:
    found, choice, predicted = decided(scale=0.6, shift=4.0, objective="recall", recall="0.9")
    truth = np.asarray(VALIDATION) == 1
    flagged = metrics.predicted(scores(found.decided, found.decided.cells[0], "validation")) == 1
    assert flagged[truth].sum() == 225  # of 250
    calibrated = scores(found.calibrated, found.calibrated.cells[0], "validation")
    assert (calibrated[truth] >= choice.threshold).sum() == 225
    assert predicted[np.asarray(LABELS) == 1].mean() == pytest.approx(0.9, abs=0.06)


def test_costs_decide_by_bayes_rule_at_natural_prevalence() -> None:
    _, choice, predicted = decided(scale=1.0, shift=0.0, cost_miss="9", cost_false_alarm="1")
    # 10 % are toxic in use: odds of 1 to 9 there, which a miss that costs nine times as much outweighs.
    assert choice.objective == "cost"
    assert choice.threshold == pytest.approx(0.5)
    _, dearer, more = decided(scale=1.0, shift=0.0, cost_miss="81", cost_false_alarm="1")
    assert dearer.threshold == pytest.approx(0.1)
    assert more.sum() > predicted.sum()


def test_f1_flags_more_than_accuracy() -> None:
    _, choice, predicted = decided(scale=1.0, shift=0.0, objective="f1")
    _, _, by_accuracy = decided(scale=1.0, shift=0.0)
    assert 0.3 < choice.threshold < 0.5
    truth = np.asarray(LABELS) == 1
    f1 = [2 * (of & truth).sum() / (of.sum() + truth.sum()) for of in (predicted, by_accuracy)]
    assert f1[0] > f1[1]


def test_balanced_accuracy_weighs_a_rare_class() -> None:
    made = multiclass_runs.run(THREE, NOISES)
    by = {
        name: Decisions.of(dataclasses.replace(made, options=factories.options(objective=name)))
        for name in ("accuracy", "balanced-accuracy", "f1")
    }
    recalls = {
        name: metrics.MACRO_RECALL.value(
            scores(of.decided, of.decided.cells[0]), made.data.test.labels
        )
        for name, of in by.items()
    }
    assert recalls["balanced-accuracy"] is not None
    assert recalls["accuracy"] is not None
    assert recalls["balanced-accuracy"] > recalls["accuracy"]
    offsets = by["balanced-accuracy"].choices["tfidf-cpu"].offsets
    assert np.argmax(offsets) == 2  # the rarest class


def test_biases_of_three_classes_are_found() -> None:
    labels = multiclass_runs.draw_labels(1_000, 3)
    own = multiclass_runs.draw_scores(labels, 3, 1.5, 1)
    shifted = own * (1.0, 30.0, 1.0)
    shifted /= shifted.sum(axis=1, keepdims=True)
    found = calibration.calibrate(shifted, np.asarray(labels))
    assert found.method == "temperature and bias"
    calibrated = Choice("accuracy", 1_000, found).calibrated(shifted)
    assert calibrated.sum(axis=1) == pytest.approx(1.0)
    correct = [
        (of.argmax(axis=1) == np.asarray(labels)).mean() for of in (own, shifted, calibrated)
    ]
    assert correct[1] < correct[0] - 0.1
    assert correct[2] > correct[0] - 0.02


def weighted(shares: tuple[float, float], comments: int) -> tuple[Decisions, np.ndarray]:
    """A model with well calibrated scores for equally common classes, where one of them is rare."""
    rng = np.random.default_rng(0)
    labels = [tuple((rng.random(comments) < shares[1]).astype(int).tolist()) for _ in range(2)]
    parts = [factories.part(each) for each in labels]
    data = factories.data(
        parts[0], natural=parts[0], validation=parts[1], balanced=False, weighted=True,
        steps=factories.steps(("without duplicates", "train", "test"), comments, *np.bincount(labels[0])),
    )  # fmt: skip
    quality = [tuple(expit(rng.normal(4 * np.asarray(each) - 2, 2)).tolist()) for each in labels]
    cell = record.CellRecord(
        "tfidf", "cpu", 0,
        training=dataclasses.replace(factories.training(), weighted=True),
        quality=record.Quality(quality[0], quality[0], quality[0], 1.0, 0.0, quality[1]),
    )  # fmt: skip
    made = dataclasses.replace(factories.run(data), cells=(cell,))
    return Decisions.of(made), np.asarray(labels[0])


def test_scores_of_a_model_with_class_weights_are_corrected_for_the_prior_once() -> None:
    found, labels = weighted((0.95, 0.05), 4_000)
    choice = found.choices["tfidf-cpu"]
    assert choice.calibration.method == "raw"  # nothing is wrong with the scores but their prior
    assert choice.calibration.prior == pytest.approx(np.log([0.95, 0.05]), abs=0.1)
    raw, calibrated = (scores(of, of.cells[0]) for of in (found.measured, found.calibrated))
    assert raw.mean() > 0.15
    assert calibrated.mean() == pytest.approx(labels.mean(), abs=0.01)
    assert (raw[labels == 1] >= 0.5).mean() > (calibrated[labels == 1] >= 0.5).mean() + 0.2
    assert float(choices.own_threshold(choice)) == pytest.approx(0.95, abs=0.01)


def test_without_validation_comments_weighted_scores_are_corrected_for_the_training_shares() -> (
    None
):
    rng = np.random.default_rng(0)
    shares = np.array([0.8, 0.15, 0.05])
    labels = rng.choice(3, 4_000, p=shares)
    odds = np.exp(
        rng.normal(2 * np.eye(3)[labels], 1)
    )  # Bayes' probability of equally common classes
    odds = np.exp(2 * np.log(odds) - 2)
    own = odds / odds.sum(axis=1, keepdims=True)
    part = factories.part(tuple(labels.tolist()))
    data = factories.data(
        part, natural=part, balanced=False, weighted=True, classes=("a", "b", "c"),
        steps=factories.steps(("without duplicates", "train", "test"), 4_000, *np.bincount(labels)),
    )  # fmt: skip
    flat = tuple(own.ravel().tolist())
    cell = record.CellRecord(
        "tfidf", "cpu", 0,
        training=dataclasses.replace(factories.training(), weighted=True),
        quality=record.Quality(flat, flat, flat, 1.0, 0.0, ()),
    )  # fmt: skip
    found = Decisions.of(dataclasses.replace(factories.run(data), cells=(cell,)))
    raw, calibrated, decided = (
        scores(of, of.cells[0]) for of in (found.measured, found.calibrated, found.decided)
    )
    assert found.choices["tfidf-cpu"].comments == 0
    assert raw.mean(axis=0)[2] > 0.09
    assert calibrated.mean(axis=0) == pytest.approx(shares, abs=0.01)
    assert (decided == calibrated).all()
