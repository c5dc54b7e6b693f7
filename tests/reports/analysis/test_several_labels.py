"""Figures, answers and leads of several labels per comment."""

import dataclasses
import itertools

import numpy as np
import pytest
from sklearn import metrics as reference

from tests import factories, multilabel_runs
from worthit.bench.saved import record
from worthit.datasets.errors import OptionError
from worthit.reports.analysis import decisions, leads
from worthit.reports.analysis.decisions import Decisions
from worthit.reports.analysis.objective import Objective, require_suitable
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.metrics import Measure

LABELS = multilabel_runs.draw_labels(200)
SCORES = multilabel_runs.draw_scores(LABELS, 2.0, 1)
CALLED = (SCORES >= 0.5).astype(int)


def run(labels: np.ndarray, own: np.ndarray | None = None, **options: str) -> record.Run:
    """One model on test comments with these labels, which are the validation comments too."""
    made = multilabel_runs.run(noises={"llama": 1.0})
    part = multilabel_runs.part(labels)
    flat = multilabel_runs.flat(labels.astype(float) if own is None else own)
    cell = dataclasses.replace(
        made.cells[0],
        quality=factories.quality(flat, validation=flat),
        learning_curve=(),
    )
    data = dataclasses.replace(made.data, test=part, validation=part, natural=part, train=part)
    return dataclasses.replace(made, data=data, cells=(cell,), options=factories.options(**options))


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (metrics.LABEL_F1, reference.f1_score(LABELS, CALLED, average="macro")),
        (metrics.MICRO_F1, reference.f1_score(LABELS, CALLED, average="micro")),
        (metrics.SUBSET_ACCURACY, reference.accuracy_score(LABELS, CALLED)),
        (metrics.LABEL_ROC_AUC, reference.roc_auc_score(LABELS, SCORES, average="macro")),
        (
            metrics.LABEL_AVERAGE_PRECISION,
            reference.average_precision_score(LABELS, SCORES, average="macro"),
        ),
        (metrics.BRIER, np.square(SCORES - LABELS).mean()),
    ],
)
def test_figures_are_those_of_scikit_learn(measure: Measure, expected: float) -> None:
    assert measure.value(SCORES, LABELS) == pytest.approx(expected)


def test_each_resample_has_the_figures_of_its_comments() -> None:
    times = bootstrap.counts(len(LABELS), 20)
    drawn = metrics.resampled(times, LABELS, SCORES)
    for number in range(20):
        rows = np.repeat(np.arange(len(LABELS)), times[:, number].astype(int))
        for measure, of in drawn.items():
            assert of[number] == pytest.approx(
                measure.value(SCORES[rows], LABELS[rows]), abs=1e-5
            ), measure


def test_a_label_without_comments_counts_in_no_mean() -> None:
    labels = np.c_[LABELS, np.zeros(len(LABELS), int)]
    own = np.c_[SCORES, np.zeros(len(LABELS))]
    for measure in (metrics.LABEL_F1, metrics.LABEL_ROC_AUC):
        assert measure.value(own, labels) == pytest.approx(measure.value(SCORES, LABELS))
    nothing = np.zeros((30, 3), int)
    assert metrics.LABEL_F1.value(SCORES[:30], nothing) is None
    assert metrics.roc_auc(SCORES[:30], nothing) is None


@pytest.mark.parametrize(
    ("objective", "measure"),
    [
        ("macro-f1", metrics.LABEL_F1),
        ("micro-f1", metrics.MICRO_F1),
        ("subset-accuracy", metrics.SUBSET_ACCURACY),
    ],
)
def test_guessing_is_the_best_set_of_labels_for_every_comment(
    objective: str, measure: Measure
) -> None:
    made = run(LABELS, objective=objective)
    constants = [
        measure.value(np.tile(answer, (len(LABELS), 1)), LABELS)
        for answer in itertools.product((0.0, 1.0), repeat=3)
    ]
    assert leads.measure(made) == measure
    assert leads.guessing(made) == pytest.approx(max(constants))


