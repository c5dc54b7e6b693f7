"""reports/sections/quality.py: quality figures and paired tests."""

import dataclasses

import numpy as np
from sklearn import metrics

from tests import factories, multilabel_runs
from tests.factories import part
from tests.rendering import render, row
from tests.scored_runs import cell, draw, run, three_models
from worthit.bench.saved import record
from worthit.bench.saved.record import Run
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import quality


def quality_text(run: Run) -> str:
    return "\n\n".join(quality.section(Analysis.of(run)))


def test_the_section_has_figures_and_significant_differences() -> None:
    text = quality_text(three_models())
    probabilities, labels = draw(300, 0.5)
    accuracy = metrics.accuracy_score(labels, np.asarray(probabilities) >= 0.5)
    decisions, rest = text.split("From the scores")
    assert row(decisions, "a")[1].startswith(f"{100 * accuracy:.1f} % (")
    differences = rest.split("### Statistically")[1]
    assert "in 2 of 3 pairs of models, ROC AUC in 2" in differences
    table = differences.split("<details>")[0]
    assert row(table, "a") == ["a", "b", "b"]
    assert row(table, "c") == ["c", "no other", "no other"]
    assert "One rater: n/a, since this dataset has no votes" in text


def test_the_section_opens_with_the_best_models() -> None:
    labels = (1, 0, 1, 0)
    better = cell("a", (0.9, 0.1, 0.8, 0.6))
    both = quality.section(Analysis.of(run(labels, better, cell("b", (0.4, 0.1, 0.8, 0.6)))))
    assert both[1].startswith("a has the highest accuracy (75.0 %) and ROC AUC (1.000).")
    same = quality.section(Analysis.of(run(labels, better, dataclasses.replace(better, model="b"))))
    assert same[1].startswith("a and b have the highest accuracy (75.0 %)")
    split = quality.section(Analysis.of(run(labels, better, cell("b", (0.9, 0.1, 0.5, 0.49)))))
    assert split[1].startswith(
        "b has the highest accuracy (100.0 %). a and b have the highest ROC AUC"
    )
    alone = quality.section(Analysis.of(run(labels, better)))
    assert alone[1].startswith("a has an accuracy (75.0 %) and ROC AUC (1.000).")
    of_labels = multilabel_runs.run(noises={"bert": 1.0})
    assert quality.section(Analysis.of(of_labels))[1].startswith("bert has a macro F1 (")


def test_a_report_is_reproducible_and_has_no_nan() -> None:
    text = render(three_models())
    assert "nan" not in text.lower()
    assert render(three_models()) == text


def test_one_rater_is_a_row_of_the_tables() -> None:
    votes = part((1, 0, 1, 0), toxic_share=(0.8, 0.1, 1.0, None), raters=(10, 10, 10, None))
    text = quality_text(run((), cell("a", (0.9, 0.1, 0.8, 0.7)), test=votes))
    decisions, scores = text.split("From the scores")
    assert row(decisions, "*one rater*")[1].startswith("90.0 % (80.0 % to 100.0 %)")
    assert row(scores, "*one rater*")[1].startswith("0.900 (")
    assert "on the comments with at least two votes, 3 of 4." in text


def test_several_seeds_are_one_row() -> None:
    labels = draw(100, 0.5)[1]
    cells = [cell("a", draw(100, 0.5 + seed / 5)[0], seed=seed) for seed in range(2)]
    text = quality_text(run(labels, *cells, cell("b", draw(100, 0.6)[0])))
    mean = np.mean([metrics.accuracy_score(labels, np.asarray(draw(100, noise)[0]) >= 0.5)
                    for noise in (0.5, 0.7)])  # fmt: skip
    decisions = text.split("From the scores")[0]
    assert row(decisions, "a (2 seeds)")[1].startswith(f"{100 * mean:.1f} % (")
    assert "seed1" not in text
    assert "All 1 pairs" in text


def test_figures_that_need_two_classes_have_a_footnote() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    one_class = run((1, 1), cell("a", (0.9, 0.1)), cell("b", (0.9, 0.9)), failed)
    text = quality_text(one_class)
    assert "nan" not in text.lower()
    scores = text.split("From the scores")[1].split("One rater")[0]
    assert row(scores, "a")[1:3] == ["n/a [1]"] * 2
    assert "[1] only one class among these comments" in text


def test_a_run_without_scores_says_so_once() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    assert quality.NO_SCORES in quality_text(run((1, 0), failed))


def test_the_majority_class_is_a_row_also_beside_a_single_model() -> None:
    text = quality_text(run((0, 0, 0, 1), cell("a", (0.1, 0.2, 0.3, 0.9))))
    decisions, scores = text.split("From the scores")
    assert row(decisions, "*majority class*")[1:3] == ["75.0 %", "50.0 %"]
    assert row(scores, "*majority class*")[1] == "0.500"


def test_training_figures_do_not_change_the_section() -> None:
    scores = cell("a", (0.9, 0.1))
    trained = dataclasses.replace(scores, training=factories.training())
    assert quality_text(run((1, 0), trained)) == quality_text(run((1, 0), scores))
