"""reports/sections/quality.py: how quality is rendered."""

import dataclasses
from pathlib import Path

import numpy as np
from sklearn import metrics

from tests import factories
from tests.scored_runs import cell, drawn, part, row, run, three_models
from worthit.bench.saved import record
from worthit.reports.pictures import pictures
from worthit.reports.sections import quality, report


def test_the_report_has_figures_pairs_and_errors() -> None:
    text = report.render(three_models(), {})
    assert "nan" not in text.lower()
    section = text.split("## Quality")[1].split("By the probabilities")[0]
    probabilities, labels = drawn(300, 0.5)
    accuracy = metrics.accuracy_score(labels, np.asarray(probabilities) >= 0.5)
    assert row(section, "a")[1].startswith(f"{100 * accuracy:.1f} % (")
    apart = text.split("## Which differences")[1].split("<details>")[0]
    assert row(apart, "a") == ["a", "b", "b"]
    assert row(apart, "c") == ["c", "no other", "no other"]
    assert "How well people do is n/a" in text
    assert "By raters' agreement n/a" in text
    assert report.render(three_models(), {}) == text


def test_one_rater_stands_beside_the_models() -> None:
    votes = part((1, 0, 1, 0), toxic_share=(0.8, 0.1, 1.0, None), raters=(10, 10, 10, None))
    text = "\n".join(quality.figures(run((), cell("a", (0.9, 0.1, 0.8, 0.7)), test=votes)))
    decisions, by_score = text.split("By the probabilities")
    assert row(decisions, "*one rater*")[1].startswith("90.0 % (80.0 % to 100.0 %)")
    assert row(by_score, "*one rater*")[1].startswith("0.900 (")
    assert "on the 3 of 4 that have two votes or more" in text


def test_several_seeds_are_one_row() -> None:
    labels = drawn(100, 0.5)[1]
    cells = [cell("a", drawn(100, 0.5 + seed / 5)[0], seed=seed) for seed in range(2)]
    text = report.render(run(labels, *cells, cell("b", drawn(100, 0.6)[0])), {})
    section = text.split("## Quality")[1].split("By the probabilities")[0]
    mean = np.mean([metrics.accuracy_score(labels, np.asarray(drawn(100, noise)[0]) >= 0.5)
                    for noise in (0.5, 0.7)])  # fmt: skip
    assert row(section, "a (2 seeds)")[1].startswith(f"{100 * mean:.1f} % (")
    assert "seed1" not in section
    assert "all pairs (1)" in text


def test_a_run_with_one_class_or_without_quality_says_so() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    text = report.render(run((1, 1), cell("a", (0.9, 0.1)), cell("b", (0.9, 0.9)), failed), {})
    assert "nan" not in text.lower()
    assert (
        row(text.split("By the probabilities")[1].split("How well")[0], "a")[1:3] == ["n/a [1]"] * 2
    )
    assert "[1] only one class among these comments" in text
    assert row(text.split("## At natural")[1].split("## Where")[0], "a")[4:] == ["n/a [1]"] * 3
    assert "No model has scores in this run." in report.render(run((1, 0), failed), {})


def test_recall_is_the_one_asked_for_and_reached_somehow() -> None:
    labels = (1, 0, 1, 0, 1, 0)
    one = cell("a", (0.9, 0.8, 0.7, 0.6, 0.5, 0.4))
    text = "\n".join(quality.natural(run(labels, one, options={"--recall": "0.5"})))
    assert "precision at recall 50 %" in text
    assert row(text, "a")[5].startswith("66.7 %")
    assert row(text, "a")[6].startswith("0.7 ")
    flat = "\n".join(quality.natural(run(labels, cell("a", (0.5,) * 6))))
    assert row(flat, "a")[5].startswith("50.0 %")
    assert "precision at recall 80 %" in flat
    assert "reached only by calling every comment toxic" in flat


def test_curves_are_drawn_where_they_mean_something(tmp_path: Path) -> None:
    three = three_models()
    drawn_of_three = pictures.draw(three, tmp_path)
    assert [drawn_of_three[title] for title in (quality.ROC, quality.RELIABILITY, quality.PRECISION_RECALL)] == [
        "roc.png", "reliability.png", "precision-recall.png",
    ]  # fmt: skip
    text = report.render(three, drawn_of_three)
    for title, file in drawn_of_three.items():
        assert text.count(f"![{title}]({file})") == 1
        assert (tmp_path / file).stat().st_size > 1_000
    one_class = pictures.draw(run((1, 1), cell("a", (0.9, 0.1))), tmp_path)
    assert quality.ROC not in one_class
    assert quality.PRECISION_RECALL not in one_class
    assert quality.RELIABILITY in one_class


def test_figures_of_training_do_not_matter_to_quality() -> None:
    one = dataclasses.replace(cell("a", (0.9, 0.1)), training=factories.training())
    assert quality.figures(run((1, 0), one)) == quality.figures(run((1, 0), cell("a", (0.9, 0.1))))
