"""reports/analysis/: figures of more than two classes."""

import dataclasses

import numpy as np
import pytest
from sklearn import metrics as scikit_learn

from tests.multiclass_runs import NOISES, THREE, Floats, Labels, draw_labels, draw_scores, run
from worthit.reports.analysis import cascade, paired_tests, run_view
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.text import class_names


def reference(labels: Labels, scored: Floats, weights: Floats) -> dict[metrics.Measure, float]:
    """The figures by scikit-learn, without the classes that do not occur."""
    truth, predicted = np.asarray(labels), scored.argmax(axis=1)
    occur = np.unique(truth[weights > 0])
    given = {"labels": occur, "average": "macro", "sample_weight": weights, "zero_division": 0}
    areas = [
        scikit_learn.roc_auc_score(truth == k, scored[:, k], sample_weight=weights) for k in occur
    ]
    precisions = [
        scikit_learn.average_precision_score(truth == k, scored[:, k], sample_weight=weights)
        for k in occur
    ]
    one_hot = truth == np.arange(scored.shape[1])[:, None]
    return {
        metrics.ACCURACY: scikit_learn.accuracy_score(truth, predicted, sample_weight=weights),
        metrics.MACRO_RECALL: scikit_learn.recall_score(truth, predicted, **given),
        metrics.MACRO_PRECISION: scikit_learn.precision_score(truth, predicted, **given),
        metrics.MACRO_F1: scikit_learn.f1_score(truth, predicted, **given),
        metrics.MACRO_ROC_AUC: float(np.mean(areas)),
        metrics.MACRO_AVERAGE_PRECISION: float(np.mean(precisions)),
        metrics.BRIER: float(np.average(((scored - one_hot.T) ** 2).sum(axis=1), weights=weights)),
    }


