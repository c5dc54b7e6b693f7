"""The formulas of the page agree with those of reports: prices, break-even, limits, standings, numbers."""

import dataclasses
import itertools
import json
import math
from typing import Any

import pytest

from tests import page_runs
from tests.reports.page.conftest import Open
from tests.reports.page.test_browser import classes
from worthit.bench.saved import record
from worthit.bench.saved.record import significant
from worthit.reports.analysis import budgets, figures, prices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.options import ReportOptions
from worthit.reports.page import content
from worthit.reports.sections import prices as prices_section

pytestmark = pytest.mark.xdist_group("browser")

#: report options that price in every way
GIVEN: tuple[dict[str, str], ...] = (
    {},
    {"--machine-price": "0.7"},
    {"--machine-price": "0"},
    {"--machine-price": "core=0.05,cuda=2.5", "--volume": "12345"},
    {"--machine-price": "core=0.05"},
    {"--electricity-price": "0.3", "--api-price": "1.5"},
    {"--electricity-price": "0.3", "--machine-price": "0.7", "--volume": "10"},
    {"--price-in": "0.15", "--price-out": "0.6", "--machine-price": "1", "--api-price": "9"},
    {"--price-in": "0.15"},
    {"--api-price": "0.001", "--machine-price": "core=1,cuda=0"},
)
OF_CELL = {
    "scoringPrice": prices.scoring,
    "correctPrice": prices.of_correct,
    "trainingPrice": prices.training,
    "priceWithTraining": prices.with_training,
}
RUNS = [
    page_runs.run(),
    page_runs.run(*page_runs.measured_cells(), page_runs.endpoint(tokens=False)),
]


def ids(given: dict[str, str]) -> str:
    return " ".join(f"{flag} {value}" for flag, value in given.items()) or "nothing"


@pytest.fixture(params=GIVEN, ids=ids)
def priced(request: pytest.FixtureRequest) -> list[record.Run]:
    """The runs at some prices."""
    return [dataclasses.replace(run, options=request.param) for run in RUNS]


def of_page(run: record.Run) -> dict[str, Any]:
    """A run as the page reads it, from JSON."""
    read: dict[str, Any] = json.loads(json.dumps(content.of([run])))["runs"][0]
    return read


def same(found: dict[str, Any], expected: Bounded) -> None:
    if expected.value is None:
        assert found["value"] is None
        assert found["reason"]
        return
    for key, value in (("value", expected.value), ("low", expected.low), ("high", expected.high)):
        assert found[key] == pytest.approx(value, rel=1e-12)
    for key in ("nothing", "estimated", "disturbed"):
        assert bool(found.get(key)) == bool(getattr(expected, key)), key
    assert bool(found.get("cached")) == (expected.figure.origin == "cached")


def test_prices_agree_with_the_report(open_page: Open, priced: list[record.Run]) -> None:
    page = open_page(classes, reset=False)
    formulas = ", ".join(OF_CELL)
    script = (
        f"([models, prices]) => models.map(({{ cost_parts }}) => "
        f"[{formulas}].map((formula) => formula(cost_parts, prices)))"
    )
    for run in priced:
        shown, options = of_page(run), ReportOptions.of(run.options)
        found = page.evaluate(script, [shown["models"], shown["prices"]])
        for cell, of_cell in zip(run.cells, found, strict=True):
            for one, formula in zip(of_cell, OF_CELL.values(), strict=True):
                same(one, formula(run, cell, options))


def test_break_even_and_its_rivals_agree_with_the_report(
    open_page: Open, priced: list[record.Run]
) -> None:
    page = open_page(classes, reset=False)
    script = """([models, prices]) => {
      const costs = models.map(({ label, cost_parts }) => ({
        label, isEndpoint: cost_parts.is_endpoint,
        training: trainingPrice(cost_parts, prices), scoring: scoringPrice(cost_parts, prices),
      }));
      const pairs = costs.map((own) => costs.map((other) => breakEven(own, other)));
      return [[...breakEvenRivals(costs, prices).keys()], pairs];
    }"""
    for run in priced:
        shown, options = of_page(run), ReportOptions.of(run.options)
        rivals, pairs = page.evaluate(script, [shown["models"], shown["prices"]])
        costs = {
            model["label"]: (
                prices.training(run, cell, options),
                prices.scoring(run, cell, options),
            )
            for model, cell in zip(shown["models"], run.cells, strict=True)
        }
        servers = [
            model["label"] for model in shown["models"] if model["cost_parts"]["is_endpoint"]
        ]
        assert rivals == list(prices_section._rivals(costs, servers, options))
        for own, other in itertools.product(range(len(costs)), repeat=2):
            both = [*list(costs.values())[own], *list(costs.values())[other]]
            expected, found = prices.break_even(*both), pairs[own][other]
            if expected is None:
                assert found is None
                continue
            for key in ("volume", "low", "high"):
                assert found[key] == pytest.approx(getattr(expected, key), rel=1e-9)
            assert bool(found["estimated"]) == expected.estimated


def test_standings_at_a_price_agree_with_the_report(
    open_page: Open, priced: list[record.Run]
) -> None:
    page = open_page(classes, reset=False)
    script = (
        "([models, prices]) => "
        "rank(models, models.map((one) => scoringPrice(one.cost_parts, prices)), 'accuracy')"
        ".map(({ kind, by }) => [kind, by])"
    )
    for run in priced:
        analysis, shown = Analysis.of(run), of_page(run)
        expected = [one for one in analysis.frontiers if one.figure.key == "price"]
        found = page.evaluate(script, [shown["models"], shown["prices"]])
        if not expected:
            assert {kind for kind, _ in found} == {"unknown"}
            continue
        assert found == [[point.standing, point.by] for point in expected[0].points]


def test_limits_agree_with_the_budget_of_the_report(open_page: Open) -> None:
    page, run = open_page(classes, reset=False), RUNS[0]
    analysis, shown = Analysis.of(run), of_page(run)
    script = "([figure, limit, atLeast]) => fit(read(figure), limit, atLeast)"
    kinds = set()
    for key, spec in figures.by_limit().items():
        assert spec.limit is not None
        for cell, model in zip(run.cells, shown["models"], strict=True):
            value = analysis.values[cell.name, spec.key].value or 1.0
            for factor in (0.2, 0.99, 1.0, 1.01, 5.0):
                limit = value * factor
                (expected,) = budgets.fits(cell, {key: limit * spec.limit.scale}, analysis.values)
                arguments = [model["figures"][spec.key], limit, spec.better == "higher"]
                assert page.evaluate(script, arguments) == expected.kind, (key, cell.name, factor)
                kinds.add(expected.kind)
    assert kinds == {"fits", "borderline", "misses", "unknown"}


def test_numbers_are_written_as_in_the_report(open_page: Open) -> None:
    page = open_page(classes, reset=False)
    values = [0, 1, 12345.6, 999.4, 123.4, 1.234, 0.01234, 3.4e-7, 1e-12, 100, 45.0, 1234567.8, 0.5]
    assert page.evaluate("(values) => values.map(significant)", values) == [
        significant(float(value)) for value in values
    ]
    volumes = [math.inf, 1_234_567.0, 12.0, 0.4]
    assert page.evaluate("(values) => values.map(comments)", volumes)[:3] == [
        prices_section._comments(value) for value in volumes[:3]
    ]
