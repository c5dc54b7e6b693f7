"""reports/sections/learning.py: plateaus and crossings that tests support."""

import dataclasses

from tests.rendering import render
from tests.verdict_runs import COMMENTS, cell, run, scores
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.pictures import titles
from worthit.reports.sections import learning


def curve(model: str, **right: float) -> record.CellRecord:
    points = tuple(
        record.CurvePoint(int(size[1:]), measured(1.0, "s", "clock"), scores(COMMENTS, share))
        for size, share in right.items()
    )
    return dataclasses.replace(cell(model, list(right.values())[-1]), learning_curve=points)


def test_plateaus_and_crossings_are_shown_if_significant() -> None:
    found = run(
        curve("tfidf", n125=0.80, n250=0.82, n500=0.84),
        curve("llama", n125=0.60, n250=0.82, n500=0.95),
    )
    text = "\n".join(learning.section(Analysis.of(found)))
    assert "| tfidf" in text
    assert "82.0 %" in text
    assert "- llama: accuracies with 500 and 1,000 comments do not differ significantly" in text
    assert "- llama overtakes tfidf between 125 and 500 comments" in text
    assert "](learning.png)" in render(found, {titles.LEARNING: "learning.png"})
    close = run(curve("tfidf", n125=0.800, n500=0.900), curve("llama", n125=0.799, n500=0.901))
    assert "overtakes" not in "\n".join(learning.section(Analysis.of(close)))
    assert learning.section(Analysis.of(run(cell("tfidf", 0.8)))) == []
