"""reports/analysis/cascade.py, learning.py: their figures, tables and pictures."""

import dataclasses
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests import factories
from tests.judged_runs import COMMENTS, cell, run, scores
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.analysis import cascade, frontier, learning
from worthit.reports.analysis.paired_tests import differ, pairs
from worthit.reports.pictures import cascade as cascade_picture
from worthit.reports.pictures import frontier as frontier_picture
from worthit.reports.pictures import pictures
from worthit.reports.pictures.style import looks
from worthit.reports.sections import report


def test_a_cascade_by_hand() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    (tested,) = cascade.chosen(run(tfidf, llama))
    found = tested.cascade
    assert (found.cheap.model, found.dear.model) == ("tfidf", "llama")
    assert found.sure_from == pytest.approx(0.95)
    assert found.passed_share == pytest.approx(0.2)
    # 80 % by tfidf, all of them right, and of the rest what llama tells right: 95 % in all.
    assert found.accuracy.value == pytest.approx(0.95)
    assert (tested.difference, tested.low, tested.high) == (0.0, 0.0, 0.0)
    assert found.compute_ms == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert found.saved_share == pytest.approx(1 - found.compute_ms / 25)
    assert tested.p_cheap < 0.001
    assert tested.replaces
    about, table = cascade.section(run(tfidf, llama), (tested,))
    assert "in place of llama" in table
    assert "**in place of X**: not shown to be less accurate than X" in about


def test_a_threshold_is_chosen_without_the_test_comments() -> None:
    tfidf = cell("tfidf", 0.85, sure=0.8)
    llama = cell("llama", 0.95, sure=0.9)
    assert tfidf.quality is not None
    # Sure of everything on the test comments, where it errs: the threshold must not know.
    fooled = dataclasses.replace(tfidf.quality, test=scores(COMMENTS, 0.85))
    (tested,) = cascade.chosen(run(dataclasses.replace(tfidf, quality=fooled), llama))
    found = tested.cascade
    assert found.sure_from == pytest.approx(0.95)
    assert found.passed_share == 0.0
    assert found.accuracy.value == pytest.approx(0.85)
    assert tested.difference == pytest.approx(-0.10)
    assert tested.loses
    assert not tested.replaces


def test_a_sweep_runs_from_one_model_alone_to_the_other() -> None:
    tfidf, llama = cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9)
    points = cascade.swept(run(tfidf, llama), tfidf, llama)
    assert (points[0].passed_share, points[-1].passed_share) == (0.0, 1.0)
    assert points[0].accuracy.value == pytest.approx(0.85)
    assert points[-1].accuracy.value == pytest.approx(0.95)
    costs = [point.compute_ms for point in points]
    assert costs == sorted(costs)


def test_the_picture_marks_the_thresholds_chosen_and_leaves_others_out() -> None:
    found = run(
        cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9), cell("llama-zero-shot", 0.5)
    )
    chosen = [one for one in cascade.chosen(found) if one.cascade.dear.model == "llama"]
    figure = cascade_picture.draw(found, chosen)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["tfidf → llama", "the threshold chosen", "tfidf", "llama"]
    axes = figure.axes[0]
    at = chosen[0].cascade
    marked = [line for line in axes.lines if line.get_marker() == "h" and len(line.get_xdata())]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marked] == [
        (at.compute_ms, 100 * at.accuracy.value)
    ]
    figure.canvas.draw()
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert {"1", "10"} <= set(ticks)
    (line,) = (one for one in axes.lines if one.get_label() == "tfidf → llama")
    assert line.get_color() == looks(found)["llama"][1]
    plt.close(figure)


def test_a_cascade_stands_on_the_frontier_with_its_own_costs() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    chosen = cascade.chosen(found)
    by_cost = {
        one.cost.heading: one.cascades[0]
        for one in frontier.frontiers(found, differ(pairs(found)), chosen)
    }
    assert by_cost["training"].cost.value == pytest.approx(20)
    assert by_cost["training"].standing == "dearer than llama"
    assert by_cost["throughput"].cost.value == pytest.approx(1000 / 3000 + 0.2 * 25)
    assert by_cost["throughput"].standing == "**in place of llama**"
    # A fifth is passed on, so it is the cheap model's 62.5th percentile, of 1 to 2 ms.
    assert by_cost["latency p50"].cost.value == pytest.approx(1.625, abs=0.01)
    assert by_cost["peak memory"].cost.value is None
    about, table, *notes = frontier.section(found, differ(pairs(found)), chosen)
    assert "A cascade (X → Y, see below)" in about
    row = next(line for line in table.splitlines() if "tfidf → llama" in line)
    assert row.count("**in place of llama**") == 2
    assert "two models in one process were not measured" in notes[0]


def test_a_cascade_in_no_models_place_is_not_drawn_as_one() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    (tested,) = cascade.chosen(found)
    worse = dataclasses.replace(tested, difference=-0.1, p_dear=0.001)
    same = dataclasses.replace(tested, p_cheap=1.0)
    for one, standing in ((worse, "less accurate than llama"), (same, "≈ cheaper tfidf")):
        points = [
            one_cost.cascades[0]
            for one_cost in frontier.frontiers(found, differ(pairs(found)), [one])
        ]
        assert {point.standing for point in points} == {standing}
        assert not any(point.pays for point in points)
    figure = frontier_picture.draw(found, differ(pairs(found)), [tested])
    assert figure is not None
    faces = [
        line.get_markerfacecolor()
        for axes in figure.axes[:3]  # training, latency, compute
        for line in axes.lines
        if line.get_marker() == "h"
    ]
    colour = looks(found)["llama"][1]
    assert faces == ["white", colour, colour]
    plt.close(figure)


def test_runs_without_validation_comments_say_so() -> None:
    found = run(cell("tfidf", 0.85), cell("llama", 0.95))
    old = dataclasses.replace(
        found, data=dataclasses.replace(found.data, validation=factories.part())
    )
    assert "kept no validation comments" in cascade.section(old, cascade.chosen(old))[0]


def curve(model: str, **right: float) -> record.CellRecord:
    points = tuple(
        record.CurvePoint(int(size[1:]), measured(1.0, "s", "clock"), scores(COMMENTS, share))
        for size, share in right.items()
    )
    return dataclasses.replace(cell(model, list(right.values())[-1]), learning_curve=points)


def test_learning_curves_tell_plateaus_and_crossings_that_tests_support(tmp_path: Path) -> None:
    found = run(
        curve("tfidf", n125=0.80, n250=0.82, n500=0.84),
        curve("llama", n125=0.60, n250=0.82, n500=0.95),
    )
    text = "\n".join(learning.section(found))
    assert "| tfidf" in text
    assert "82.0 %" in text
    assert "- llama: 500 comments are not told apart from 1,000" in text
    assert "- llama overtakes tfidf between 125 and 500 comments" in text
    assert "](learning.png)" in report.render(found, pictures.draw(found, tmp_path))
    close = run(curve("tfidf", n125=0.800, n500=0.900), curve("llama", n125=0.799, n500=0.901))
    assert "overtakes" not in "\n".join(learning.section(close))
    assert learning.section(run(cell("tfidf", 0.8))) == []
