"""reports/: the figures of more classes than two are those of scikit-learn."""

import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from tests.multiclass_runs import NOISES, THREE, Floats, Labels, draw_labels, draw_scores, run
from worthit.reports.analysis import bootstrap, cascade, paired_tests
from worthit.reports.analysis import metrics as quality
from worthit.reports.text import class_names


def scikit_learn(labels: Labels, scored: Floats, weights: Floats) -> dict[quality.Measure, float]:
    """The same figures by scikit-learn; classes that do not occur are left out, as there."""
    truth, called = np.asarray(labels), scored.argmax(axis=1)
    occur = np.unique(truth[weights > 0])
    given = {"labels": occur, "average": "macro", "sample_weight": weights, "zero_division": 0}
    areas = [metrics.roc_auc_score(truth == k, scored[:, k], sample_weight=weights) for k in occur]
    precisions = [
        metrics.average_precision_score(truth == k, scored[:, k], sample_weight=weights)
        for k in occur
    ]
    kept = truth == np.arange(scored.shape[1])[:, None]
    return {
        quality.ACCURACY: metrics.accuracy_score(truth, called, sample_weight=weights),
        quality.MACRO_RECALL: metrics.recall_score(truth, called, **given),
        quality.MACRO_PRECISION: metrics.precision_score(truth, called, **given),
        quality.MACRO_F1: metrics.f1_score(truth, called, **given),
        quality.MACRO_ROC_AUC: float(np.mean(areas)),
        quality.MACRO_AVERAGE_PRECISION: float(np.mean(precisions)),
        quality.BRIER: float(np.average(((scored - kept.T) ** 2).sum(axis=1), weights=weights)),
    }


@pytest.mark.parametrize(
    ("comments", "kinds"), [(60, 3), (60, 12)]
)  # with 12 some resamples lack one
def test_figures_and_resamples_are_those_of_scikit_learn(comments: int, kinds: int) -> None:
    labels = draw_labels(comments, kinds)
    scored = draw_scores(labels, kinds, 2.0, 3)
    times = bootstrap.counts(comments, 12)
    assert (kinds == 3) == all(
        len(np.unique(np.asarray(labels)[drawn > 0])) == kinds for drawn in times.T
    )
    found = bootstrap.resampled(times, labels, scored)
    assert set(found) == {*quality.MACRO_DECISIONS, *quality.MACRO_SCORES}
    expected = scikit_learn(labels, scored, np.ones(comments))
    for measure, value in expected.items():
        assert measure.value(scored, labels) == pytest.approx(value), measure.heading
    for number, weights in enumerate(times.T):
        for measure, value in scikit_learn(labels, scored, weights).items():
            assert found[measure][number] == pytest.approx(value, abs=1e-5), measure.heading
        rows = np.repeat(np.arange(comments), weights.astype(int))
        again = quality.calibration_error(scored[rows], [labels[i] for i in rows])
        assert found[quality.CALIBRATION_ERROR][number] == pytest.approx(again, abs=1e-5)


def test_scores_of_three_comments_by_hand() -> None:
    scored = np.asarray([(0.7, 0.2, 0.1), (0.2, 0.5, 0.3), (0.1, 0.6, 0.3)])
    labels = (0, 1, 2)
    assert quality.called(scored).tolist() == [0, 1, 1]
    assert quality.sureness(scored).tolist() == [0.7, 0.5, 0.6]
    squares = [0.09 + 0.04 + 0.01, 0.04 + 0.25 + 0.09, 0.01 + 0.36 + 0.49]
    assert quality.brier(scored, labels) == pytest.approx(sum(squares) / 3)
    # each in a bin of its own: 0.7 right, 0.5 right, 0.6 wrong
    assert quality.calibration_error(scored, labels) == pytest.approx((0.3 + 0.5 + 0.6) / 3)
    assert quality.macro_precision(scored, labels) == pytest.approx((1 + 0.5 + 0) / 3)
    assert quality.macro_f1(scored, labels) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert quality.balanced_accuracy(scored, labels) == pytest.approx(2 / 3)
    assert quality.confusion(scored, labels).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    # 2 is above both others for 0.3, but ties with the second comment
    assert quality.roc_auc(scored, labels) == pytest.approx((1 + 0.5 + 0.75) / 3)
    assert quality.guessing((0, 2, 2, 1)) == 0.5


