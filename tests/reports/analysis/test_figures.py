"""reports/analysis/figures.py: one row adds a figure everywhere, and each result is computed once."""

import collections
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.frontier_runs import CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, run
from tests.rendering import brief, entries, section
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import Figure, measured
from worthit.reports import options
from worthit.reports.analysis import (
    bounds,
    cascade,
    figures,
    frontier,
    human_rater,
    learning,
    paired_tests,
    transfer,
)
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import FigureSpec, Limit
from worthit.reports.cli import main
from worthit.reports.compare import repeat
from worthit.reports.publish import publish
from worthit.reports.verdict import rules

WATER_ML = {"lsa": 2.0, "bert": 30.0}


def water_ml(run: record.Run, cell: record.CellRecord) -> Figure:
    return measured(WATER_ML[cell.model], "ml", "a flask")


def bounded_water_ml(run: record.Run, cell: record.CellRecord) -> Bounded:
    return bounds.within(water_ml(run, cell))


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> record.Run:
    """A run of two models, reported with one more figure."""
    spec = FigureSpec(
        key="water_ml",
        read=water_ml,
        bounds=bounded_water_ml,
        heading="water, ml/comment",
        results=True,
        brief="ml",
        repeat="water",
        limit=Limit("water_ml", "water per comment, ml"),
        frontier=("water", "water, ml/comment"),
        cascade="per comment",
        compared=True,
    )
    monkeypatch.setattr(figures, "FIGURES", (*figures.FIGURES, spec))
    return run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD)


def test_a_new_figure_is_a_column_of_the_results(both: record.Run) -> None:
    table = section(both, "Results")
    assert "water, ml/comment" in table
    assert [row[-1] for row in entries(table, "water")] == ["2", "30", ""]


def test_a_new_figure_is_a_column_in_the_terminal(both: record.Run) -> None:
    heading, _, *rows = brief(both).splitlines()[:4]
    assert heading.split()[-1] == "ml"
    assert [row.split()[-1] for row in rows] == ["2", "30"]


def test_a_new_figure_can_be_limited(both: record.Run) -> None:
    given = options.checked({"budget": "water_ml=3"}.get)
    limited = dataclasses.replace(both, options=given)
    assert entries(section(limited, "Budget"), "water_ml ≤ 3") == [
        ["lsa", "fits", "fits, 2 (33.3 % left)"],
        ["bert", "misses", "misses, 30 (900 % over)"],
    ]


def test_a_new_figure_is_a_cost_of_the_frontier(both: record.Run) -> None:
    (water,) = (one for one in Analysis.of(both).frontiers if one.figure.key == "water_ml")
    assert [point.cost.value for point in water.points] == [2.0, 30.0]
    assert [row[-1] for row in entries(section(both, "Frontier"), "water")] == ["**frontier**"] * 2


def test_a_new_figure_is_compared_between_runs(
    both: record.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        run_file.save(dataclasses.replace(both, run_id=name), tmp_path / f"{name}.json")
    assert main.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert "water, ml/comment" in capsys.readouterr().out


def test_a_new_figure_is_compared_between_repeats(both: record.Run) -> None:
    rows, _ = repeat.ratios(both, both)
    assert [row[-2] for row in rows] == ["1.00", "1.00"]
    assert len(rows[0]) == len([spec for spec in figures.FIGURES if spec.repeat]) + 2


def test_keys_of_figures_and_limits_are_unique() -> None:
    keys = [spec.key for spec in figures.FIGURES]
    assert len(keys) == len(set(keys))
    limits = [spec.limit.key for spec in figures.FIGURES if spec.limit is not None]
    assert len(limits) == len(set(limits)) == len(figures.by_limit())


def test_publishing_computes_each_result_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: collections.Counter[str] = collections.Counter()

    def counted(module: Any, name: str) -> None:
        compute: Callable[..., Any] = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            calls[name] += 1
            return compute(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    results = {
        paired_tests: "pairs",
        cascade: "select",
        transfer: "transfers",
        frontier: "frontiers",
        human_rater: "rater",
        learning: "curves",
        rules: "decide",
    }
    for module, name in results.items():
        counted(module, name)
    publish.publish(run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD), tmp_path / "a.json")
    assert calls == dict.fromkeys(results.values(), 1)
