"""reports/analysis/error_costs.py: what wrong answers cost per 1,000 comments."""

import dataclasses

import numpy as np
import pytest

from tests import factories
from worthit.bench.saved import record
from worthit.reports.analysis import error_costs, figures
from worthit.reports.analysis.analysis import Analysis

COSTS = factories.options(cost_miss="10", cost_false_alarm="1")
LABELS = (1, 0) * 100  # a tenth of the population is toxic


def cell(misses: int, false_alarms: int, model: str = "tfidf", seed: int = 0) -> record.CellRecord:
    """The first toxic comments are missed, the first others are flagged."""
    wrong = {2 * i for i in range(misses)} | {2 * i + 1 for i in range(false_alarms)}
    return record.CellRecord(
        model, "cpu", seed, quality=factories.quality(factories.scores(LABELS, wrong))
    )


def run(*cells: record.CellRecord, **changed: object) -> record.Run:
    base = factories.run(factories.data(factories.part(LABELS)), *cells, options=COSTS)
    return dataclasses.replace(base, **changed)  # type: ignore[arg-type]


def test_errors_are_weighted_to_the_natural_shares() -> None:
    made = run(cell(20, 5))
    found = error_costs.bounded(made, made.cells[0])
    assert found.value == pytest.approx(1_000 * (0.1 * 0.2 * 10 + 0.9 * 0.05 * 1))
    assert found.figure.instrument == "natural test set"
    assert 0 < found.low < found.value < found.high


def test_without_a_natural_set_costs_are_of_the_test_set() -> None:
    made = run(cell(20, 5))
    data = dataclasses.replace(made.data, natural=factories.part())
    found = error_costs.bounded(dataclasses.replace(made, data=data), made.cells[0])
    assert found.value == pytest.approx(1_000 * (0.5 * 0.2 * 10 + 0.5 * 0.05 * 1))


def test_a_constant_answer_costs_the_cheaper_kind_of_error() -> None:
    made = run(cell(0, 0))
    assert error_costs.of_constant(made) == pytest.approx(900)  # flagging all: 0.9 times 1
    dear = factories.options(cost_miss="1", cost_false_alarm="1")
    assert error_costs.of_constant(dataclasses.replace(made, options=dear)) == pytest.approx(100)
    assert error_costs.saved(made, made.cells[0]).value == pytest.approx(900)


def test_without_costs_there_is_no_figure() -> None:
    made = run(cell(1, 1), options={})
    assert error_costs.bounded(made, made.cells[0]).value is None
    (spec,) = (one for one in figures.FIGURES if one.key == "error_cost")
    assert not spec.has_column(made)
    assert spec.has_column(run(cell(1, 1)))


def test_the_mean_over_seeds_has_a_wider_interval_if_they_differ() -> None:
    equal = run(cell(20, 5), cell(20, 5, seed=1))
    differing = run(cell(10, 5), cell(30, 5, seed=1))
    narrow, wide = (error_costs.bounded(of, of.cells[0]) for of in (equal, differing))
    assert narrow.value == pytest.approx(wide.value)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_interval_covers_the_true_cost() -> None:
    rng, covered, runs = np.random.default_rng(0), 0, 400
    truth = 1_000 * (0.1 * 0.2 * 10 + 0.9 * 0.05 * 1)
    for _ in range(runs):
        made = run(cell(int(rng.binomial(100, 0.2)), int(rng.binomial(100, 0.05))))
        found = error_costs.bounded(made, made.cells[0])
        covered += found.low <= truth <= found.high
    assert covered / runs == pytest.approx(0.95, abs=0.03)


def test_a_lead_is_paired() -> None:
    made = run(cell(20, 5), cell(22, 5, "bert"))
    value, spread, comments = error_costs.lead(made, made.cells[:1], made.cells[1:])
    assert value == pytest.approx(1_000 * 0.1 * 0.02 * 10)
    alone = error_costs.bounded(made, made.cells[0])
    assert 2 * float(spread.reach) < alone.high - alone.low
    assert comments == 200


def test_the_report_has_the_cost_of_errors() -> None:
    analysis = Analysis.of(run(cell(20, 5)))
    assert analysis.values["tfidf-cpu", "error_cost"].value == pytest.approx(245)


def test_a_class_without_comments_makes_the_cost_unavailable_not_0() -> None:
    made = run(cell(20, 5))
    only = tuple(0 for _ in made.data.natural.labels)
    natural = dataclasses.replace(made.data.natural, labels=only)
    made = dataclasses.replace(made, data=dataclasses.replace(made.data, natural=natural))
    found = error_costs.bounded(made, made.cells[0])
    assert found.value is None
    assert "no comment in the natural test set" in found.figure.reason
