"""reports/analysis/frontier.py and its picture: who is worth which cost, and no claim beyond the tests."""

import dataclasses
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from tests import factories
from worthit.bench.saved import record
from worthit.bench.saved.record import NOT_TUNED, Figure, measured, unavailable
from worthit.reports.analysis import frontier, paired_tests
from worthit.reports.analysis.frontier import Point, frontiers
from worthit.reports.pictures import frontier as frontier_picture
from worthit.reports.pictures import pictures, style
from worthit.reports.sections import report

LABELS = (1, 0) * 100


def scores(wrong: range) -> tuple[float, ...]:
    """Right about all of the 200 comments but these."""
    return tuple(abs((i in wrong) - label) * 0.8 + 0.1 for i, label in enumerate(LABELS))


def cell(
    model: str, wrong: range = range(0), cost: float = 1.0, **changed: Any
) -> record.CellRecord:
    """All costs are multiples of one; energy is measured."""
    memory = factories.memory(100 * cost, 1)
    ms = measured(cost, "ms", "clock")
    base = record.CellRecord(
        model, "cpu", 0,
        training=factories.training(cost, memory=memory),
        latency=factories.latency(
            (cost,), ms, ms, ms, p50_low_ms=cost * 0.9, p50_high_ms=cost * 1.1
        ),
        throughput=factories.throughput(1000 / cost),
        memory=memory,
        energy=factories.energy(
            measured(cost, "J", "RAPL"), Figure(9, "J", "estimated", "constant")
        ),
        quality=record.Quality(scores(wrong), scores(wrong), (), 1.0, 0.0),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    data = factories.data(factories.part(LABELS), natural=factories.part(), prevalence=0.5)
    return factories.run(data, *cells, **changed)


def standings(found: record.Run, cost: str = "latency p50") -> dict[str, tuple[str, str]]:
    return {point.label: (point.kind, point.by) for point in points(found, cost)}


def points(found: record.Run, cost: str) -> tuple[Point, ...]:
    return next(
        one.points
        for one in frontiers(found, paired_tests.differ(paired_tests.pairs(found)))
        if one.cost.heading == cost
    )


CHEAP_AND_BAD = cell("lsa", range(60), 1.0)
DEAR_AND_GOOD = cell("bert", range(5), 10.0)


def test_each_of_a_trade_off_is_on_the_frontier() -> None:
    for cost in ("training", "latency p50", "throughput", "peak memory", "energy"):
        found = standings(run(CHEAP_AND_BAD, DEAR_AND_GOOD), cost)
        assert found == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


def test_who_is_dearer_and_worse_is_dominated_by_the_cheapest_who_is_better() -> None:
    found = run(cell("llama", range(60), 20.0), DEAR_AND_GOOD, cell("tfidf", range(6), 2.0))
    assert standings(found)["llama"] == ("dominated", "tfidf")
    assert standings(found)["bert"] == ("same accuracy", "tfidf")


def test_a_gain_the_test_does_not_support_leaves_the_dearer_off_the_frontier() -> None:
    found = run(cell("tfidf", range(12), 1.0), cell("bert", range(9), 10.0))
    assert standings(found) == {"tfidf": ("frontier", ""), "bert": ("same accuracy", "tfidf")}
    supported = {
        point.label: point.kind for point in frontiers(found, lambda first, second: True)[1].points
    }
    assert supported == {"tfidf": "frontier", "bert": "frontier"}


def test_costs_that_cannot_be_told_apart_let_nobody_be_cheaper() -> None:
    close = run(cell("lsa", range(60), 1.0), cell("bert", range(5), 1.1))
    assert standings(close) == {"lsa": ("same cost", "bert"), "bert": ("frontier", "")}
    alike = run(cell("lsa", range(5), 1.0), cell("bert", range(5), 1.1))
    assert standings(alike) == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


@pytest.mark.parametrize(("percent", "kind"), [(5.0, "same accuracy"), (20.0, "frontier")])
def test_one_sample_costs_differ_by_more_than_the_noise(percent: float, kind: str) -> None:
    pair = (cell("lsa", range(5), 1.0), cell("bert", range(5), 1.1))
    noisy = run(*pair, noise=measured(percent, "%", "loop"))
    for cost in ("training", "throughput", "energy"):
        assert standings(noisy, cost)["bert"][0] == kind


def test_memory_differs_by_more_than_it_repeats_whatever_the_noise() -> None:
    def beside(cost: float) -> record.Run:
        cells = cell("lsa", range(5), 1.0), cell("bert", range(5), cost)
        return run(*cells, noise=measured(30.0, "%", "loop"))

    assert standings(beside(1.14), "peak memory")["bert"] == ("frontier", "")
    assert standings(beside(1.16), "peak memory")["bert"] == ("same accuracy", "lsa")
    about, _ = frontier.section(beside(1.14), lambda first, second: False)
    assert "for memory, more than the 15 % within which it repeats" in about


def test_a_model_no_better_than_guessing_is_on_no_frontier_however_cheap() -> None:
    found = run(cell("lsa", range(95), 0.1), DEAR_AND_GOOD)
    assert standings(found) == {"lsa": ("guessing", ""), "bert": ("frontier", "")}
    assert "right for 50.0 %" in report.render(found, {})


def test_a_missing_cost_or_accuracy_says_why_and_is_no_rival() -> None:
    slow = unavailable("ms", "the clock broke")
    blind = dataclasses.replace(cell("tfidf").latency, p50_ms=slow)  # type: ignore[type-var]
    failed = record.CellRecord("llama", "cpu", 0, failures=("training: out of memory",))
    found = run(cell("tfidf", latency=blind), failed, DEAR_AND_GOOD, cell("lsa", quality=None))
    reasons = {point.label: (point.kind, point.reason) for point in points(found, "latency p50")}
    assert reasons == {
        "tfidf": ("unknown", "the clock broke"),
        "llama": ("unknown", "llama-cpu: training: out of memory"),
        "bert": ("frontier", ""),
        "lsa": ("unknown", "not measured in this run"),
    }
    assert standings(found, "peak memory")["bert"] == ("same accuracy", "tfidf")


def test_an_untuned_model_has_no_training_cost_which_nobody_undercuts() -> None:
    training = dataclasses.replace(cell("x").training, train_s=unavailable("s", NOT_TUNED))  # type: ignore[type-var]
    untuned = cell("llama-zero-shot", range(50), 30.0, training=training)
    found = run(CHEAP_AND_BAD, untuned, DEAR_AND_GOOD)
    assert standings(found, "training") == {
        "lsa": ("dominated", "llama-zero-shot"),
        "llama-zero-shot": ("frontier", ""),
        "bert": ("frontier", ""),
    }
    assert points(found, "training")[1].cost.nothing
    other = dataclasses.replace(training, train_s=unavailable("s", "the clock broke"))
    found = run(CHEAP_AND_BAD, dataclasses.replace(untuned, training=other), DEAR_AND_GOOD)
    assert standings(found, "training")["llama-zero-shot"] == ("unknown", "")


def estimated(model: str, wrong: range, cost: float) -> record.CellRecord:
    guess = Figure(cost, "J", "estimated", "load")
    energy = dataclasses.replace(cell("x").energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    return cell(model, wrong, cost, energy=energy)


def test_estimates_alone_rank_nobody() -> None:
    found = run(estimated("lsa", range(60), 1.0), DEAR_AND_GOOD)
    assert standings(found, "energy") == {"lsa": ("not ranked", ""), "bert": ("not ranked", "")}
    text = report.render(found, {}).split("## Frontier")[1].split("\n## ")[0]
    assert "estimates alone rank nobody" in text


def test_a_sum_with_a_measured_part_ranks_within_what_its_estimates_may_be_off() -> None:
    def on_gpu(model: str, gpu_j: float) -> record.CellRecord:
        one = estimated(model, range(5), 1.0)
        energy = dataclasses.replace(one.energy, gpu_j_per_comment=measured(gpu_j, "J", "NVML"))  # type: ignore[type-var]
        return dataclasses.replace(one, device="cuda", energy=energy)

    # the estimated joule of each is known to ±0.4 J
    assert standings(run(on_gpu("a", 1.0), on_gpu("b", 1.7)), "energy")["b"][0] == "frontier"
    assert standings(run(on_gpu("a", 1.0), on_gpu("b", 1.9)), "energy")["b"] == (
        "same accuracy",
        "a",
    )


def test_seeds_and_devices_are_points_of_their_own() -> None:
    again = dataclasses.replace(DEAR_AND_GOOD, seed=1)
    fast = dataclasses.replace(cell("bert", range(5), 5.0), device="cuda")
    found = standings(run(CHEAP_AND_BAD, DEAR_AND_GOOD, again, fast))
    assert found == {
        "lsa-cpu": ("frontier", ""),
        "bert-cpu": ("same accuracy", "bert-cuda"),
        "bert-cpu-seed1": ("same accuracy", "bert-cuda"),
        "bert-cuda": ("frontier", ""),
    }


def test_more_seeds_change_no_standing_and_share_that_of_their_model() -> None:
    # 13 against 5 wrong is p = 0.008: supported of one pair, of the 15 of three seeds each it is not
    seeds = [dataclasses.replace(cell("tfidf", range(13), 1.0), seed=seed) for seed in range(3)]
    seeds += [dataclasses.replace(DEAR_AND_GOOD, seed=seed) for seed in range(3)]
    assert {kind for kind, _ in standings(run(*seeds)).values()} == {"frontier"}
    worse = cell("llama", range(60), 20.0)
    unlucky = dataclasses.replace(cell("bert", range(80), 10.0), seed=1)
    found = run(CHEAP_AND_BAD, DEAR_AND_GOOD, unlucky, worse)
    assert standings(found)["bert-seed1"] == ("frontier", "")  # whose own scores were not tested
    assert standings(found)["llama"] == ("dominated", "bert")
    slower = dataclasses.replace(DEAR_AND_GOOD, seed=1, latency=cell("x", cost=15.0).latency)
    assert standings(run(CHEAP_AND_BAD, DEAR_AND_GOOD, slower))["bert-seed1"][0] == "frontier"
    about, _ = frontier.section(found, paired_tests.differ(paired_tests.pairs(found)))
    assert "Of several seeds the first is tested" in about


def test_money_is_a_cost_where_prices_are_known() -> None:
    both = run(CHEAP_AND_BAD, DEAR_AND_GOOD)
    headings = [
        one.cost.heading for one in frontiers(both, paired_tests.differ(paired_tests.pairs(both)))
    ]
    assert "price" not in headings
    told = dataclasses.replace(both, options={"--machine-price": "1"})
    assert standings(told, "price") == {"lsa": ("frontier", ""), "bert": ("frontier", "")}


def test_what_costs_nothing_is_cheaper_for_nobody(tmp_path: Path) -> None:
    free = run(CHEAP_AND_BAD, DEAR_AND_GOOD, options={"--machine-price": "0"})
    assert standings(free, "price") == {"lsa": ("same cost", "bert"), "bert": ("frontier", "")}
    assert report.FRONTIER in pictures.draw(free, tmp_path)


def test_one_model_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    alone = run(CHEAP_AND_BAD)
    assert frontier.section(alone, paired_tests.differ(paired_tests.pairs(alone))) == [
        "With fewer than two models measured there is nothing to compare."
    ]
    assert report.FRONTIER not in pictures.draw(alone, tmp_path)


def test_the_table_reads_as_its_legend_says() -> None:
    worse, no_better = cell("llama", range(70), 20.0), cell("tfidf", range(4), 20.0)
    found = run(CHEAP_AND_BAD, DEAR_AND_GOOD, worse, no_better)
    about, table = frontier.section(found, paired_tests.differ(paired_tests.pairs(found)))
    assert "dominated by X: X is cheaper and more accurate" in about
    assert "≈ cheaper X" in about
    assert "costs as better X" not in about
    assert "noise was not measured" in about
    rows = [[entry.strip() for entry in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[2] == ["lsa", *["**frontier**"] * 5]
    assert rows[4] == ["llama", *["dominated by lsa"] * 5]
    assert rows[5] == ["tfidf", *["≈ cheaper bert"] * 5]


def test_the_picture_is_the_same_each_time_and_survives_what_is_missing(tmp_path: Path) -> None:
    training = dataclasses.replace(cell("x").training, train_s=unavailable("s", NOT_TUNED))  # type: ignore[type-var]
    cells = [
        CHEAP_AND_BAD, DEAR_AND_GOOD, estimated("tfidf", range(6), 2.0),
        cell("llama-zero-shot", range(110), 30.0, training=training, memory=None),
    ]  # fmt: skip
    drawn = []
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        assert report.FRONTIER in pictures.draw(run(*cells), tmp_path / attempt)
        drawn.append((tmp_path / attempt / "frontier.png").read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(("low", "high"), [(226.6, 227.2), (0.35, 0.45), (0.2, 30.0), (1.0, 9e4)])
def test_a_logarithmic_axis_has_few_plain_ticks_however_little_it_spans(
    low: float, high: float
) -> None:
    figure, axes = plt.subplots()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    style.plain_log(axes.xaxis)
    figure.canvas.draw()
    left, right = axes.get_xlim()
    assert left <= low
    assert high <= right
    shown = [tick for tick in axes.get_xticks() if left <= tick <= right]
    assert 2 <= len(shown) <= 6
    assert {f"{tick:.3e}"[:5] for tick in shown} <= {"1.000", "2.000", "5.000"}
    plt.close(figure)


def test_seeds_share_a_marker_and_a_line_of_a_legend_that_fits() -> None:
    again = [dataclasses.replace(DEAR_AND_GOOD, seed=seed) for seed in (0, 1, 2)]
    names = ("llama", "llama-zero-shot", "llama-qlora", "tfidf", "word2vec", "a-model-of-ones-own")
    others = [cell(name, range(9), 3.0) for name in names]
    found = run(
        CHEAP_AND_BAD, *again, *others, *(dataclasses.replace(one, device="cuda") for one in others)
    )
    figure = frontier_picture.draw(found, paired_tests.differ(paired_tests.pairs(found)))
    assert figure is not None
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.legends[-1].get_texts()]
    assert labels.count("bert-cpu") == 1
    assert not any("seed" in label for label in labels)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
    plt.close(figure)
