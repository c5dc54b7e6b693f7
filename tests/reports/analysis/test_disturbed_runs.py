"""Runs with disturbed measurements: their figures are marked, and nothing is claimed of them."""

import dataclasses

import pytest

from tests import factories, frontier_runs, verdict_runs
from tests.rendering import render, row, section
from worthit.bench.instruments import disturbance
from worthit.bench.saved import record
from worthit.reports.analysis import bounds, prices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import Frontier
from worthit.reports.compare import repeat
from worthit.reports.compare.compare import compare
from worthit.reports.sections import report
from worthit.reports.verdict import rules

#: how a headline names the LLM of `verdict_runs`
LLAMA = "llama (small, 135 M parameters)"
REASON = "other processes used 48 % of the CPU time, limit 3 %"
PARTS = ("training", "latency", "throughput", "energy")


def disturbed(cell: record.CellRecord, *parts: str) -> record.CellRecord:
    """The cell with these measurements disturbed; all if none is given."""
    seen = factories.disturbance(REASON)
    changed = {part: disturbance.flag(getattr(cell, part), seen) for part in parts or PARTS}
    return dataclasses.replace(cell, **changed)


#: cheap and good; the second is slower than it really is, since it was disturbed
CHEAP = frontier_runs.cell("lsa", range(10), 1.0)
SLOWED = disturbed(frontier_runs.cell("bert", range(10), 10.0))
SLOWEST = frontier_runs.cell("llama", range(2), 100.0)


def frontier(analysis: Analysis, key: str) -> Frontier:
    return next(one for one in analysis.frontiers if one.figure.key == key)


@pytest.mark.parametrize("key", ["training_s", "latency_p50_ms", "compute_ms", "energy_mj"])
def test_a_disturbed_cell_is_not_ranked_and_no_rival_of_others(key: str) -> None:
    better = disturbed(frontier_runs.cell("bert", range(0), 1.0))
    analysis = Analysis.of(frontier_runs.run(frontier_runs.cell("lsa", range(80)), better))
    lsa, bert = frontier(analysis, key).points
    assert (lsa.standing, bert.standing) == ("frontier", "disturbed")
    assert frontier(analysis, key).ranked
    quiet = Analysis.of(
        frontier_runs.run(frontier_runs.cell("lsa", range(80)), frontier_runs.cell("bert"))
    )
    assert frontier(quiet, key).points[0].standing != "frontier"


def test_memory_is_ranked_although_other_work_took_time() -> None:
    analysis = Analysis.of(frontier_runs.run(CHEAP, SLOWED))
    assert "disturbed" not in {point.standing for point in frontier(analysis, "peak_mb").points}


def test_nothing_is_below_a_disturbed_figure_nor_above_it() -> None:
    run = frontier_runs.run(CHEAP, SLOWED)
    for bound in (bounds.latency_p50_ms, bounds.latency_p99_ms, bounds.compute_ms, bounds.energy_j,
                  bounds.training_s, bounds.comments_per_s):  # fmt: skip
        cheap, slowed = bound(run, CHEAP), bound(run, SLOWED)
        assert not cheap.below(slowed), bound
        assert not slowed.below(cheap), bound
        assert slowed.times(2.0, "").disturbed
        assert bounds.total([cheap, slowed], "").disturbed


def test_a_report_marks_disturbed_figures_and_says_why_in_one_sentence() -> None:
    run = frontier_runs.run(CHEAP, disturbed(SLOWEST, "throughput", "energy"))
    text = render(run)
    results = text.partition("## Results")[2]
    row = next(line for line in results.splitlines() if line.startswith("| llama"))
    assert row.count("(disturbed)") == 3  # throughput, CPU time and energy
    sentence = (
        "**Other work on the machine disturbed these measurements, which are neither ranked nor "
        f"checked for regressions: llama throughput, energy ({REASON}).**"
    )
    assert text.count(sentence) == 1
    assert "Best [throughput](#term-throughput) of the machine: 1,000 comments/s (lsa)." in text
    assert "disturbed" not in render(frontier_runs.run(CHEAP, SLOWEST))


def test_the_table_in_a_terminal_has_the_mark_and_the_sentence() -> None:
    analysis = Analysis.of(frontier_runs.run(CHEAP, disturbed(SLOWEST, "throughput")))
    text = report.brief(analysis, rules.decide(analysis))
    assert max(map(len, text.splitlines())) <= 80
    (row,) = [line for line in text.splitlines() if line.startswith("llama")]
    assert "10 d" in row
    assert "d: Other work on the machine disturbed" in text


def test_a_disturbed_latency_serves_no_rate_in_a_sentence() -> None:
    both = render(frontier_runs.run(disturbed(CHEAP), disturbed(SLOWEST)))
    assert "Every measurement was disturbed." in both
    one = render(frontier_runs.run(disturbed(CHEAP), SLOWEST))
    assert "requests/s one at a time (llama)" in one
    sweep = factories.throughput(1000.0, machine_per_s=1900.0)
    slowed = disturbed(dataclasses.replace(CHEAP, throughput=sweep), "throughput")
    assert "requests/s one at a time (llama)" in render(frontier_runs.run(slowed, SLOWEST))


