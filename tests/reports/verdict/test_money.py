"""The verdict in money: costs of errors, and of the machine."""

import dataclasses
import re

import pytest

from tests import endpoint_runs
from tests.rendering import render
from tests.verdict_runs import cell, decide, run
from worthit.bench.saved.record import Run
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.verdict import case as cases
from worthit.reports.verdict import rules

COSTS = {"cost_miss": "2", "cost_false_alarm": "1", "objective": "cost"}


def without_natural(made: Run) -> Run:
    """Costs are then of the test set, of which half are toxic."""
    part = dataclasses.replace(
        made.data.natural, ids=(), labels=(), toxic_share=(), raters=(), characters=()
    )
    return dataclasses.replace(made, data=dataclasses.replace(made.data, natural=part))


def test_fewer_and_cheaper_errors_make_the_llm_practical() -> None:
    found = decide(cell("tfidf", 0.80), cell("llama", 0.95), **COSTS)
    assert found.answer == "practical"
    assert re.search(
        r"llama \(small, 135 M parameters\) saves [\d.]+ per 1,000 comments over tfidf",
        found.headline,
    )
    assert "1,000 comments cost" in found.reasons[0]
    assert "The lowest total cost" not in found.reasons[0]
    assert "points" not in found.headline + found.reasons[0]


def test_a_model_with_a_lower_total_cost_than_both_is_named() -> None:
    found = decide(cell("tfidf", 0.80), cell("llama-zero-shot", 0.99), cell("llama", 0.95), **COSTS)
    assert re.search(
        r"total cost is that of llama-zero-shot, [\d.]+; that of llama is higher by \+[\d.]+ \(\+",
        found.reasons[0],
    )


def test_an_expensive_machine_outweighs_fewer_errors() -> None:
    cells = cell("tfidf", 0.93), cell("llama", 0.95)
    assert decide(*cells, **COSTS).answer != "not worth it here"
    priced = decide(*cells, **COSTS, machine_price="10000")
    assert priced.answer == "not worth it here"
    assert "errors and running" in priced.reasons[0]


def test_equal_models_are_not_decided_by_the_llm() -> None:
    found = decide(cell("tfidf", 0.9), cell("llama", 0.9), **COSTS)
    assert found.answer != "practical"


def test_a_point_is_a_percent_of_what_a_constant_answer_costs() -> None:
    made = without_natural(run(cell("tfidf", 0.9), cell("llama", 0.9), **COSTS))
    # Half are toxic: flagging all costs 500 false alarms in 1,000 comments.
    assert cases.worthwhile(Analysis.of(made)) == pytest.approx(5)
    three = dataclasses.replace(made, options={**made.options, "--worthwhile": "3"})
    assert cases.worthwhile(Analysis.of(three)) == pytest.approx(15)


def test_a_lead_is_the_difference_of_the_total_costs() -> None:
    made = run(cell("tfidf", 0.9), cell("llama", 0.95), **COSTS, machine_price="100")
    analysis = Analysis.of(made)
    tfidf, llama = analysis.run.cells
    totals = [analysis.values[one.name, "total_cost"].value for one in (tfidf, llama)]
    assert totals[0] is not None
    assert totals[1] is not None
    assert cases.lead(analysis, llama, tfidf).value == pytest.approx(totals[0] - totals[1])


def test_a_model_whose_machine_cost_is_unknown_decides_nothing() -> None:
    unknown = dataclasses.replace(cell("bert", 0.9), throughput=None)
    made = run(cell("tfidf", 0.5), unknown, cell("llama", 0.95), **COSTS, machine_price="1")
    analysis = Analysis.of(made)
    found = rules.decide(analysis)
    assert found.answer == "too little data to tell"
    assert "n/a with bert: their difference is n/a" in found.reasons[0]
    assert not any(change.startswith(("More test", "More seeds")) for change in found.changes)
    render(made)


def test_an_llm_of_unknown_total_cost_has_no_verdict() -> None:
    on_gpu = cell("llama", 0.95, device="cuda")
    found = decide(cell("tfidf", 0.8), on_gpu, **COSTS, machine_price="core=0.05")
    assert found.answer == "no verdict"
    assert "the total cost of llama-cuda (small, 135 M parameters) is unknown" in found.headline
    assert "--machine-price gives no price of cuda" in found.headline
    assert not found.changes


def test_the_report_says_what_is_in_the_cost() -> None:
    text = render(run(cell("tfidf", 0.8), cell("llama", 0.95), **COSTS))
    assert "total (errors only: no machine price)" in text
    assert "(a miss 2, a false alarm 1) at the data's own share." in text
    assert "cost of errors per 1,000" in text.split("## Results")[1].split("## ")[0]


def test_an_endpoint_in_money_costs_its_answers_in_total_and_in_leads() -> None:
    made = run(
        cell("tfidf", 0.9), endpoint_runs.cell(0.9), cell("llama", 0.95), **COSTS,
        machine_price="100", price_in="1000", price_out="1000",
    )  # fmt: skip
    analysis = Analysis.of(made)
    _, endpoint, llama = analysis.run.cells
    totals = [analysis.values[one.name, "total_cost"].value for one in (endpoint, llama)]
    assert totals[0] is not None
    assert totals[1] is not None
    assert cases.lead(analysis, llama, endpoint).value == pytest.approx(totals[0] - totals[1])
    errors = analysis.values[endpoint.name, "error_cost"].value
    assert errors is not None
    # 80 prompt and 2 completion tokens of each comment
    assert totals[0] - errors == pytest.approx(82.0)


def test_an_endpoint_in_money_is_never_a_percentage() -> None:
    made = run(cell("tfidf", 0.8), endpoint_runs.cell(0.85), cell("llama", 0.95), **COSTS)
    found = rules.decide(Analysis.of(made))
    (sentence,) = (one for one in found.reasons if one.startswith("On a server"))
    assert "per 1,000 comments" in sentence
    assert "%" not in sentence
