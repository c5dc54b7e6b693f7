"""reports/analysis/frontier.py: which model is worth which cost, without claims beyond the tests."""

import dataclasses

import pytest

from tests.frontier_runs import CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, cell, estimated, run
from tests.rendering import render, row, section
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, measured, unavailable
from worthit.reports.analysis import bounds
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.frontier import Frontier, Point
from worthit.reports.sections import frontier

PREPARATION = "training or choice of prompt"


def standings(found: record.Run, cost: str = "latency p50") -> dict[str, tuple[str, str]]:
    return {point.label: (point.standing, point.by) for point in points(found, cost)}


def points(found: record.Run, cost: str) -> tuple[Point, ...]:
    return frontiers(found)[cost].points


def frontiers(found: record.Run) -> dict[str, Frontier]:
    """By the heading of the cost."""
    by_cost = {}
    for one in Analysis.of(found).frontiers:
        assert one.figure.frontier is not None
        by_cost[one.figure.frontier[0]] = one
    return by_cost


def test_both_models_of_a_trade_off_are_on_the_frontier() -> None:
    for cost in (PREPARATION, "latency p50", "compute", "peak memory", "energy"):
        found = standings(run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD), cost)
        assert found == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


def test_a_model_is_dominated_by_the_cheapest_of_the_better_ones() -> None:
    found = run(cell("llama", range(60), 20.0), EXPENSIVE_AND_GOOD, cell("tfidf", range(6), 2.0))
    assert standings(found)["llama"] == ("dominated", "tfidf")
    assert standings(found)["bert"] == ("same accuracy", "tfidf")


def test_a_gain_that_is_not_significant_leaves_the_model_off_the_frontier() -> None:
    found = run(cell("tfidf", range(12), 1.0), cell("bert", range(9), 10.0))
    assert standings(found) == {"tfidf": ("frontier", ""), "bert": ("same accuracy", "tfidf")}
    found = run(cell("tfidf", range(20), 1.0), cell("bert", range(9), 10.0))
    assert standings(found) == {"tfidf": ("frontier", ""), "bert": ("frontier", "")}


def test_costs_within_their_bounds_make_no_model_cheaper() -> None:
    close = run(cell("lsa", range(60), 1.0), cell("bert", range(5), 1.1))
    assert standings(close) == {"lsa": ("same cost", "bert"), "bert": ("frontier", "")}
    equal = run(cell("lsa", range(5), 1.0), cell("bert", range(5), 1.1))
    assert standings(equal) == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


@pytest.mark.parametrize(("percent", "standing"), [(5.0, "same accuracy"), (20.0, "frontier")])
def test_one_sample_costs_differ_by_more_than_the_noise(percent: float, standing: str) -> None:
    pair = (cell("lsa", range(5), 1.0), cell("bert", range(5), 1.1))
    noisy = run(*pair, noise=measured(percent, "%", "loop"))
    for cost in (PREPARATION, "compute", "energy"):
        assert standings(noisy, cost)["bert"][0] == standing


def test_memory_differs_by_more_than_it_repeats_whatever_the_noise() -> None:
    def with_memory(cost: float) -> record.Run:
        cells = cell("lsa", range(5), 1.0), cell("bert", range(5), cost)
        return run(*cells, noise=measured(30.0, "%", "loop"))

    assert standings(with_memory(1.14), "peak memory")["bert"] == ("frontier", "")
    assert standings(with_memory(1.16), "peak memory")["bert"] == ("same accuracy", "lsa")
    assert "memory, if it differs by more than the 15 % within which it repeats" in render(
        with_memory(1)
    )


def test_a_model_no_better_than_guessing_is_on_no_frontier() -> None:
    found = run(cell("lsa", range(95), 0.1), EXPENSIVE_AND_GOOD)
    assert standings(found) == {"lsa": ("guessing", ""), "bert": ("frontier", "")}
    text = render(found)
    assert "Not shown to beat [guessing](#term-guessing): lsa." in text
    assert "Its accuracy is 50.0 %" in text


