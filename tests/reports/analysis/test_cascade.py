"""reports/analysis/cascade.py and its section: thresholds, figures and standings."""

import dataclasses

import pytest

from tests import factories
from tests.rendering import section
from tests.verdict_runs import COMMENTS, cell, run, scores
from worthit.bench.saved import record
from worthit.reports.analysis import cascade, figures, frontier, paired_tests
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import cascade as cascade_section
from worthit.reports.sections import frontier as frontier_section


def quality_of(analysis: Analysis, model: str) -> record.Quality:
    (quality,) = (cell.quality for cell in analysis.run.cells if cell.model == model)
    assert quality is not None
    return quality


def test_a_cascade_by_hand() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    analysis = Analysis.of(run(tfidf, llama))
    (test,) = analysis.cascades
    found = test.cascade
    assert (found.cheap.model, found.expensive.model) == ("tfidf", "llama")
    # the threshold is of the calibrated score: all scores of 0.95 and 0.05 reach it, those of 0.6 do not
    assert found.threshold == pytest.approx(max(quality_of(analysis, "tfidf").validation))
    assert found.passed_share == pytest.approx(0.2)
    # tfidf classifies 80 % correctly, llama 15 of the other 20: 95 % in all
    assert found.accuracy.value == pytest.approx(0.95)
    assert (test.difference.value, test.difference.low) == pytest.approx((0.0, -0.00065), abs=1e-5)
    assert found.core_ms == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert found.saved_share == pytest.approx(1 - found.core_ms / 25)
    assert found.device_ms == 0
    assert test.p_cheap < 0.001
    assert test.replaces
    _, conclusion, table = cascade_section.section(analysis)
    assert "in place of llama" in table
    assert conclusion.startswith(
        "tfidf → llama can replace llama: +0.0 (-0.1 to +0.1) points of accuracy, and 78.7 % of its "
        "[compute](#term-compute) saved."
    )


def test_a_threshold_is_chosen_without_the_test_comments() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    assert tfidf.quality is not None
    # It is confident in its errors on the test comments, which the threshold must not depend on.
    fooled = dataclasses.replace(tfidf.quality, test=scores(COMMENTS, 0.85))
    analysis = Analysis.of(run(dataclasses.replace(tfidf, quality=fooled), llama))
    (test,) = analysis.cascades
    found = test.cascade
    # the threshold is of the calibrated score: all scores of 0.95 and 0.05 reach it, those of 0.6 do not
    assert found.threshold == pytest.approx(max(quality_of(analysis, "tfidf").validation))
    assert found.passed_share == 0.0
    assert found.accuracy.value == pytest.approx(0.85)
    assert test.difference.value == pytest.approx(-0.10)
    assert test.standing == "less accurate"
    _, conclusion, table = cascade_section.section(analysis)
    assert conclusion.startswith(
        "No [cascade](#term-cascade) is shown to replace its expensive model."
    )
    assert "less accurate than llama" in table


def test_the_most_accurate_model_that_costs_less_than_half_answers_first() -> None:
    llama = cell("llama", 0.95, sure=0.9)
    tfidf, bert = cell("tfidf", 0.85, sure=0.8), cell("bert", 0.90, sure=0.7)
    (_, test) = Analysis.of(run(tfidf, bert, llama)).cascades
    assert test.cascade.cheap.model == "bert"  # tfidf would pass less on
    near = dataclasses.replace(bert, throughput=factories.throughput(70))
    (_, test) = Analysis.of(run(tfidf, near, llama)).cascades
    assert test.cascade.cheap.model == "tfidf"


def test_a_sweep_runs_from_one_model_alone_to_the_other() -> None:
    tfidf, llama = cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9)
    both = run(tfidf, llama)
    points = cascade.sweep(both, Analysis.of(both).values, tfidf, llama)
    assert (points[0].passed_share, points[-1].passed_share) == (0.0, 1.0)
    assert points[0].accuracy.value == pytest.approx(0.85)
    assert points[-1].accuracy.value == pytest.approx(0.95)
    costs = [point.compute_ms for point in points]
    assert costs == sorted(costs)


def test_a_cascade_stands_on_the_frontier_with_its_own_costs() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    analysis = Analysis.of(found)
    by_cost = {one.figure.key: one.cascades[0] for one in analysis.frontiers}
    assert by_cost["training_s"].cost.value == pytest.approx(20)
    assert by_cost["training_s"].standing == "more expensive"
    assert by_cost["compute_ms"].cost.value == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert by_cost["compute_ms"].standing == "replaces"
    # A fifth is passed on: the median is the cheap model's 62.5th percentile, between 1 and 2 ms.
    assert by_cost["latency_p50_ms"].cost.value == pytest.approx(1.625, abs=0.01)
    assert by_cost["peak_mb"].cost.value is None
    _, conclusion, table, *notes = frontier_section.section(analysis)
    assert "(#term-in-place-of-y): tfidf → llama (latency p50 and compute)." in conclusion
    row = next(line for line in table.splitlines() if "tfidf → llama" in line)
    assert row.count("**in place of llama**") == 2
    assert "two models in one process were not measured" in notes[0]


def test_a_cascade_that_loses_or_gains_nothing_replaces_no_model() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    analysis = Analysis.of(found)
    (test,) = analysis.cascades
    costs = [spec for spec in figures.FIGURES if spec.frontier is not None]
    lost = paired_tests.Difference(-0.1, -0.2, -0.05, 0.001)
    worse = dataclasses.replace(test, difference=lost)
    unknown = dataclasses.replace(test, difference=paired_tests.Difference(0.0, -0.011, 0.011, 1.0))
    same = dataclasses.replace(test, p_cheap=1.0)
    standings = ((worse, "less accurate"), (unknown, "undecided"), (same, "no gain"))
    for one, standing in standings:
        frontiers = frontier.frontiers(found, costs, analysis.values, lambda *_: True, [one])
        points = [of_cost.cascades[0] for of_cost in frontiers]
        assert {point.standing for point in points} == {standing}
        assert not any(point.pays for point in points)


def test_without_validation_comments_the_section_says_so() -> None:
    found = run(cell("tfidf", 0.85), cell("llama", 0.95))
    data = dataclasses.replace(found.data, validation=factories.part())
    none = dataclasses.replace(found, data=data)
    assert "has no validation comments" in cascade_section.section(Analysis.of(none))[1]


def test_a_report_says_which_of_several_seeds_a_cascade_has() -> None:
    cells = [cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9)]
    assert "Of several seeds" not in section(run(*cells), "Cascades")
    later = cell("llama", 0.95, sure=0.9, seed=1)
    text = section(run(*cells, later), "Cascades")
    assert "with the first seed of each model" in text