def test_a_mean_over_seeds_is_marked_if_a_training_was_disturbed() -> None:
    cells = (CHEAP, disturbed(dataclasses.replace(CHEAP, seed=1), "training"))
    assert row(section(frontier_runs.run(*cells), "Seeds"), "lsa")[4].endswith("(disturbed)")
    quiet = (CHEAP, dataclasses.replace(CHEAP, seed=1))
    assert "disturbed" not in section(frontier_runs.run(*quiet), "Seeds")


def test_no_verdict_rests_on_a_disturbed_throughput() -> None:
    tfidf, llama = verdict_runs.cell("tfidf", 0.85), verdict_runs.cell("llama", 0.95)
    assert verdict_runs.decide(tfidf, llama).answer == "practical"
    seen = factories.disturbance(REASON)
    assert llama.throughput is not None
    assert tfidf.throughput is not None
    slowed = dataclasses.replace(llama, throughput=disturbance.flag(llama.throughput, seen))
    found = verdict_runs.decide(tfidf, slowed)
    assert found.answer == "no verdict"
    assert f"the throughput of {LLAMA} was disturbed ({REASON})" in found.headline
    assert found.changes == ("Measure again on an idle machine.",)
    slowed = dataclasses.replace(tfidf, throughput=disturbance.flag(tfidf.throughput, seen))
    found = verdict_runs.decide(slowed, llama)
    assert "other work on the machine disturbed its throughput" in found.headline
    equal = disturbed(verdict_runs.cell("bert", 0.95), "throughput")
    found = verdict_runs.decide(tfidf, equal, llama)
    assert found.answer == "too little data to tell"
    assert f"whether bert is cheaper than {LLAMA} is unknown: other work" in found.headline
    assert found.changes[0] == "Measure again on an idle machine."


def test_a_disturbed_llm_represents_no_equivalent_one_and_has_no_ratio() -> None:
    tfidf, llama = verdict_runs.cell("tfidf", 0.85), verdict_runs.cell("llama", 0.95)
    slow = verdict_runs.cell("llama-qlora", 0.95)
    found = verdict_runs.decide(tfidf, slow, disturbed(llama, "throughput"))
    assert found.headline.startswith(
        "Practical: llama-qlora (small, 135 M parameters) gains 10.0 points"
    )
    assert "llama-qlora and llama are equivalent (+0.0 points, -0.1 to +0.1)." in found.reasons
    found = verdict_runs.decide(tfidf, llama, disturbed(slow, "throughput"))
    assert "llama and llama-qlora are equivalent (+0.0 points, -0.1 to +0.1)." in found.reasons


def test_a_verdict_is_conditional_on_a_disturbed_p99() -> None:
    tfidf, llama = verdict_runs.cell("tfidf", 0.85), verdict_runs.cell("llama", 0.95)
    found = verdict_runs.decide(tfidf, disturbed(llama, "latency"))
    assert found.answer == "practical if"
    assert "1 answer in 100 may take over 100 ms (the measurement was disturbed)" in found.headline
    limited = verdict_runs.decide(tfidf, disturbed(llama, "latency"), budget="latency_ms=50")
    assert "latency_ms, which is unknown, is within 50" in limited.headline


def test_no_cascade_has_a_disturbed_model() -> None:
    cells = [verdict_runs.cell("tfidf", 0.85, sure=0.8), verdict_runs.cell("llama", 0.95, sure=0.9)]
    assert Analysis.of(verdict_runs.run(*cells)).cascades
    text = section(verdict_runs.run(disturbed(cells[0], "throughput"), cells[1]), "Cascades")
    assert text == "A cascade needs two models with scores and an undisturbed throughput."


def test_a_limit_is_unknown_for_a_disturbed_figure() -> None:
    budget = factories.options(budget="latency_p50_ms=50")
    analysis = Analysis.of(frontier_runs.run(CHEAP, SLOWED, options=budget))
    assert [analysis.fits[name][0].kind for name in ("lsa-cpu", "bert-cpu")] == ["fits", "unknown"]
    assert "unknown, 10 (disturbed)" in render(frontier_runs.run(CHEAP, SLOWED, options=budget))


def test_prices_of_disturbed_figures_are_marked_and_not_ranked() -> None:
    priced = factories.options(machine_price="1")
    run = frontier_runs.run(CHEAP, SLOWED, SLOWEST, options=priced)
    analysis = Analysis.of(run)
    assert prices.gains(run, analysis.pairs, analysis.options) == ()
    assert "(disturbed)" in render(run).partition("## Prices")[2]


def test_a_disturbed_figure_is_no_regression() -> None:
    slower = dataclasses.replace(CHEAP, throughput=factories.throughput(100.0))
    before = frontier_runs.run(CHEAP, noise=record.measured(1.0, "%", "loop"))
    found = compare([("a", before), ("b", dataclasses.replace(before, cells=(slower,)))])
    assert found.regressed
    later = dataclasses.replace(before, cells=(disturbed(slower, "throughput"),))
    found = compare([("a", before), ("b", later)])
    assert not found.regressed
    assert "100 (disturbed)" in found.text
    assert f"lsa-cpu throughput ({REASON})" in found.text


def test_a_repetition_marks_ratios_of_disturbed_figures() -> None:
    before, after = frontier_runs.run(CHEAP), frontier_runs.run(disturbed(CHEAP, "latency"))
    ((_, *entries, _),), _ = repeat.ratios(before, after)
    assert entries.count("1.00 d") == 2  # p50 and p99