def test_a_missing_cost_or_accuracy_has_a_reason_and_is_no_rival() -> None:
    slow = unavailable("ms", "the clock broke")
    blind = dataclasses.replace(cell("tfidf").latency, p50_ms=slow)  # type: ignore[type-var]
    failed = record.CellRecord("llama", "cpu", 0, failures=("training: out of memory",))
    blind_one = cell("tfidf", range(2), latency=blind)
    found = run(blind_one, failed, EXPENSIVE_AND_GOOD, cell("lsa", quality=None))
    reasons = {
        point.label: (point.standing, point.reason) for point in points(found, "latency p50")
    }
    assert reasons == {
        "tfidf": ("unknown", "the clock broke"),
        "llama": ("unknown", "llama-cpu: training: out of memory"),
        "bert": ("frontier", ""),
        "lsa": ("unknown", "not measured in this run"),
    }
    assert standings(found, "peak memory")["bert"] == ("same accuracy", "tfidf")


def test_no_model_is_cheaper_to_train_than_an_untuned_one() -> None:
    training = dataclasses.replace(cell("x").training, train_s=unavailable("s", NOT_TUNED))  # type: ignore[type-var]
    untuned = cell("llama-zero-shot", range(50), 30.0, training=training)
    found = run(CHEAP_AND_BAD, untuned, EXPENSIVE_AND_GOOD)
    assert standings(found, PREPARATION) == {
        "lsa": ("dominated", "llama-zero-shot"),
        "llama-zero-shot": ("frontier", ""),
        "bert": ("frontier", ""),
    }
    assert points(found, PREPARATION)[1].cost.nothing
    other = dataclasses.replace(training, train_s=unavailable("s", "the clock broke"))
    found = run(CHEAP_AND_BAD, dataclasses.replace(untuned, training=other), EXPENSIVE_AND_GOOD)
    assert standings(found, PREPARATION)["llama-zero-shot"] == ("unknown", "")


def test_the_choice_of_a_prompt_counts_as_the_training_of_an_untuned_model() -> None:
    training = dataclasses.replace(  # type: ignore[type-var]
        cell("x").training, train_s=unavailable("s", NOT_TUNED), choosing_s=measured(40.0, "s", "c")
    )
    untuned = cell("llama-zero-shot", range(50), 30.0, training=training)
    found = run(CHEAP_AND_BAD, untuned, EXPENSIVE_AND_GOOD)
    assert points(found, PREPARATION)[1].cost.value == 40.0


def test_an_estimated_cost_is_not_ranked() -> None:
    found = run(estimated("lsa", range(60), 1.0), EXPENSIVE_AND_GOOD)
    assert standings(found, "energy") == {"lsa": ("not ranked", ""), "bert": ("not ranked", "")}
    text = section(found, "Frontier")
    assert "the cost of some model is an estimate; estimates are not ranked" in text
    assert "On the [frontier](#term-frontier) of every ranked cost: lsa and bert." in text


@pytest.mark.parametrize("gpu_j", [1.7, 1000.0])
def test_a_sum_is_not_ranked_if_a_part_of_it_is_an_estimate(gpu_j: float) -> None:
    def on_gpu(model: str, gpu_j: float) -> record.CellRecord:
        one = estimated(model, range(5), 1.0)
        energy = dataclasses.replace(one.energy, gpu_j_per_comment=measured(gpu_j, "J", "NVML"))  # type: ignore[type-var]
        return dataclasses.replace(one, device="cuda", energy=energy)

    found = run(on_gpu("a", 1.0), on_gpu("b", gpu_j))
    assert {kind for kind, _ in standings(found, "energy").values()} == {"not ranked"}


def test_the_energy_of_a_model_on_the_cpu_has_no_part_of_a_card() -> None:
    one = cell("lsa", cost=1.0)
    energy = dataclasses.replace(one.energy, gpu_j_per_comment=measured(79.0, "J", "NVML"))  # type: ignore[type-var]
    joules = bounds.energy_j(run(one), dataclasses.replace(one, energy=energy))
    assert joules.value == 1.0


def test_each_device_is_a_point_and_seeds_are_one() -> None:
    again = dataclasses.replace(EXPENSIVE_AND_GOOD, seed=1)
    fast = dataclasses.replace(cell("bert", range(5), 5.0), device="cuda")
    found = standings(run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, again, fast))
    assert found == {
        "lsa-cpu": ("frontier", ""),
        "bert-cpu": ("same accuracy", "bert-cuda"),
        "bert-cuda": ("frontier", ""),
    }


