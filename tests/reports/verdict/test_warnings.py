"""What to know before a verdict is believed."""

from dataclasses import replace

import pytest

from tests import factories
from tests.rendering import render
from tests.verdict_runs import cell, decide, run
from worthit.bench.saved.record import Run
from worthit.reports.verdict.warnings import few_test_comments


def run_with(*labels: int) -> Run:
    made = run(cell("tfidf", 0.9))
    return replace(made, data=replace(made.data, test=factories.part(labels)))


def test_a_small_test_set_is_warned_of_in_one_sentence() -> None:
    line = (
        "Warning: the test set has only 50 comments, so one answer more or less changes the accuracy by 2.0 points; "
        "label at least 100 test comments."
    )
    assert few_test_comments(run_with(*(0, 1) * 25)) == line
    small = [cell(model, 0.9, comments=50) for model in ("bert", "llama")]
    assert decide(*small).warnings == (line,)
    assert line in render(run(*small)).split("\n## Results")[0]


@pytest.mark.parametrize("comments", [100, 102])
def test_a_test_set_from_100_comments_on_is_not(comments: int) -> None:
    assert not few_test_comments(run_with(*(0, 1) * (comments // 2)))


def test_a_handful_of_one_class_is_warned_of() -> None:
    assert few_test_comments(run_with(*(1,) * 6, *(0,) * 194)) == (
        "Warning: only 6 of 200 test comments are toxic, so figures on that class say little; label more of them."
    )


def test_a_class_named_by_a_number_is_in_quotes() -> None:
    made = run_with(*(1,) * 6, *(0,) * 194)
    numbered = replace(made, data=replace(made.data, classes=("0", "1")))
    assert "only 6 of 200 test comments are “1”, so" in few_test_comments(numbered)
