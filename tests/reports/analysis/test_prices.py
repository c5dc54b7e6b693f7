"""reports/analysis/prices.py, computed by hand."""

import dataclasses
import math

import pytest

from tests import factories
from tests.priced_runs import cell, rated, run, sections, untuned
from tests.rendering import entries
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.analysis import bounds, figures, prices
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.paired_tests import Difference, Pair
from worthit.reports.options import ReportOptions
from worthit.reports.sections import prices as prices_section


@pytest.mark.parametrize(
    ("given", "scoring", "of_correct", "training", "together"),
    [
        # 1,000 s and 1 kWh a million, of which 90 % are correct; 36 s and 0.001 kWh a training
        ({"machine_price": "3.6"}, "1", "1.11", "0.036", "1.04"),
        ({"electricity_price": "0.5"}, "0.5", "0.556", "0.0005", "0.5"),
        ({"machine_price": "3.6", "electricity_price": "0.5"}, "1.5", "1.67", "0.0365", "1.54"),
        ({"machine_price": "3.6", "volume": "1000"}, "1", "1.11", "0.036", "37"),
        ({"machine_price": "0"}, "0", "0", "0", "0"),
    ],
)
def test_prices_by_hand(
    given: dict[str, str], scoring: str, of_correct: str, training: str, together: str
) -> None:
    written = entries(sections(run(**given)), "one training")[0]
    assert written == ["lsa", scoring, of_correct, training, together]


def test_energy_per_correct_decision_follows_the_origin_of_the_energy() -> None:
    (spec,) = [spec for spec in figures.FIGURES if spec.key == "energy_per_correct_mj"]
    metered = run(cell())
    found = spec.bounded(metered, metered.cells[0])
    assert found.value == pytest.approx(3_600 / 0.9)
    accuracy = bounds.test_accuracy(metered, metered.cells[0])
    assert found.high == pytest.approx(3_600 / accuracy.low)
    guess = dataclasses.replace(
        cell().energy,  # type: ignore[type-var]
        cpu_j_per_comment=Figure(3.6, "J", "estimated", "load"),
    )
    for energy, origin in ((guess, "estimated"), (None, "unavailable")):
        made = run(cell(energy=energy))
        found = spec.bounded(made, made.cells[0])
        assert (found.figure.origin, found.high == math.inf) == (origin, origin == "estimated")


def test_a_model_that_is_never_correct_has_no_price_of_a_correct_decision() -> None:
    text = sections(run(cell(wrong=100), machine_price="3.6"))
    assert entries(text, "one training")[0][2] == "n/a [1]"
    assert "no test comment was classified correctly" in text


def test_choosing_settings_has_the_price_of_its_time() -> None:
    tuned = cell(tuning=factories.tuning(search_s=measured(360.0, "s", "clock")))
    found = run(tuned, cell("tfidf"), machine_price="3.6")
    assert [row[-1] for row in entries(sections(found), "choosing settings for it")] == [
        "0.36",
        "none",
    ]
    metered = run(tuned, machine_price="3.6", electricity_price="0.5")
    assert entries(sections(metered), "choosing")[0][-1] == "n/a [1]"
    assert "choosing" not in sections(run(machine_price="3.6"))


def test_a_given_volume_is_not_rounded() -> None:
    assert "spread over 1,234,567 |" in sections(run(machine_price="3.6", volume="1234567"))


def test_a_price_of_seven_digits_is_shown_as_it_was_given() -> None:
    assert "Given: 1234567 per hour of the whole machine" in sections(run(machine_price="1234567"))
    of_cores = sections(run(machine_price="core=1234567", budget="throughput_per_s=1234567"))
    assert "Given: 1234567 per hour of one CPU core" in of_cores
    assert "throughput_per_s ≥ 1234567" in of_cores


def test_emissions_by_hand() -> None:
    assert entries(sections(run(carbon_intensity="400.0")), "CO2e") == [["lsa", "400"]]