def test_the_mean_over_seeds_decides_the_standing() -> None:
    equal = dataclasses.replace(EXPENSIVE_AND_GOOD, seed=1)
    assert standings(run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, equal))["bert"] == ("frontier", "")
    unlucky = dataclasses.replace(cell("bert", range(110), 10.0), seed=1)
    found = run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, unlucky)
    assert standings(found)["bert"] == ("guessing", "")  # 97.5 % and 45 %: the mean is uncertain
    assert "Accuracies are means over the seeds of a model" in render(found)


def test_the_price_is_a_cost_if_prices_are_given() -> None:
    both = run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD)
    assert "price" not in frontiers(both)
    priced = dataclasses.replace(both, options={"--machine-price": "1"})
    assert standings(priced, "price") == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


def test_at_a_price_of_zero_no_model_is_cheaper() -> None:
    free = run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, options={"--machine-price": "0"})
    assert standings(free, "price") == {"lsa": ("same cost", "bert"), "bert": ("frontier", "")}


def test_a_standing_by_a_cached_cost_says_so() -> None:
    earlier = record.Figure(1.0, "s", "cached", "clock", was="measured")
    training = dataclasses.replace(CHEAP_AND_BAD.training, train_s=earlier)  # type: ignore[type-var]
    cached = dataclasses.replace(CHEAP_AND_BAD, training=training)
    text = section(run(cached, EXPENSIVE_AND_GOOD), "Frontier")
    assert row(text, "lsa")[1:3] == ["**frontier** [1]", "**frontier**"]
    assert row(text, "bert")[1] == "**frontier**"
    assert "- [1] its cost is cached: an earlier run measured it" in text


def test_the_section_of_one_model_has_no_table() -> None:
    assert section(run(CHEAP_AND_BAD), "Frontier") == (
        "The run measured fewer than two models: there is nothing to compare."
    )


def test_seeds_of_one_model_are_nothing_to_compare() -> None:
    again = dataclasses.replace(CHEAP_AND_BAD, seed=1)
    _, text, *others = frontier.section(Analysis.of(run(CHEAP_AND_BAD, again)))
    assert text.startswith("The run measured fewer than two models")
    assert not others


def test_the_section_names_the_models_on_the_frontier_and_defines_its_standings() -> None:
    worse, no_better = cell("llama", range(70), 20.0), cell("tfidf", range(4), 20.0)
    found = run(CHEAP_AND_BAD, EXPENSIVE_AND_GOOD, worse, no_better)
    heading, conclusion, table = frontier.section(Analysis.of(found))
    assert heading == "## Frontier"
    assert conclusion.startswith(
        "On the [frontier](#term-frontier) of every ranked cost: lsa and bert."
    )
    rows = [[entry.strip() for entry in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[2] == ["lsa", *["**frontier**"] * 5]
    assert rows[4] == ["llama", *["dominated by lsa"] * 5]
    assert rows[5] == ["tfidf", *["not shown to beat bert"] * 5]
    glossary = render(found).split("## Glossary")[1]
    assert "“dominated by X”: X is cheaper and more accurate" in glossary
    assert "“not shown to beat X”" in glossary
    assert "“costs as better X”" not in glossary
    assert "noise of this machine was not measured" in glossary


def test_a_model_is_listed_with_the_costs_whose_frontier_it_is_on() -> None:
    slow = cell("tfidf", range(4), 20.0).latency
    mixed = cell("tfidf", range(5), 0.5, latency=slow)
    conclusion = frontier.section(Analysis.of(run(EXPENSIVE_AND_GOOD, mixed)))[1]
    assert f"of {PREPARATION}, compute, peak memory and energy: tfidf" in conclusion
    assert "of latency p50: bert." in conclusion


def test_a_long_table_is_folded_with_its_footnotes() -> None:
    cells = [cell(f"model{number}", range(number), 1.0 + number) for number in range(13)]
    paragraphs = frontier.section(Analysis.of(run(*cells)))
    assert paragraphs[2] == (
        "<details><summary>Standing of each model, cost by cost (13 rows)</summary>"
    )
    assert paragraphs[-1] == "</details>"
    assert "<details>" not in "".join(frontier.section(Analysis.of(run(*cells[:12]))))
