"""reports/sections/prevalence.py: figures of the natural test set, and corrected scores."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics

from tests import factories
from tests.rendering import render, row
from tests.scored_runs import cell, draw, run
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, Run, unavailable
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import curves
from worthit.reports.sections import prevalence

LABELS = (1, 0, 1, 0, 1, 0)
SCORES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)


def text(run: Run) -> str:
    return "\n\n".join(prevalence.section(Analysis.of(run)))


def with_data(made: Run, **changed: Any) -> Run:
    return dataclasses.replace(made, data=dataclasses.replace(made.data, **changed))


def test_figures_are_those_of_the_population() -> None:
    scores, labels = draw(300, 0.5)
    truth, called = np.asarray(labels), np.asarray(scores) >= 0.5
    share = truth.mean()
    weights = np.where(truth == 1, 0.1 / share, 0.9 / (1 - share))
    figures = row(text(run(labels, cell("a", scores))).split("### Scores")[0], "a")
    for entry, measure in zip(
        figures[1:5],
        (metrics.precision_score, metrics.recall_score, metrics.f1_score, metrics.accuracy_score),
        strict=True,
    ):
        expected = measure(truth, called, sample_weight=weights)
        assert entry.startswith(f"{100 * expected:.1f} % (")
    expected = metrics.average_precision_score(truth, scores, sample_weight=weights)
    assert figures[5].startswith(f"{expected:.3f} (")


def test_the_majority_class_has_the_accuracy_of_the_population() -> None:
    first, second = text(run(LABELS, cell("a", SCORES))).split("### Scores")
    assert row(first, "*majority class*")[4] == "90.0 %"
    assert row(second, "*majority class*")[3:] == ["90.0 %", "90.0 %"]


def test_precision_is_at_the_recall_of_the_option() -> None:
    shown = text(run(LABELS, cell("a", SCORES), options={"--recall": "0.5"}))
    # Two of three toxic comments count 0.2 each, and one of three others 1.8.
    assert shown.split("\n\n")[1].startswith("At a recall of 50 %, a has a precision of 18.2 % (")
    assert "precision at recall 50 %" in shown
    figures = row(shown.split("### Scores")[0], "a")
    assert figures[6].startswith("18.2 %")
    assert figures[7].startswith("0.7 ")


def test_a_recall_that_only_a_constant_answer_reaches_has_a_footnote() -> None:
    shown = text(run(LABELS, cell("a", (0.5,) * 6))).split("### Scores")[0]
    assert row(shown, "a")[6].startswith("10.0 %")
    assert "reached only by predicting toxic for every comment" in shown


def test_one_class_has_no_precision_at_a_recall() -> None:
    shown = text(run((1, 1), cell("a", (0.9, 0.1)))).split("### Scores")[0]
    assert row(shown, "a")[6:] == ["n/a [2]"] * 2
    assert "[2] only one class among these comments" in shown


def test_a_run_without_scores_has_no_section() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    assert text(run((1, 0), failed)) == ""


def test_only_a_random_sample_of_a_stream_is_called_natural() -> None:
    made = run(LABELS, cell("a", SCORES))
    own, natural = render(made), render(with_data(made, stream="talk-page comments"))
    assert "## At the data's own share\n" in own
    assert "natural prevalence" not in own.lower()
    assert "10.0 % of 2,000 comments are toxic: [the data's own share]" in own
    assert "## At natural prevalence\n" in natural
    assert "10.0 % of a random sample of 2,000 talk-page comments are toxic: the [nat" in natural
    assert "50.0 % of the whole corpus, which is not a random sample, are toxic" in natural


def test_without_balance_the_figures_are_of_the_test_set() -> None:
    made = with_data(run(LABELS, cell("a", SCORES)), balanced=False)
    shown = text(made)
    assert "of the test set of 6 comments (3 toxic). It has [the data's own share]" in shown
    assert row(shown, "a")[1].startswith("60.0 % (")
    assert "### Scores" not in shown  # trained at the same share


def test_scores_are_shown_raw_and_corrected_for_the_share() -> None:
    rng = np.random.default_rng(0)
    labels = (1, 0) * 500
    scores = expit(rng.normal(np.where(np.asarray(labels) == 1, 2, -2), 2)).round(6)
    shown = text(run(labels, cell("a", tuple(scores.tolist()))))
    figures = row(shown.split("### Scores")[1], "a")
    error, corrected_error = (float(entry.split()[0]) for entry in figures[1:3])
    assert error > 0.1 > 5 * corrected_error
    corrected = expit(logit(scores) + logit(0.1)) >= 0.5
    weights = np.where(np.asarray(labels) == 1, 0.2, 1.8)
    accuracy = np.average(corrected == np.asarray(labels), weights=weights)
    assert figures[4].startswith(f"{100 * accuracy:.1f} % (")
    assert (
        f"The [calibration error](#term-calibration-error) of raw scores is up to {error:.3f} (a)"
        in shown
    )


def test_a_model_without_training_is_not_corrected() -> None:
    untuned = dataclasses.replace(
        cell("a", SCORES), training=factories.training(unavailable("s", NOT_TUNED))
    )
    shown = text(run(LABELS, untuned)).split("### Scores")[1]
    figures = row(shown, "a")
    assert figures[2] == figures[4]
    assert figures[2].startswith("n/a [")
    assert "[1] not tuned and not calibrated" in shown


def test_seeds_share_a_row_but_not_a_threshold() -> None:
    labels = draw(200, 0.5)[1]
    cells = [cell("a", draw(200, 0.4, seed=seed)[0], seed=seed) for seed in (1, 2)]
    shown = text(run(labels, *cells)).split("### Scores")[0]
    figures = row(shown, "a (2 seeds)")
    truth = np.asarray(labels)
    weights = np.where(truth == 1, 0.1 / truth.mean(), 0.9 / (1 - truth.mean()))
    precisions = [
        metrics.precision_score(
            truth, np.asarray(draw(200, 0.4, seed=seed)[0]) >= 0.5, sample_weight=weights
        )
        for seed in (1, 2)
    ]
    assert figures[1].startswith(f"{100 * np.mean(precisions):.1f} % (")
    assert "one for each seed" in shown


def test_the_precision_recall_curve_is_weighted() -> None:
    axes = curves.draw_precision_recall(Analysis.of(run(LABELS, cell("a", SCORES)))).axes[0]
    model, guessing = axes.lines
    recalls, precisions = model.get_xdata(), model.get_ydata()
    assert [*recalls] == pytest.approx([100, 100, 200 / 3, 200 / 3, 100 / 3, 100 / 3])
    assert precisions[0] == pytest.approx(10)  # all comments
    assert precisions[-1] == pytest.approx(100)
    assert guessing.get_ydata()[0] == pytest.approx(10)