def test_where_one_class_occurs_there_is_no_area() -> None:
    found = bootstrap.estimates(
        bootstrap.counts(2), (1, 1), [np.asarray([(0.1, 0.8, 0.1), (0.5, 0.3, 0.2)])]
    )
    assert found[quality.MACRO_ROC_AUC].value is None
    assert found[quality.MACRO_RECALL].reason == "only one class among these comments"
    assert found[quality.ACCURACY].value == 0.5


def test_the_interval_of_macro_average_precision_makes_up_for_what_chance_adds() -> None:
    kinds, covered = 15, 0.0  # the rarest has one or two comments
    everything = draw_labels(20_000, kinds, seed=7)
    truth = quality.average_precision(draw_scores(everything, kinds, 2.0, 8), everything)
    assert truth is not None
    times = bootstrap.counts(150, 200)
    for seed in range(40):
        labels = draw_labels(150, kinds, seed=100 + seed)
        scored = draw_scores(labels, kinds, 2.0, 200 + seed)
        found = bootstrap.estimates(times, labels, [scored])[quality.MACRO_AVERAGE_PRECISION]
        assert found.low is not None
        assert found.high is not None
        covered += (found.low <= truth <= found.high) / 40
    assert covered >= 0.7  # without, a third


def test_a_record_is_read_row_by_row() -> None:
    data = run(THREE, {"bert": 1.0}, comments=10).data
    assert class_names.probabilities(data, (0.1, 0.2, 0.7, 0.6, 0.3, 0.1)).tolist() == [
        [0.1, 0.2, 0.7], [0.6, 0.3, 0.1],
    ]  # fmt: skip
    of_two = dataclasses.replace(data, classes=("ham", "spam"))
    assert class_names.probabilities(of_two, (0.1, 0.2)).tolist() == [0.1, 0.2]


def test_pairs_are_told_apart_by_what_is_right_and_by_macro_auc() -> None:
    made = run(THREE, NOISES)
    found = paired_tests.between(paired_tests.pairs(made), "bert-cpu", "tfidf-cpu")
    labels = made.data.test.labels
    first, second = (draw_scores(labels, 3, NOISES[model], place) for model, place in (("bert", 1), ("tfidf", 0)))  # fmt: skip
    areas = [
        metrics.roc_auc_score(labels, scored / scored.sum(axis=1, keepdims=True), multi_class="ovr")
        for scored in (first, second)
    ]
    assert found.auc_difference == pytest.approx(areas[0] - areas[1], abs=2e-3)
    right = [scored.argmax(axis=1) == np.asarray(labels) for scored in (first, second)]
    assert found.accuracy_difference == pytest.approx(right[0].mean() - right[1].mean())
    assert found.accuracy_differs
    assert found.auc_differs


def test_a_cascade_passes_on_where_no_class_is_likely() -> None:
    made = run(THREE, {"tfidf": 1.7, "bert": 1.3}, comments=600)
    cheap, dear = made.cells
    assert cheap.quality is not None
    sweep = cascade.swept(made, cheap, dear)
    accuracies = [
        quality.accuracy(
            class_names.probabilities(made.data, one.quality.test), made.data.test.labels
        )
        for one in made.cells
        if one.quality is not None
    ]
    assert [sweep[0].accuracy, sweep[-1].accuracy] == accuracies
    some = sweep[5]
    sure = class_names.probabilities(made.data, cheap.quality.test).max(axis=1)
    assert some.passed_share == pytest.approx((sure < some.sure_from).mean())
    assert 0.1 < some.passed_share < 0.5
    text = "\n".join(cascade.section(made, cascade.chosen(made)))
    assert "likeliest class" in text or "No model can spare" in text