def test_macro_f1_decides_by_default() -> None:
    assert Objective.of(run(LABELS)).name == "macro-f1"
    assert leads.measure(run(LABELS)) == metrics.LABEL_F1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"objective": "accuracy"},
            "--objective accuracy needs classes; this run has several labels (3), for which --objective "
            "can be macro-f1, micro-f1 or subset-accuracy",
        ),
        (
            {"objective": "cost"},
            "--objective cost needs two classes; this run has several labels (3)",
        ),
        (
            {"cost_miss": "1", "cost_false_alarm": "2"},
            "--cost-miss, --cost-false-alarm needs two classes",
        ),
    ],
)
def test_objectives_of_classes_are_refused_in_one_line(given: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError) as no:
        require_suitable(3, multilabel=True, given=factories.options(**given))
    assert message in str(no.value)
    assert "\n" not in str(no.value)


def test_objectives_of_labels_are_refused_for_classes() -> None:
    with pytest.raises(
        OptionError, match="macro-f1 needs several labels per comment; this run has 2"
    ):
        require_suitable(2, multilabel=False, given=factories.options(objective="macro-f1"))


def test_each_label_has_its_own_calibration_and_threshold() -> None:
    own = SCORES / np.array([1.0, 3.0, 1.0])  # scores of the second label are all below 0.5
    made = run(LABELS, own)
    found = Decisions.of(made)
    choice = found.choices[made.cells[0].name]
    assert [one.comments for one in choice.by_label] == [len(LABELS)] * 3
    before, after = (
        metrics.LABEL_F1.value(scores(of, of.cells[0]), truth(of)) for of in (made, found.decided)
    )
    assert before is not None
    assert after is not None
    assert after > before + 0.2
    answers = metrics.flagged(scores(found.decided, found.decided.cells[0]))
    assert np.array_equal(answers, metrics.flagged(choice.decided(own)))


def test_thresholds_of_macro_f1_have_the_highest_expected_f1_of_each_label() -> None:
    made = run(LABELS, SCORES)
    choice = decisions.choose(made, made.cells[0], Objective.of(made))
    calibrated = choice.calibrated(SCORES)
    for one, own in zip(choice.by_label, calibrated.T, strict=True):

        def expected_f1(threshold: float, own: np.ndarray = own) -> float:
            called = own >= threshold
            return float(2 * own[called].sum() / (called.sum() + own.sum()))

        best = max(expected_f1(threshold) for threshold in own)
        assert expected_f1(one.threshold) == pytest.approx(best)


def test_a_label_of_no_validation_comment_keeps_its_scores() -> None:
    labels = LABELS * np.array([1, 1, 0])
    choice = decisions.choose(made := run(labels, SCORES), made.cells[0], Objective.of(made))
    assert [one.comments for one in choice.by_label] == [200, 200, 0]
    assert not choice.by_label[2].changes_scores


def test_one_threshold_is_for_all_labels_with_micro_f1() -> None:
    made = run(LABELS, SCORES, objective="micro-f1")
    choice = decisions.choose(made, made.cells[0], Objective.of(made))
    assert len({round(one.threshold, 9) for one in choice.by_label}) == 1


def test_subset_accuracy_keeps_the_likeliest_answers() -> None:
    made = run(LABELS, SCORES, objective="subset-accuracy")
    choice = decisions.choose(made, made.cells[0], Objective.of(made))
    assert not choice.moves_answers


def test_without_validation_comments_labels_are_predicted_from_a_half_on() -> None:
    made = multilabel_runs.run(validation=10)
    assert not Decisions.of(made).choices[made.cells[0].name].changes_scores


def test_the_lead_is_the_difference_of_macro_f1() -> None:
    made = multilabel_runs.run()
    first, _, third = made.cells
    resamples = bootstrap.counts(300)
    found = leads.lead(made, [third], [first], resamples)
    by_model = [metrics.LABEL_F1.value(scores(made, one), truth(made)) for one in (third, first)]
    assert by_model[0] is not None
    assert by_model[1] is not None
    assert found.value == pytest.approx(by_model[0] - by_model[1])
    assert found.low < found.value < found.high


def test_a_figure_of_0_has_an_interval_that_begins_there() -> None:
    made = run(LABELS, np.zeros(LABELS.shape))
    found = leads.bounded(made, made.cells[0], metrics.LABEL_F1)
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0 < found.high < 0.5
