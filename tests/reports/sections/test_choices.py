"""reports/sections/choices.py: raw results beside those with the chosen calibration and threshold."""

import dataclasses

from tests import factories
from tests.biased_runs import run
from tests.rendering import render, row
from worthit.bench.saved.record import Run


def chosen(made: Run) -> str:
    return render(made).split("### Calibration and thresholds")[1].split("\n#")[0]


def test_raw_results_stand_beside_chosen_ones() -> None:
    text = chosen(run(0.6, 4.0))
    assert "Chosen on 500 validation comments for the highest accuracy" in text
    assert "test intervals are those of a model with its choice" in text
    entries = row(text, "tfidf")
    assert entries[1] == "temperature and bias"
    assert 0.95 < float(entries[2]) < 1
    raw, with_choice = (float(entry.removesuffix(" %")) for entry in entries[3:5])
    assert with_choice > raw + 25
    brier, calibration_error = entries[5:7], entries[7:9]
    assert float(brier[1]) < float(brier[0])
    assert float(calibration_error[1]) < float(calibration_error[0])


def test_the_results_table_has_the_chosen_accuracy() -> None:
    text = render(run(0.6, 4.0))
    results = row(text.split("## Results")[1].split("\n## ")[0], "tfidf")
    entries = row(text.split("### Calibration and thresholds")[1].split("\n#")[0], "tfidf")
    assert results[2].startswith(entries[4])


def test_a_threshold_for_f1_does_not_change_calibration() -> None:
    by_accuracy, by_f1 = (row(chosen(run(0.6, 4.0, **given)), "tfidf")
                          for given in ({}, {"objective": "f1"}))  # fmt: skip
    assert by_f1[2] != by_accuracy[2]
    assert by_f1[5:] == by_accuracy[5:]
    text = render(run(0.6, 4.0, objective="f1")).split("## Quality")[1]
    assert row(text.split(") scores (")[1].split("###")[0], "tfidf")[3].startswith(by_f1[6])


def test_without_validation_comments_results_are_raw_and_the_report_says_so() -> None:
    made = run(0.6, 4.0)
    assert made.cells[0].quality is not None
    cell = dataclasses.replace(
        made.cells[0], quality=dataclasses.replace(made.cells[0].quality, validation=())
    )
    data = dataclasses.replace(made.data, validation=factories.part())
    text = render(dataclasses.replace(made, data=data, cells=(cell,)))
    assert "no calibration and no threshold is chosen" in text
    assert "Predicted toxic from a score of 0.5" in text


def test_a_model_that_never_answers_yes_is_called_so() -> None:
    text = chosen(run(0.0, 0.5, cost_miss="1", cost_false_alarm="10"))
    assert row(text.split("The [cost")[0], "tfidf")[2] == "never"


def test_a_recall_at_natural_prevalence_has_its_threshold_from_validation_comments() -> None:
    text = (
        render(run(1.0, 0.0, recall="0.9")).split("## At the data's own share")[1].split("###")[0]
    )
    assert "of the toxic validation comments" in text
    reached = row(text, "tfidf")[7]
    assert 84 < float(reached.split(" %")[0]) < 96
