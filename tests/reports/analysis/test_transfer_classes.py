"""reports/analysis/transfer.py: models of more classes than two on comments of other origin."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests import multiclass_runs as multiclass
from worthit.bench.saved import record
from worthit.reports.analysis import cascade
from worthit.reports.analysis import transfer as report
from worthit.reports.analysis.paired_tests import pairs
from worthit.reports.verdict import rules


def of_many(
    labels: tuple[int, ...], elsewhere: dict[str, np.ndarray], *, balanced: bool = False,
    at_home: tuple[int, ...] | None = None, kinds: int = 3,
) -> record.Run:  # fmt: skip
    """Models of several classes by their probabilities of comments elsewhere, shape (n, kinds)."""
    names = multiclass.THREE if kinds == 3 else multiclass.many(kinds)
    made = multiclass.run(names, dict.fromkeys(elsewhere, 1.0) | {"tfidf": 2.5}, balanced=balanced)
    steps = tuple(
        record.StepRecord(name, 400, 9) for name in ("in the corpus", "left", "tested on")
    )
    other = record.OtherSet("other.csv", "", "own data", "f", "k", names, names, True, "", steps, (),
                            multiclass.part(labels))  # fmt: skip
    cells = []
    for cell in made.cells:
        assert cell.quality is not None
        probabilities = elsewhere.get(cell.model, multiclass.draw_scores(labels, kinds, 2.5, 0))
        also = (record.OtherScores("other.csv", multiclass.flat(probabilities)),)
        cells.append(
            dataclasses.replace(cell, quality=dataclasses.replace(cell.quality, also=also))
        )
    data = dataclasses.replace(made.data, also=(other,))
    if at_home is not None:
        data = dataclasses.replace(data, test=multiclass.part(at_home))
    return dataclasses.replace(
        made, data=data, cells=tuple(cells), options={"--budget": "accuracy=0.1"}
    )


def judged(made: record.Run) -> rules.Verdict:
    return rules.verdict(made, pairs(made), cascade.chosen(made))


def found(made: record.Run, model: str = "llama") -> report.Transfer:
    (one,) = [one for one in report.transfers(made) if one.cell.model == model]
    return one


def macro(labels: Any, probabilities: np.ndarray) -> tuple[float, float]:
    """Recall and ROC AUC as scikit-learn has them, the means over the classes that occur."""
    truth = np.asarray(labels)
    recall = metrics.recall_score(
        truth, probabilities.argmax(axis=1), labels=np.unique(truth), average="macro"
    )
    areas = [metrics.roc_auc_score(truth == k, probabilities[:, k]) for k in np.unique(truth)]
    return float(recall), float(np.mean(areas))


def home_scores(made: record.Run) -> np.ndarray:
    return multiclass.draw_scores(
        multiclass.draw_labels(300, 3), 3, 1.0, 2
    )  # of llama, the third by its seed


def test_of_three_classes_figures_are_macro_here_and_at_home() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    scores = multiclass.draw_scores(labels, 3, 3.5, 7)
    made = of_many(labels, {"llama": scores})
    one = found(made)
    recall, area = macro(labels, scores)
    home_recall, home_area = macro(made.data.test.labels, home_scores(made))
    assert one.share.value == pytest.approx(recall)
    assert one.auc.value == pytest.approx(area)
    assert one.home_share == pytest.approx(home_recall)
    assert one.home_auc == pytest.approx(home_area)
    for drop, difference in ((one.share_drop, recall - home_recall), (one.auc_drop, area - home_area)):  # fmt: skip
        assert drop is not None
        assert drop.difference == pytest.approx(difference)
        assert drop.low < difference < drop.high < 0
        assert drop.is_shown
    text = "\n".join(report.section(made))
    counts = np.bincount(labels)
    assert f"{counts[0]} news, {counts[1]} sport, {counts[2]} arts (own data)" in text
    assert "By guessing: 33.3 %." in text
    assert "is 1/k of k classes by guessing" in text
    assert multiclass.row(text, "llama")[1].startswith(f"{100 * recall:.1f} % (")
    assert "macro ROC AUC here" in text
    assert "No comment here" not in text
    assert "of the 3 classes" not in report.in_words(made, one.cell, None)


def test_balanced_sets_of_three_classes_are_told_by_accuracy() -> None:
    labels = (0, 1, 2) * 100
    scores = multiclass.draw_scores(labels, 3, 1.5, 7)
    made = of_many(labels, {"llama": scores}, balanced=True)
    right = scores.argmax(axis=1) == np.asarray(labels)
    assert found(made).share.value == pytest.approx(right.mean())
    assert "| accuracy here |" in " ".join("\n".join(report.section(made)).split())


def test_classes_missing_elsewhere_are_left_out_at_home_and_said_to_be() -> None:
    labels = tuple(label % 2 for label in multiclass.draw_labels(400, 3, seed=9))
    made = of_many(labels, {"llama": multiclass.draw_scores(labels, 3, 1.0, 7)})
    one = found(made)
    home = np.asarray(made.data.test.labels)
    recall, area = macro(home[home < 2], home_scores(made)[home < 2])
    assert one.home_share == pytest.approx(recall)
    assert one.home_auc == pytest.approx(area)
    assert one.share_drop is not None
    assert one.share.value is not None
    assert one.share_drop.difference == pytest.approx(one.share.value - recall)
    text = "\n".join(report.section(made))
    assert (
        "By guessing: 50.0 %. No comment here is called arts: figures at home, too, are of" in text
    )
    assert "On other.csv, of other origin and with 2 of the 3 classes, the balanced accuracy" in (
        report.in_words(made, one.cell, None)
    )


def test_classes_missing_at_home_are_left_out_elsewhere_and_said_to_be() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    scores = multiclass.draw_scores(labels, 3, 1.0, 7)
    kept = np.asarray(labels) < 2
    at_home = tuple(min(label, 1) for label in multiclass.draw_labels(300, 3))
    made = of_many(labels, {"llama": scores}, at_home=at_home)
    recall, area = macro(np.asarray(labels)[kept], scores[kept])
    assert found(made).share.value == pytest.approx(recall)
    assert found(made).auc.value == pytest.approx(area)
    text = "\n".join(report.section(made))
    assert (
        f"The {(~kept).sum()} comments called arts, of which the test set at home has none" in text
    )
    nothing = of_many((1, 2) * 9, {"llama": scores[:18]}, at_home=(0, 1) * 150)
    assert found(nothing).share.value is None
    assert not found(nothing).beats_guessing
    assert "fewer than two classes are both here and at home" in "\n".join(report.section(nothing))


def same(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """One and the same answer to all."""
    return np.tile(np.eye(kinds)[0], (len(labels), 1))


def often_right(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """Right of 45 %, so unsurely that the ranking is worse than chance."""
    truth = np.asarray(labels)
    is_right = np.random.default_rng(4).random(len(labels)) < 0.45
    unsure, sure = (np.eye(3)[truth] * 0.04 + 0.32, np.eye(3)[(truth + 1) % 3] * 0.85 + 0.05)
    return np.where(is_right[:, None], unsure, sure)


def ranked(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """The same answer to all, but the second class gets more where it is right."""
    second = np.where(np.asarray(labels) == 1, 0.3, 0.1)
    return np.column_stack([0.4 + 0 * second, second, 0.6 - second])


@pytest.mark.parametrize(
    ("labels", "scored", "beats"),
    [
        ((0, 1, 2) * 200, same, False),
        ((0,) * 200 + (1, 2), same, False),  # resamples without a class are easier to guess
        ((0,) * 200 + tuple(range(1, 20)), same, False),
        ((0, 1, 2) * 200, often_right, True),
        ((0, 1, 2) * 200, ranked, True),
        ((0, 1, 2) * 5, lambda labels, kinds: np.eye(kinds)[list(labels)], True),
    ],
)
def test_of_several_classes_guessing_is_one_in_so_many(
    labels: tuple[int, ...], scored: Any, beats: bool
) -> None:
    kinds = max(labels) + 1
    scores = scored(labels, kinds)
    assert found(of_many(labels, {"llama": scores}, kinds=kinds)).beats_guessing == beats
    if scored is often_right:
        assert macro(labels, scores)[1] < 0.5


def test_the_verdict_on_three_classes_names_a_set_on_which_the_llm_only_guesses() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    guesses = judged(of_many(labels, {"llama": same(labels, 3)}))
    assert guesses.answer == "practical if"
    assert "on other.csv it is not shown to beat guessing" in guesses.headline
    said = " ".join(guesses.reasons)
    assert "the balanced accuracy (macro recall) of llama is 33.3 % (-" in said
    assert "the paired test of accuracy supports that tfidf is better" in said
    carries = judged(of_many(labels, {"llama": multiclass.draw_scores(labels, 3, 1.0, 7)}))
    assert carries.answer == "practical"
