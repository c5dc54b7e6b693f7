"""reports/pictures/cascade.py, and cascades in the picture of the frontier."""

import dataclasses

import matplotlib.pyplot as plt

from tests.verdict_runs import cell, run
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import cascade, frontier, style


def test_the_picture_marks_the_selected_thresholds_of_its_models_only() -> None:
    found = run(
        cell("tfidf", 0.85, sure=0.8), cell("llama", 0.95, sure=0.9), cell("llama-zero-shot", 0.5)
    )
    analysis = Analysis.of(found)
    tests = tuple(test for test in analysis.cascades if test.cascade.expensive.model == "llama")
    analysis = dataclasses.replace(analysis, cascades=tests)
    figure = cascade.draw(analysis)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["tfidf → llama", "selected threshold", "tfidf", "llama"]
    axes = figure.axes[0]
    at = tests[0].cascade
    marked = [line for line in axes.lines if line.get_marker() == "h" and len(line.get_xdata())]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marked] == [
        (at.compute_ms, 100 * at.accuracy.value)
    ]
    figure.canvas.draw()
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert {"1", "10"} <= set(ticks)
    (line,) = (one for one in axes.lines if one.get_label() == "tfidf → llama")
    assert line.get_color() == style.cell_styles(analysis)["llama"].colour
    plt.close(figure)


def test_only_a_cascade_that_pays_is_drawn_in_colour() -> None:
    found = run(cell("tfidf", 0.85, sure=0.8, p99_ms=2.0), cell("llama", 0.95, sure=0.9))
    analysis = Analysis.of(found)
    figure = frontier.draw(analysis)
    assert figure is not None
    faces = [
        line.get_markerfacecolor()
        for axes in figure.axes[:3]  # training, latency, compute
        for line in axes.lines
        if line.get_marker() == "h"
    ]
    colour = style.cell_styles(analysis)["llama"].colour
    assert faces == ["white", colour, colour]
    plt.close(figure)
