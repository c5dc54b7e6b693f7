"""reports/sections/tuning.py, and the time of choosing settings beside that of training."""

import dataclasses

from tests import factories
from tests.rendering import entries, render, section
from tests.verdict_runs import cell, run
from worthit.bench.saved.record import measured, unavailable
from worthit.reports.analysis import figures


def test_a_search_shows_its_time_trials_changes_and_scores() -> None:
    tuned = cell("tfidf", 0.9, tuning=factories.tuning())
    kept = factories.tuning(
        chosen={}, given={}, chosen_score=0.88, reason="no other settings are better"
    )
    text = section(run(tuned, cell("bert", 0.9, tuning=kept)), "Tuning")
    assert "Each model had 60 s for a search on 1,000 validation comments" in text
    assert "changed the settings of 1 of 2" in text
    assert "too high on average" in text
    assert entries(text, "change") == [
        ["tfidf", "C 5.0 → 2.0", "58", "20", "30", "1,000 of 1,000", "accuracy 88.0 %",
         "90.0 % (+2.0)"],
        ["bert", "none: no other settings are better", "58", "20", "30", "1,000 of 1,000",
         "accuracy 88.0 %", "the same"],
    ]  # fmt: skip


def test_a_model_that_was_too_slow_says_so() -> None:
    reason = "a training on 125 comments does not fit"
    slow = factories.tuning(
        chosen={}, given={}, trials=0, tried=0, comments=0, given_score=None, chosen_score=None,
        reason=reason,
    )  # fmt: skip
    (row,) = entries(section(run(cell("llama", 0.9, tuning=slow)), "Tuning"), "change")
    assert row[1:] == [f"none: {reason}", "58", "0", "0", "", "", ""]


def test_settings_that_only_a_part_of_the_comments_decided_are_named() -> None:
    part = cell("bert", 0.9, tuning=factories.tuning(comments=250))
    whole = cell("tfidf", 0.9, tuning=factories.tuning())
    text = section(run(part, whole), "Tuning")
    assert "Too slow to be tried on all training comments: bert;" in text
    assert "Too slow" not in section(run(whole), "Tuning")


def test_a_run_without_a_search_has_no_section() -> None:
    text = render(run(cell("tfidf", 0.9)))
    assert "## Tuning" not in text
    assert "choosing settings" not in text


def test_the_time_of_choosing_stands_beside_the_training_time() -> None:
    chosen = dataclasses.replace(
        factories.training(10.0, comments=1_000), choosing_s=measured(3.0, "s", "clock"), tried=4
    )
    both = cell("llama", 0.9, training=chosen, tuning=factories.tuning())
    nothing = factories.tuning(search_s=unavailable("s", "it has nothing to tune"))
    made = run(both, cell("tfidf", 0.9), cell("lsa", 0.8, tuning=nothing))
    table = entries(render(made), "choosing settings, s")
    headings = [spec.heading for spec in figures.FIGURES if spec.results and spec.has_column(made)]
    place = headings.index("choosing settings, s") + 1
    assert headings[place - 2] == "training, s"
    assert [row[place] for row in table[:3]] == ["61", "n/a [1]", "n/a [2]"]