def test_a_sum_shows_the_origin_of_its_parts() -> None:
    guess = Figure(3.6, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    cached = Figure(36.0, "s", "cached", "clock", was="measured")
    training = dataclasses.replace(cell().training, train_s=cached)  # type: ignore[type-var]
    found = run(
        cell(energy=energy, training=training), machine_price="3.6", electricity_price="0.5"
    )
    assert entries(sections(found), "one training") == [
        ["lsa", "*≈1.5*", "*≈1.67*", "0.0365 (cached)", "*≈1.54* (cached)"]
    ]
    on_gpu = dataclasses.replace(cell(), device="cuda")
    text = sections(run(on_gpu, electricity_price="0.5"))
    assert entries(text, "one training") == [["lsa", *["n/a [1]"] * 4]]
    assert "- [1] no GPU" in text
    metered = dataclasses.replace(cell().energy, gpu_j_per_comment=measured(3.6, "J", "NVML"))  # type: ignore[type-var]
    found = run(dataclasses.replace(on_gpu, energy=metered), electricity_price="0.5")
    assert entries(sections(found), "one training")[0][1] == "1"


def test_an_untuned_model_pays_no_training() -> None:
    found = run(untuned(), machine_price="3.6")
    assert entries(sections(found), "one training") == [
        ["llama-zero-shot", "1", "1.11", "none", "1"]
    ]


def short(model: str, origin: record.Origin = "measured") -> record.CellRecord:
    """Trained in 2 s, too short for a meter; scores 100 comments in 5 s at 3.6 J each: 72 W."""
    training = dataclasses.replace(
        cell().training,  # type: ignore[type-var]
        train_s=measured(2, "s", "clock"),
        cpu_j=unavailable("J", "it took 2 s, energy needs 5 s or more"),
    )
    energy = dataclasses.replace(
        cell().energy,  # type: ignore[type-var]
        cpu_j_per_comment=Figure(3.6, "J", origin, "RAPL"),
    )
    return cell(model, training=training, energy=energy)


def test_a_training_too_short_to_be_metered_has_no_price() -> None:
    found = run(short("lsa"), cell("llama"), electricity_price="3600000", volume="1")
    assert bounds.training_j(found, found.cells[0]).figure.reason.startswith("it took 2 s")
    text = sections(found)
    assert entries(text, "one training")[0][3] == "n/a [1]"
    assert "- [1] it took 2 s, energy needs 5 s or more" in text


def test_an_estimate_is_priced_and_says_so_and_orders_nothing() -> None:
    guess = Figure(3.6, "J", "estimated", "65 W", reason="an estimate, not metered: 65 W")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    text = sections(
        run(cell(energy=energy), cell("bert"), electricity_price="0.5", carbon_intensity="400")
    )
    assert entries(text, "one training")[0][1] == "*≈0.5* [1]"
    assert entries(text, "CO2e")[0][-1] == "*≈400* [1]"
    assert "Prices with ≈ contain an estimate of energy" in text
    assert "Scoring a million comments costs" not in text
    assert "the cheapest" not in text


def test_emissions_say_what_they_leave_out() -> None:
    text = sections(run(carbon_intensity="400"))
    for part in ("memory", "cooling (PUE)", "training", "the making of the machine"):
        assert part in text.partition("It leaves out")[2]
    assert "leaves out" not in sections(run(electricity_price="1"))


def test_an_untuned_model_is_not_the_cheapest_to_train() -> None:
    text = sections(run(untuned(), cell("bert"), short("tfidf"), machine_price="1"))
    assert "against tfidf, the cheapest to train" in text


def exact(value: float, off: float = 0.0) -> Bounded:
    return Bounded(measured(value, "", "given"), value - off, value + off)


@pytest.mark.parametrize(
    ("own", "rival", "expected"),
    [
        # 100 more to train, 50 less a million: after 2 million
        ((exact(110), exact(50)), (exact(10), exact(100)), (2e6, 2e6, 2e6)),
        ((exact(110), exact(100)), (exact(10), exact(50)), (math.inf, math.inf, math.inf)),
        ((exact(110), exact(50)), (exact(10), exact(50)), (math.inf, math.inf, math.inf)),
        ((exact(5), exact(50)), (exact(10), exact(100)), (0.0, 0.0, 0.0)),
        # 90 to 110 more to train, 40 to 60 less a million
        ((exact(110, 10), exact(50, 10)), (exact(10), exact(100)), (2e6, 1.5e6, 2.75e6)),
        ((exact(110), exact(50, 60)), (exact(10), exact(100)), (2e6, 1e8 / 110, math.inf)),
    ],
)
def test_break_even_by_hand(
    own: tuple[Bounded, Bounded], rival: tuple[Bounded, Bounded], expected: tuple[float, ...]
) -> None:
    found = prices.break_even(*own, *rival)
    assert found is not None
    assert (found.volume, found.low, found.high) == pytest.approx(expected)


def test_break_even_with_an_unknown_cost_is_unknown() -> None:
    unknown = bounds.absent("", "no meter")
    assert prices.break_even(unknown, exact(1), exact(1), exact(2)) is None


def test_break_even_is_shown_against_the_cheapest_to_train_and_the_api() -> None:
    # At 3.6 an hour: a million costs 1,000 / rate, a training its seconds / 1,000.
    quick, slow = rated("lsa", 500, 100), rated("bert", 1000, 1100)
    lost = record.CellRecord("llama", "cpu", 0, failures=("training: out of memory",))
    text = sections(run(quick, slow, lost, machine_price="3.6", api_price="1.5"))
    assert entries(text, "against the API") == [
        ["lsa", "", "never"],  # 2 a million
        ["bert", "1,000,000", "2,200,000"],  # 1 more to train, 1 less a million; 1.1 / 0.5
        ["llama", "n/a [1]", "n/a [1]"],
    ]
    assert "against lsa, the cheapest to train" in text


def pair(first: str, second: str, difference: float, low: float, high: float, p: float) -> Pair:
    return Pair(first, second, Difference(difference, low, high, p), None)


def test_the_price_of_further_correct_comments_by_hand() -> None:
    # 1, 2, 4 and 10 a million, nothing to train
    models = [rated(name, 1000 / price, 0) for name, price in
              (("lsa", 1), ("tfidf", 2), ("bert", 4), ("llama", 10))]  # fmt: skip
    found = run(*reversed(models), machine_price="3.6")
    analysis = Analysis.of(found)
    tests = (
        pair("tfidf-cpu", "lsa-cpu", 0.10, 0.05, 0.20, 0.01),
        pair("bert-cpu", "tfidf-cpu", 0.01, -0.01, 0.03, 0.4),
        pair("llama-cpu", "tfidf-cpu", 0.04, 0.0, 0.08, 0.04),
    )  # fmt: skip
    cheapest, tfidf, bert, llama = prices.gains(found, tests, analysis.options)
    assert (cheapest.cell.model, cheapest.over) == ("lsa", None)
    # 1 more a million buys 100,000 more correct, at least 50,000 and at most 200,000
    assert (tfidf.price, tfidf.low, tfidf.high) == pytest.approx((1e-5, 5e-6, 2e-5))
    assert (bert.cell.model, bert.price) == ("bert", None)
    assert llama.over is not None
    assert (
        llama.over.model == "tfidf"
    )  # bert is not worth its price, so nothing is compared with it
    assert (llama.price, llama.low, llama.high) == pytest.approx((2e-4, 1e-4, math.inf))
    text = "\n\n".join(prices_section.section(dataclasses.replace(analysis, pairs=tests)))
    assert entries(text, "1,000 more correct") == [
        ["lsa", "", "the cheapest"],
        ["tfidf", "lsa", "0.01 (0.005 to 0.02)"],
        ["bert", "tfidf", "no significant gain"],
        ["llama", "tfidf", "0.2 (0.1 to no bound)"],
    ]


def gains(found: record.Run) -> tuple[prices.Gain, ...]:
    analysis = Analysis.of(found)
    return prices.gains(found, analysis.pairs, analysis.options)


def test_the_first_of_several_seeds_is_priced() -> None:
    models = [rated("lsa", 1000, 0, wrong=40), rated("llama", 100, 0, wrong=10)]
    once = run(*models, machine_price="3.6")
    seeds = [dataclasses.replace(model, seed=seed) for seed in range(3) for model in models]
    thrice = run(*seeds, machine_price="3.6")
    first, second = map(gains, (once, thrice))
    assert first == second
    assert [gain.cell.name for gain in second] == ["lsa-cpu", "llama-cpu"]
    assert second[1].price is not None


def test_a_more_expensive_and_worse_model_gains_nothing() -> None:
    found = run(rated("lsa", 1000, 0), rated("tfidf", 500, 0), machine_price="3.6")
    worse = (pair("tfidf-cpu", "lsa-cpu", -0.1, -0.2, -0.05, 0.01),)
    assert prices.gains(found, worse, ReportOptions.of(found.options))[1].price is None


def test_estimated_costs_are_not_ranked() -> None:
    guess = Figure(1.0, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    training = dataclasses.replace(cell().training, cpu_j=guess)  # type: ignore[type-var]
    pair = [cell(name, energy=energy, training=training) for name in ("lsa", "tfidf")]
    found = run(*pair, electricity_price="1", api_price="1")
    assert gains(found) == ()
    assert "the cheapest" not in sections(found)
    assert entries(sections(found), "against the API")[0][1].startswith("*≈")


def test_the_same_run_has_the_same_sections() -> None:
    found = run(
        cell(), untuned(), cell("bert", 2), machine_price="1", api_price="9", budget="accuracy=0.9"
    )
    assert sections(found) == sections(found)
    assert "no significant gain" in sections(found)


def test_the_section_opens_with_the_range_of_prices() -> None:
    text = sections(run(rated("lsa", 1000, 0), rated("bert", 500, 0), machine_price="3.6"))
    assert text.startswith(
        "## Prices\n\nGiven: 3.6 per hour of the whole machine at its best throughput"
    )
    assert "Scoring a million comments costs: 1 (lsa) to 2 (bert)." in text
    unknown = sections(run(api_price="1"))
    assert "give --machine-price, --electricity-price or both" in unknown


def test_each_accelerator_of_a_shared_training_is_paid() -> None:
    training = dataclasses.replace(cell().training, processes=4)  # type: ignore[type-var]
    device_s = [
        bounds.training_device_s(run(), dataclasses.replace(cell(training=training), device=name))
        for name in ("cuda", "cpu")
    ]
    assert [each.value for each in device_s] == [4 * 36, 0]