@pytest.mark.parametrize(
    ("comments", "kinds"), [(60, 3), (60, 12)]
)  # with 12, some resamples lack a class
def test_figures_and_resamples_equal_those_of_scikit_learn(comments: int, kinds: int) -> None:
    labels = draw_labels(comments, kinds)
    scored = draw_scores(labels, kinds, 2.0, 3)
    times = bootstrap.counts(comments, 12)
    assert (kinds == 3) == all(
        len(np.unique(np.asarray(labels)[weights > 0])) == kinds for weights in times.T
    )
    resampled = metrics.resampled(times, labels, scored)
    assert set(resampled) == {*metrics.MACRO_DECISIONS, *metrics.MACRO_SCORES}
    expected = reference(labels, scored, np.ones(comments))
    for measure, value in expected.items():
        assert measure.value(scored, labels) == pytest.approx(value), measure.heading
    for number, weights in enumerate(times.T):
        for measure, value in reference(labels, scored, weights).items():
            assert resampled[measure][number] == pytest.approx(value, abs=1e-5), measure.heading
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = metrics.CALIBRATION_ERROR.value(scored[rows], [labels[i] for i in rows])
        assert resampled[metrics.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


def test_figures_of_three_comments_are_those_by_hand() -> None:
    scored = np.asarray([(0.7, 0.2, 0.1), (0.2, 0.5, 0.3), (0.1, 0.6, 0.3)])
    labels = (0, 1, 2)
    assert metrics.predicted(scored).tolist() == [0, 1, 1]
    assert metrics.confidence(scored).tolist() == [0.7, 0.5, 0.6]
    squares = [0.09 + 0.04 + 0.01, 0.04 + 0.25 + 0.09, 0.01 + 0.36 + 0.49]
    assert metrics.BRIER.value(scored, labels) == pytest.approx(sum(squares) / 3)
    # one per bin: 0.7 correct, 0.5 correct, 0.6 wrong
    assert metrics.CALIBRATION_ERROR.value(scored, labels) == pytest.approx((0.3 + 0.5 + 0.6) / 3)
    assert metrics.MACRO_PRECISION.value(scored, labels) == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics.MACRO_F1.value(scored, labels) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert metrics.MACRO_RECALL.value(scored, labels) == pytest.approx(2 / 3)
    assert metrics.confusion(scored, labels).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    # class 2: the third comment scores 0.3, more than the first, the same as the second
    assert metrics.roc_auc(scored, labels) == pytest.approx((1 + 0.5 + 0.75) / 3)
    assert metrics.majority_accuracy((0, 2, 2, 1)) == 0.5


def test_one_class_alone_has_no_auc() -> None:
    estimates = bootstrap.estimates(
        bootstrap.counts(2), (1, 1), [np.asarray([(0.1, 0.8, 0.1), (0.5, 0.3, 0.2)])]
    )
    assert estimates[metrics.MACRO_ROC_AUC].value is None
    assert estimates[metrics.MACRO_RECALL].reason == "only one class among these comments"
    assert estimates[metrics.ACCURACY].value == 0.5


def test_the_interval_of_macro_average_precision_corrects_for_chance() -> None:
    kinds, covered = 15, 0.0  # the rarest has one or two comments
    population = draw_labels(20_000, kinds, seed=7)
    truth = metrics.MACRO_AVERAGE_PRECISION.value(
        draw_scores(population, kinds, 2.0, 8), population
    )
    assert truth is not None
    times = bootstrap.counts(150, 200)
    for seed in range(40):
        labels = draw_labels(150, kinds, seed=100 + seed)
        scored = draw_scores(labels, kinds, 2.0, 200 + seed)
        estimate = bootstrap.estimates(times, labels, [scored])[metrics.MACRO_AVERAGE_PRECISION]
        assert estimate.low is not None
        assert estimate.high is not None
        covered += (estimate.low <= truth <= estimate.high) / 40
    assert covered >= 0.7  # a third without the correction


def test_probabilities_are_read_row_by_row() -> None:
    data = run(THREE, {"bert": 1.0}, comments=10).data
    assert class_names.probabilities(data, (0.1, 0.2, 0.7, 0.6, 0.3, 0.1)).tolist() == [
        [0.1, 0.2, 0.7], [0.6, 0.3, 0.1],
    ]  # fmt: skip
    of_two = dataclasses.replace(data, classes=("ham", "spam"))
    assert class_names.probabilities(of_two, (0.1, 0.2)).tolist() == [0.1, 0.2]


def test_pairs_are_compared_by_accuracy_and_macro_auc() -> None:
    analysis = Analysis.of(run(THREE, NOISES))
    pair = paired_tests.between(analysis.pairs, "bert-cpu", "tfidf-cpu")
    labels = analysis.run.data.test.labels
    cells = {cell.model: cell for cell in analysis.run.cells}
    scores = [run_view.scores(analysis.run, cells[model]) for model in ("bert", "tfidf")]
    areas = [
        scikit_learn.roc_auc_score(labels, one / one.sum(axis=1, keepdims=True), multi_class="ovr")
        for one in scores
    ]
    assert pair.auc is not None
    assert pair.auc.value == pytest.approx(areas[0] - areas[1], abs=2e-3)
    shares = [(one.argmax(axis=1) == np.asarray(labels)).mean() for one in scores]
    assert pair.accuracy.value == pytest.approx(shares[0] - shares[1])
    assert pair.accuracy.is_significant
    assert pair.auc.is_significant


def test_a_cascade_passes_on_comments_without_a_probable_class() -> None:
    analysis = Analysis.of(run(THREE, {"tfidf": 1.7, "bert": 1.3}, comments=600))
    data, (cheap, expensive) = analysis.run.data, analysis.run.cells
    assert cheap.quality is not None
    assert expensive.quality is not None
    sweep = cascade.sweep(analysis.run, analysis.values, cheap, expensive)
    accuracies = [
        metrics.accuracy(class_names.probabilities(data, quality.test), data.test.labels)
        for quality in (cheap.quality, expensive.quality)
    ]
    assert [sweep[0].accuracy, sweep[-1].accuracy] == accuracies
    middle = sweep[5]
    confidence = class_names.probabilities(data, cheap.quality.test).max(axis=1)
    assert middle.passed_share == pytest.approx((confidence < middle.threshold).mean())
    assert 0.1 < middle.passed_share < 0.5
