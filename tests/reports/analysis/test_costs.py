"""reports/analysis/costs.py: which model is cheaper to run, on one device and across devices."""

import dataclasses

import pytest

from tests import factories
from tests.verdict_runs import cell, decide, run
from worthit.bench.saved import record
from worthit.reports.analysis import costs
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import cascade, glossary, prices
from worthit.reports.sections import costs as costs_section

#: the example of a single-threaded model that an LLM on an accelerator outpaces
TFIDF = cell("tfidf", 0.85, sure=0.8, throughput=factories.throughput(3_000))
ON_GPU = factories.throughput(factories.rate(10_000, core_ms=0.1))
LLAMA = cell("llama", 0.95, sure=0.9, device="cuda", throughput=ON_GPU)
BERT = cell("bert", 0.88, device="cuda", throughput=factories.throughput(40_000))


def cheaper(first: record.CellRecord, second: record.CellRecord, **options: str) -> str:
    """Which of the two cells is cheaper."""
    values = Analysis.of(run(first, second, **options)).values
    found = [costs.is_cheaper(values, *names) for names in _both_ways(first.name, second.name)]
    return {(True, False): first.model, (False, True): second.model}.get(tuple(found), "neither")


def _both_ways(first: str, second: str) -> list[tuple[str, str]]:
    return [(first, second), (second, first)]


def test_core_seconds_decide_on_the_cpu_not_the_rate_of_one_process() -> None:
    # the LLM is faster, but keeps 32 cores busy for it
    llama = cell(
        "llama", 0.95, throughput=factories.throughput(factories.rate(10_000, core_ms=3.2))
    )
    assert cheaper(TFIDF, llama) == "tfidf"


def test_accelerator_seconds_decide_on_the_accelerator_whatever_the_processor_does() -> None:
    idle = factories.throughput(factories.rate(10_000, core_ms=0.001))
    assert cheaper(BERT, dataclasses.replace(LLAMA, throughput=idle)) == "bert"


def test_one_core_is_cheaper_than_an_accelerator_that_is_three_times_as_fast() -> None:
    # 0.333 core-ms against 0.1 core-ms and 0.1 ms of the accelerator, worth 0.5 core-ms or more
    assert cheaper(TFIDF, LLAMA) == "tfidf"
    values = Analysis.of(run(TFIDF, LLAMA)).values
    assert costs.times_cheaper(values, "tfidf-cpu", "llama-cuda") == pytest.approx(0.6 / (1 / 3))
    found = decide(TFIDF, LLAMA)
    assert found.answer != "no verdict"
    assert (
        "at least 1.8 × the compute per comment (0.1 ms of the accelerator and 0.1 core-ms)"
        in (found.reasons[1])
    )


def test_what_depends_on_the_price_of_the_accelerator_is_not_claimed_without_prices() -> None:
    # 10 core-ms against 0.1 ms of an accelerator: less if that costs fewer than 99 cores
    slow = dataclasses.replace(TFIDF, throughput=factories.throughput(100))
    assert cheaper(slow, LLAMA) == "neither"
    assert cheaper(slow, LLAMA, machine_price="core=0.05,cuda=2.5") == "llama"
    assert cheaper(slow, LLAMA, machine_price="core=0.01,cuda=2.5") == "tfidf"
    assert cheaper(slow, LLAMA, machine_price="core=0.05") == "neither"
    # 1 s of one core is more than even 500 times 0.1 ms
    snail = dataclasses.replace(TFIDF, throughput=factories.throughput(1))
    assert cheaper(snail, LLAMA) == "llama"


def test_at_a_price_of_the_whole_machine_all_cores_are_used() -> None:
    # 3,000 a second on one core, 12,000 on four
    four = dataclasses.replace(TFIDF, throughput=factories.throughput(3_000, machine_per_s=12_000))
    assert cheaper(TFIDF, LLAMA, machine_price="1") == "llama"
    assert cheaper(four, LLAMA, machine_price="1") == "tfidf"


def test_prices_of_parts_by_hand() -> None:
    # 333 core-s a million and 15 a training; 100 core-s, 100 s of the accelerator, and 15 and 10
    found = run(TFIDF, LLAMA, machine_price="core=3.6,cuda=36")
    options = Analysis.of(found).options
    text = "\n".join(prices.section(Analysis.of(found)))
    assert "Given: 3.6 per hour of one CPU core, 36 per hour of the cuda accelerator." in text
    rows = [[entry.strip() for entry in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["tfidf-cpu", "0.333", "0.392", "0.015", "0.348"] in rows
    assert ["llama-cuda", "1.1", "1.16", "0.115", "1.22"] in rows
    assert options.prices_compute


def test_a_cascade_saves_at_least_what_it_saves_with_the_cheapest_accelerator() -> None:
    analysis = Analysis.of(
        run(dataclasses.replace(TFIDF, throughput=factories.throughput(6_000)), LLAMA)
    )
    (test,) = analysis.cascades
    # a fifth is passed on: 0.167 + 0.2 x 0.6 of 0.6 core-ms, with 5 cores for the accelerator
    assert test.cascade.saved_share == pytest.approx(1 - (1 / 6 + 0.12) / 0.6)
    assert test.cascade.core_ms == pytest.approx(1 / 6 + 0.02)
    assert test.cascade.device_ms == pytest.approx(0.02)
    _, conclusion, table = cascade.section(analysis)
    assert "and at least 52.2 % of its [compute]" in conclusion
    assert "≥ 52.2 %" in table
    (compute,) = (one for one in analysis.frontiers if one.figure.key == costs.KEY)
    assert compute.cascades[0].standing == "replaces"


def test_the_frontier_of_compute_ranks_as_the_verdict_does() -> None:
    (compute,) = (
        one for one in Analysis.of(run(TFIDF, LLAMA, BERT)).frontiers if one.figure.key == costs.KEY
    )
    standings = {
        point.label: (point.standing, point.by or point.reason) for point in compute.points
    }
    # bert costs 0.025 ms of the accelerator and 0.025 core-ms: between 0.15 and 12.5 core-ms
    assert standings == {
        "tfidf-cpu": (
            "unknown",
            "bert-cuda ran on another device, and no price compares the costs",
        ),
        "llama-cuda": ("frontier", ""),
        "bert-cuda": ("frontier", ""),
    }
    text = "\n".join(glossary.section(Analysis.of(run(TFIDF, LLAMA)), ["](#term-compute)"]))
    assert "an accelerator-second is assumed to cost as much as 5 to 500 core-seconds" in text
    on_cpu = "\n".join(glossary.section(Analysis.of(run(TFIDF)), ["](#term-compute)"]))
    assert "accelerator-second" not in on_cpu


def test_the_throughput_of_the_machine_stands_beside_that_of_one_process() -> None:
    four = dataclasses.replace(TFIDF, throughput=factories.throughput(3_000, machine_per_s=12_000))
    text = "\n".join(costs_section.section(Analysis.of(run(four))))
    assert "of the machine: 12,000 comments/s (tfidf)" in text
    (row,) = (line for line in text.splitlines() if line.startswith("| tfidf") and "3,000" in line)
    cells = [entry.strip() for entry in row.split("|")[1:-1]]
    assert cells == ["tfidf", "**3,000**", "", "1", "2", "12,000", "0.333"]
