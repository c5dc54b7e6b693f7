"""reports/analysis/transfer.py: models of more than two classes on out-of-domain comments."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests import factories
from tests import multiclass_runs as multiclass
from tests.rendering import row
from worthit.bench.saved import record
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.transfer import TOO_FEW_CLASSES, Transfer, transfers
from worthit.reports.sections import transfer as section
from worthit.reports.verdict import rules, wording
from worthit.reports.verdict.case import Case


def of_many(
    labels: tuple[int, ...], out_of_domain: dict[str, np.ndarray], *, balanced: bool = False,
    in_domain: tuple[int, ...] | None = None, kinds: int = 3,
) -> record.Run:  # fmt: skip
    """Models with given out-of-domain probabilities, shape (n, kinds)."""
    names = multiclass.THREE if kinds == 3 else multiclass.many(kinds)
    made = multiclass.run(
        names, dict.fromkeys(out_of_domain, 1.0) | {"tfidf": 2.5}, balanced=balanced
    )
    steps = factories.steps(("in the corpus", "left", "tested on"), len(labels))
    other = factories.out_of_domain(
        multiclass.part(labels), classes=names, mapped_to=names, steps=steps
    )
    cells = []
    for cell in made.cells:
        assert cell.quality is not None
        probabilities = out_of_domain.get(cell.model, multiclass.draw_scores(labels, kinds, 2.5, 0))
        scores = (record.OutOfDomainScores("other.csv", multiclass.flat(probabilities)),)
        quality = dataclasses.replace(cell.quality, out_of_domain=scores)
        cells.append(dataclasses.replace(cell, quality=quality))
    data = dataclasses.replace(made.data, out_of_domain=(other,))
    if in_domain is not None:
        data = dataclasses.replace(data, test=multiclass.part(in_domain))
    return dataclasses.replace(
        made, data=data, cells=tuple(cells), options={"--budget": "accuracy=0.1"}
    )


def decide(made: record.Run) -> rules.Verdict:
    return rules.decide(Analysis.of(made))


def of_llama(made: record.Run) -> Transfer:
    (result,) = [one for one in transfers(made).results if one.cell.model == "llama"]
    return result


def section_text(made: record.Run) -> str:
    return "\n".join(section.section(Analysis.of(made)))


def macro(labels: Any, probabilities: np.ndarray) -> tuple[float, float]:
    """Recall and ROC AUC by scikit-learn, as means over the classes that occur."""
    truth = np.asarray(labels)
    recall = metrics.recall_score(
        truth, probabilities.argmax(axis=1), labels=np.unique(truth), average="macro"
    )
    areas = [metrics.roc_auc_score(truth == k, probabilities[:, k]) for k in np.unique(truth)]
    return float(recall), float(np.mean(areas))


def sentence(made: record.Run) -> str:
    """The sentence of the verdict on llama and tfidf."""
    cells = {cell.model: cell for cell in made.cells}
    case = Case.of(Analysis.of(made), cells["llama"], [cells["tfidf"]])
    return wording.out_of_domain(case, cells["tfidf"])


def in_domain_scores(made: record.Run) -> np.ndarray:
    return multiclass.draw_scores(
        multiclass.draw_labels(300, 3), 3, 1.0, 2
    )  # of llama, the third by its seed


def test_figures_of_three_classes_are_macro() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    scores = multiclass.draw_scores(labels, 3, 3.5, 7)
    made = of_many(labels, {"llama": scores})
    result = of_llama(made)
    recall, area = macro(labels, scores)
    recall_in_domain, area_in_domain = macro(made.data.test.labels, in_domain_scores(made))
    assert result.share.value == pytest.approx(recall)
    assert result.auc.value == pytest.approx(area)
    assert result.in_domain_share == pytest.approx(recall_in_domain)
    assert result.in_domain_auc == pytest.approx(area_in_domain)
    drops = (
        (result.share_drop, recall - recall_in_domain),
        (result.auc_drop, area - area_in_domain),
    )
    for drop, difference in drops:
        assert drop is not None
        assert drop.value == pytest.approx(difference)
        assert drop.low < difference < drop.high < 0
        assert drop.is_significant
    text = section_text(made)
    counts = np.bincount(labels)
    assert f"{counts[0]} news, {counts[1]} sport, {counts[2]} arts (own data)" in text
    assert "Guessing gives 33.3 % and a ROC AUC of 0.5." in text
    assert row(text, "llama")[1].startswith(f"{100 * recall:.1f} % (")
    assert "macro ROC AUC, out-of-domain" in text
    assert "No comment has the class" not in text
    assert "of the 3 classes" not in sentence(made)


def test_balanced_sets_of_three_classes_are_compared_by_accuracy() -> None:
    labels = (0, 1, 2) * 100
    scores = multiclass.draw_scores(labels, 3, 1.5, 7)
    made = of_many(labels, {"llama": scores}, balanced=True)
    correct = scores.argmax(axis=1) == np.asarray(labels)
    assert of_llama(made).share.value == pytest.approx(correct.mean())
    assert "| accuracy, out-of-domain |" in " ".join(section_text(made).split())


def test_classes_missing_out_of_domain_are_excluded_in_domain_and_named() -> None:
    labels = tuple(label % 2 for label in multiclass.draw_labels(400, 3, seed=9))
    made = of_many(labels, {"llama": multiclass.draw_scores(labels, 3, 1.0, 7)})
    result = of_llama(made)
    labels_in_domain = np.asarray(made.data.test.labels)
    recall, area = macro(
        labels_in_domain[labels_in_domain < 2], in_domain_scores(made)[labels_in_domain < 2]
    )
    assert result.in_domain_share == pytest.approx(recall)
    assert result.in_domain_auc == pytest.approx(area)
    assert result.share_drop is not None
    assert result.share.value is not None
    assert result.share_drop.value == pytest.approx(result.share.value - recall)
    text = section_text(made)
    assert "Guessing gives 50.0 %" in text
    assert "No comment has the class arts: the in-domain figures are without it, too" in text
    assert "out-of-domain set other.csv, with 2 of the 3 classes, llama has a balanced" in sentence(
        made
    )


def test_classes_missing_in_domain_are_excluded_out_of_domain_and_named() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    scores = multiclass.draw_scores(labels, 3, 1.0, 7)
    kept = np.asarray(labels) < 2
    in_domain = tuple(min(label, 1) for label in multiclass.draw_labels(300, 3))
    made = of_many(labels, {"llama": scores}, in_domain=in_domain)
    recall, area = macro(np.asarray(labels)[kept], scores[kept])
    assert of_llama(made).share.value == pytest.approx(recall)
    assert of_llama(made).auc.value == pytest.approx(area)
    text = section_text(made)
    excluded = (~kept).sum()
    assert (
        f"excludes {excluded} comments of the class arts, which the in-domain test set lacks"
        in text
    )
    nothing = of_many((1, 2) * 9, {"llama": scores[:18]}, in_domain=(0, 1) * 150)
    assert of_llama(nothing).share.value is None
    assert not of_llama(nothing).beats_guessing
    assert TOO_FEW_CLASSES in section_text(nothing)


def same(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """The same answer for every comment."""
    return np.tile(np.eye(kinds)[0], (len(labels), 1))


def often_correct(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """Correct for 45 %, with such low probabilities that the ranking is worse than chance."""
    truth = np.asarray(labels)
    is_correct = np.random.default_rng(4).random(len(labels)) < 0.45
    unsure, sure = (np.eye(3)[truth] * 0.04 + 0.32, np.eye(3)[(truth + 1) % 3] * 0.85 + 0.05)
    return np.where(is_correct[:, None], unsure, sure)


def ranked(labels: tuple[int, ...], kinds: int) -> np.ndarray:
    """The same answer for every comment, but the second class has a higher score if it is correct."""
    second = np.where(np.asarray(labels) == 1, 0.3, 0.1)
    return np.column_stack([0.4 + 0 * second, second, 0.6 - second])


@pytest.mark.parametrize(
    ("labels", "scored", "beats"),
    [
        ((0, 1, 2) * 200, same, False),
        ((0,) * 200 + (1, 2), same, False),  # resamples without a class are easier to guess
        ((0,) * 200 + tuple(range(1, 20)), same, False),
        ((0, 1, 2) * 200, often_correct, True),
        ((0, 1, 2) * 200, ranked, True),
        ((0, 1, 2) * 5, lambda labels, kinds: np.eye(kinds)[list(labels)], True),
    ],
)
def test_guessing_depends_on_the_number_of_classes(
    labels: tuple[int, ...], scored: Any, beats: bool
) -> None:
    kinds = max(labels) + 1
    scores = scored(labels, kinds)
    assert of_llama(of_many(labels, {"llama": scores}, kinds=kinds)).beats_guessing == beats
    if scored is often_correct:
        assert macro(labels, scores)[1] < 0.5


def test_the_verdict_on_three_classes_names_a_set_on_which_the_llm_only_guesses() -> None:
    labels = multiclass.draw_labels(400, 3, seed=9)
    guesses = decide(of_many(labels, {"llama": same(labels, 3)}))
    assert guesses.answer == "practical if"
    assert "other.csv" in guesses.headline
    reasons = " ".join(guesses.reasons)
    assert "llama has a balanced accuracy (macro recall) of 33.3 % (-" in reasons
    assert "in accuracy, a difference of -20.5 (" in reasons
    transfers_well = decide(of_many(labels, {"llama": multiclass.draw_scores(labels, 3, 1.0, 7)}))
    assert transfers_well.answer == "practical"
