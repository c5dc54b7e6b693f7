"""reports/compare/repeat.py: the same benchmark twice."""

import dataclasses

from tests.small_runs import GOOD, cell, run
from worthit.bench.saved import record
from worthit.bench.saved.record import measured
from worthit.reports.compare import repeat


def test_repeats_are_compared_figure_by_figure() -> None:
    slower = dataclasses.replace(
        cell(),
        latency=dataclasses.replace(cell().latency, p50_ms=measured(3.0, "ms", "c")),  # type: ignore[type-var]
    )
    (row,), agreements = repeat.ratios(run(cell()), run(slower))
    assert row == ["lsa-cpu", "1.00", "2.00", "n/a", "1.00", "n/a", "1.00", "same"]
    assert agreements == ["same"]
    moved = (*GOOD[:-1], GOOD[-1] + 0.25)
    other = dataclasses.replace(cell(), quality=record.Quality(GOOD, moved, GOOD, 1.0, 0.25))
    (row,), agreements = repeat.ratios(run(cell()), run(other))
    assert row[-1] == "differ by up to 0.25"
    assert agreements == [row[-1]]
