"""reports/budgets.py, reports/prices.py and the options of both, worked out by hand."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worthit.bench import record
from worthit.bench.record import NOT_TUNED, Figure, measured, unavailable
from worthit.datasets.errors import OptionError
from worthit.reports import bounds, budgets, cli, markdown, options, prices
from worthit.reports.bounds import Bounded
from worthit.reports.pairs import Pair

LABELS = (1, 0) * 50
ROOT = Path(cli.__file__).parents[1]


def cell(model: str = "lsa", wrong: int = 10, **changed: Any) -> record.CellRecord:
    """Scores 1,000 comments/s at 3.6 J each; trained in 36 s with 3,600 J; 10 ms, 200 MB, 5 MB."""
    memory = record.Memory(
        measured(200, "MB", "VmHWM"), measured(1, "MB", "rss"), unavailable("MB", "on the CPU")
    )
    scores = tuple(abs((i < wrong) - label) * 0.8 + 0.1 for i, label in enumerate(LABELS))
    base = record.CellRecord(
        model, "cpu", 0,
        training=record.Training(
            measured(36, "s", "clock"), memory, "2026-01-02T03:04:05+00:00", {}, "a",
            measured(5, "MB", "sizes"), 1, 1, 20, 0.0,
            cpu_j=measured(3600, "J", "RAPL"), gpu_j=unavailable("J", "no GPU"),
        ),
        latency=record.Latency(
            tuple(10 + i / 100 for i in range(400)), (5,) * 400, measured(12, "ms", "clock"),
            unavailable("ms", "p90 needs 29 samples"), measured(13.96, "ms", "clock"),
            measured(1, "s", "c"), measured(9, "ms", "c"), p50_low_ms=11.8, p50_high_ms=12.2,
        ),
        throughput=record.Throughput(
            (record.BatchRate(8, measured(1000, "comments/s", "clock")),), "no gain"
        ),
        memory=memory,
        energy=record.Energy(
            measured(3.6, "J", "RAPL"), Figure(9, "J", "estimated", "constant"),
            unavailable("J", "no GPU"), 5.0, 100,
        ),
        quality=record.Quality(scores, scores, (), 1.0, 0.0),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **given: str) -> record.Run:
    """Options by name: `machine_price="1"`."""
    blank = (None,) * len(LABELS)
    part = record.Part(tuple(map(str, range(len(LABELS)))), LABELS, blank, blank)
    return record.Run(
        "a-run", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {f"--{name.replace('_', '-')}": value for name, value in given.items()},
        {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {}},
        record.Data(
            "synthetic", "made", "nobody", "fp", "key", 42, 0.5,
            tuple(record.StepRecord(name, 100, 50) for name in ("train", "test")), part, part,
            record.Part((), (), (), ()),
        ),
        cells or (cell(),), True,
    )  # fmt: skip


def untuned(**changed: Any) -> record.CellRecord:
    training = dataclasses.replace(
        cell().training,
        train_s=unavailable("s", NOT_TUNED),
        cpu_j=unavailable("J", NOT_TUNED),  # type: ignore[type-var]
    )
    return cell("llama-zero-shot", training=training, **changed)


def rated(model: str, comments_per_s: float, train_s: float, wrong: int = 10) -> record.CellRecord:
    training = dataclasses.replace(cell().training, train_s=measured(train_s, "s", "clock"))  # type: ignore[type-var]
    rate = record.BatchRate(8, measured(comments_per_s, "comments/s", "clock"))
    return cell(model, wrong, training=training, throughput=record.Throughput((rate,), "no gain"))


def section(found: record.Run) -> str:
    text = markdown.render(found, {}).split("## Budgets and prices\n\n")[1]
    return text.split("\n\n## ")[0]


def entries(text: str, heading: str) -> list[list[str]]:
    """The body of the first table whose header holds the heading."""
    table = next(part for part in text.split("\n\n") if part.startswith("|") and heading in part)
    return [[entry.strip() for entry in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("limit", "verdict", "margin"),
    [
        ("memory_mb=400", "fits", 0.5),
        ("memory_mb=200", "fits", 0.0),
        ("memory_mb=100", "misses", -1.0),
        ("latency_p50_ms=12.2", "fits", 0.2 / 12.2),
        ("latency_p50_ms=12.1", "borderline", 0.1 / 12.1),
        ("latency_p50_ms=11.7", "misses", -0.3 / 11.7),
        ("latency_ms=14", "fits", 0.04 / 14),
        ("latency_ms=13.97", "borderline", 0.01 / 13.97),
        ("throughput_per_s=500", "fits", 1.0),
        ("throughput_per_s=2000", "misses", -0.5),
        ("energy_j=4", "fits", 0.1),
        ("train_s=40", "fits", 0.1),
        ("disk_mb=4", "misses", -0.25),
        ("accuracy=0.8", "fits", 0.125),
        ("accuracy=0.9", "borderline", 0.0),
        ("accuracy=0.99", "misses", -0.09 / 0.99),
    ],
)
def test_who_keeps_within_a_limit_and_by_what_margin(
    limit: str, verdict: str, margin: float
) -> None:
    (fit,) = budgets.fits(run(budget=limit), cell())
    assert fit.verdict == verdict
    assert fit.margin == pytest.approx(margin)


def test_the_bounds_of_a_p99_come_from_the_order_of_its_samples() -> None:
    found = bounds.latency_p99_ms(run(), cell())
    # of 400 samples: 13.99 is the last, and the last but one is too low an upper limit
    assert found.high == pytest.approx(13.99)
    assert 13.85 < found.low < 13.96


def test_noise_makes_a_near_limit_borderline() -> None:
    noisy = dataclasses.replace(run(budget="train_s=37"), noise=measured(21, "%", "loop"))
    (fit,) = budgets.fits(noisy, cell())
    assert fit.verdict == "borderline"
    assert (fit.found.low, fit.found.high) == pytest.approx((36 / 1.1, 36 * 1.1))


def test_an_estimate_may_be_40_percent_off() -> None:
    guess = Figure(1.0, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    verdicts = [
        budgets.fits(run(budget=f"energy_j={limit}"), cell(energy=energy))[0].verdict
        for limit in (0.59, 0.61, 1.39, 1.41)
    ]
    assert verdicts == ["misses", "borderline", "borderline", "fits"]


def test_what_is_not_known_never_fits_and_says_why() -> None:
    few = dataclasses.replace(
        cell().latency,
        p99_ms=unavailable("ms", "p99 needs 299 samples, there are 30"),  # type: ignore[type-var]
    )
    found = run(cell(latency=few), budget="latency_ms=1000,memory_mb=1000")
    assert entries(section(found), "in all") == [
        ["lsa", "unknown", "unknown [1]", "fits, 200 (80 % left)"]
    ]
    assert "- [1] p99 needs 299 samples, there are 30" in section(found)


def test_an_untuned_model_keeps_every_limit_of_training() -> None:
    assert entries(section(run(untuned(), budget="train_s=1")), "in all") == [
        ["llama-zero-shot", "fits", "fits, none"]
    ]


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ("memory_mb=100,latency_p50_ms=12", "misses"),
        ("memory_mb=400,latency_p50_ms=12", "borderline"),
        ("memory_mb=400,latency_p50_ms=13", "fits"),
    ],
)
def test_all_limits_together_are_kept_as_badly_as_the_worst(limits: str, verdict: str) -> None:
    assert budgets.overall(budgets.fits(run(budget=limits), cell())) == verdict


BAD = {
    "budget": {
        "latency=20": "cannot limit 'latency'; it can: latency_ms, latency_p50_ms, throughput_per_s",
        "": "cannot limit ''",
        "memory_mb": "gives memory_mb the limit ''; it takes a number above 0",
        "memory_mb=lots": "the limit 'lots'; it takes a number above 0: peak memory, MB, at most",
        "memory_mb=-1": "the limit '-1'",
        "memory_mb=0": "the limit '0'",
        "memory_mb=nan": "the limit 'nan'",
        "train_s=inf": "the limit 'inf'",
        "accuracy=90": "the limit '90'; it takes a number above 0 and up to 1",
        "train_s=1,train_s=2": "limits train_s twice; give each limit once",
    },
    "electricity-price": {"-0.1": "is -0.1; it takes a number from 0 up, per kWh", "x": "is x"},
    "machine-price": {"nan": "is nan; it takes a number from 0 up, per hour"},
    "api-price": {"inf": "is inf; it takes a number from 0 up, per million comments"},
    "volume": {"0": "is 0; it takes a number from 1 up"},
    "carbon-intensity": {"-1": "is -1; it takes a number from 0 up, per kWh"},
    "p99-limit-ms": {"0": "is 0; it takes a number from 1 up"},
}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [(option, value, text) for option, cases in BAD.items() for value, text in cases.items()],
)
def test_an_option_that_makes_no_sense_is_refused_in_one_line(
    option: str, value: str, message: str
) -> None:
    with pytest.raises(OptionError) as refused:
        options.checked({option.replace("-", "_"): value}.get)
    assert str(refused.value).startswith(f"--{option} ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_pytest_and_the_command_refuse_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.save(run(), tmp_path / "a.json")
    assert cli.main(["report", str(tmp_path / "a.json"), "--budget", "speed=1"]) == 2
    said = capsys.readouterr().err.removeprefix("worthit: ").strip()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / "bench"), "--budget", "speed=1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {said}" in done.stderr.splitlines()


def test_options_are_kept_as_written_and_only_if_given() -> None:
    assert options.checked({"budget": "train_s=1e3", "volume": "5e6"}.get) == {
        "--budget": "train_s=1e3",
        "--volume": "5e6",
    }


def test_a_saved_run_is_rendered_with_other_options_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    record.save(run(machine_price="1", volume="10"), file)
    before = file.read_bytes()
    assert cli.main(["report", str(file), "--budget", "memory_mb=400", "--machine-price", "2"]) == 0
    report = (tmp_path / "a" / "README.md").read_text()
    assert "fits, 200 (50 % left)" in report
    assert "At 2 an hour" in report
    assert "training spread over 10 " in report
    assert file.read_bytes() == before


def test_without_budget_and_prices_the_report_says_what_would_bring_them() -> None:
    text = section(run())
    assert text.count("\n") == 0
    assert "worthit report a-run --budget latency_ms=20" in text


@pytest.mark.parametrize(
    ("given", "scoring", "training", "together"),
    [
        # 1,000 s and 1 kWh a million; 36 s and 0.001 kWh a training
        ({"machine_price": "3.6"}, "1", "0.036", "1.04"),
        ({"electricity_price": "0.5"}, "0.5", "0.0005", "0.5"),
        ({"machine_price": "3.6", "electricity_price": "0.5"}, "1.5", "0.0365", "1.54"),
        ({"machine_price": "3.6", "volume": "1000"}, "1", "0.036", "37"),
        ({"machine_price": "0"}, "0", "0", "0"),
    ],
)
def test_prices_by_hand(given: dict[str, str], scoring: str, training: str, together: str) -> None:
    written = entries(section(run(**given)), "one training")[0]
    assert written == ["lsa", scoring, training, together]


def test_emissions_by_hand() -> None:
    assert entries(section(run(carbon_intensity="400.0")), "CO2e") == [["lsa", "400"]]


def test_a_sum_says_where_its_parts_come_from() -> None:
    guess = Figure(3.6, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    cached = Figure(36.0, "s", "cached", "clock", was="measured")
    training = dataclasses.replace(cell().training, train_s=cached)  # type: ignore[type-var]
    found = run(
        cell(energy=energy, training=training), machine_price="3.6", electricity_price="0.5"
    )
    assert entries(section(found), "one training") == [
        ["lsa", "*≈1.5*", "0.0365 (cached)", "*≈1.54* (cached)"]
    ]
    on_gpu = dataclasses.replace(cell(), device="cuda")
    text = section(run(on_gpu, electricity_price="0.5"))
    assert entries(text, "one training") == [["lsa", "n/a [1]", "n/a [1]", "n/a [1]"]]
    assert "- [1] no GPU" in text
    metered = dataclasses.replace(cell().energy, gpu_j_per_comment=measured(3.6, "J", "NVML"))  # type: ignore[type-var]
    found = run(dataclasses.replace(on_gpu, energy=metered), electricity_price="0.5")
    assert entries(section(found), "one training")[0][1] == "1"


def test_an_untuned_model_pays_no_training() -> None:
    found = run(untuned(), machine_price="3.6")
    assert entries(section(found), "one training") == [["llama-zero-shot", "1", "none", "1"]]


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


def test_a_training_too_short_to_be_metered_is_estimated_by_the_power_of_scoring() -> None:
    energy = dataclasses.replace(cell().energy, comments=200)  # type: ignore[type-var]
    found = run(short("lsa"), cell("llama", energy=energy), electricity_price="3600000", volume="1")
    joules = bounds.training_j(found, found.cells[0])
    assert joules.estimated
    assert "power of scoring; " in joules.figure.instrument
    assert joules.value == pytest.approx(144)
    assert joules.low == pytest.approx(144 * 0.6)
    assert joules.high == pytest.approx(2 * 144 * 1.4)  # llama draws twice as much
    text = section(found)
    assert entries(text, "one training")[0][2] == "*≈144* [1]"
    assert "- [1] the energy of this training was not metered: its time at the power" in text
    assert "n/a" not in text
    assert "against lsa, the cheapest to train" in text
    by_load = run(short("lsa", "estimated"), electricity_price="1")
    assert not bounds.training_j(by_load, by_load.cells[0]).measured_part
    unscored = dataclasses.replace(short("lsa"), energy=None)
    assert bounds.training_j(run(unscored), unscored).figure.reason.startswith("it took 2 s")


def test_a_cached_short_training_stays_an_estimate() -> None:
    cached = Figure(2.0, "s", "cached", "clock", was="measured")
    training = dataclasses.replace(short("lsa").training, train_s=cached)  # type: ignore[type-var]
    found = run(dataclasses.replace(short("lsa"), training=training), electricity_price="3600000")
    assert entries(section(found), "one training")[0][2] == "*≈144* (cached) [1]"


def test_what_is_not_trained_is_not_called_the_cheapest_to_train() -> None:
    text = section(run(untuned(), cell("bert"), short("tfidf"), machine_price="1"))
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


def test_break_even_of_what_is_not_known_is_not_known() -> None:
    unknown = bounds.absent("", "no meter")
    assert prices.break_even(unknown, exact(1), exact(1), exact(2)) is None


def test_break_evens_are_told_against_the_cheapest_to_train_and_the_api() -> None:
    # At 3.6 an hour: a million costs 1,000 / rate, a training its seconds / 1,000.
    quick, slow = rated("lsa", 500, 100), rated("bert", 1000, 1100)
    lost = record.CellRecord("llama", "cpu", 0, failures=("training: out of memory",))
    text = section(run(quick, slow, lost, machine_price="3.6", api_price="1.5"))
    assert entries(text, "against the API") == [
        ["lsa", "", "never"],  # 2 a million
        ["bert", "1,000,000", "2,200,000"],  # 1 more to train, 1 less a million; 1.1 / 0.5
        ["llama", "n/a [1]", "n/a [1]"],
    ]
    assert "against lsa, the cheapest to train" in text


def pair(first: str, second: str, difference: float, low: float, high: float, p: float) -> Pair:
    return Pair(first, second, difference, low, high, p, None, None, None, None)


def test_the_price_of_further_correct_comments_by_hand() -> None:
    # 1, 2, 4 and 10 a million, nothing to train
    models = [rated(name, 1000 / price, 0) for name, price in
              (("lsa", 1), ("tfidf", 2), ("bert", 4), ("llama", 10))]  # fmt: skip
    found = run(*reversed(models), machine_price="3.6")
    told = (
        pair("tfidf-cpu", "lsa-cpu", 0.10, 0.05, 0.20, 0.01),
        pair("bert-cpu", "tfidf-cpu", 0.01, -0.01, 0.03, 0.4),
        pair("llama-cpu", "tfidf-cpu", 0.04, 0.0, 0.08, 0.04),
    )  # fmt: skip
    cheapest, tfidf, bert, llama = prices.gains(found, told)
    assert (cheapest.cell.model, cheapest.over) == ("lsa", None)
    # 1 more a million buys 100,000 more correct, at least 50,000 and at most 200,000
    assert (tfidf.price, tfidf.low, tfidf.high) == pytest.approx((1e-5, 5e-6, 2e-5))
    assert (bert.cell.model, bert.price) == ("bert", None)
    assert llama.over is not None
    assert llama.over.model == "tfidf"  # bert is not worth its price, so nothing is held against it
    assert (llama.price, llama.low, llama.high) == pytest.approx((2e-4, 1e-4, math.inf))
    text = "\n\n".join(prices.section(found, told))
    assert entries(text, "1,000 more correct") == [
        ["lsa", "", "the cheapest"],
        ["tfidf", "lsa", "0.01 (0.005 to 0.02)"],
        ["bert", "tfidf", "no supported gain"],
        ["llama", "tfidf", "0.2 (0.1 to no bound)"],
    ]


def test_who_is_dearer_and_worse_gains_nothing() -> None:
    found = run(rated("lsa", 1000, 0), rated("tfidf", 500, 0), machine_price="3.6")
    worse = (pair("tfidf-cpu", "lsa-cpu", -0.1, -0.2, -0.05, 0.01),)
    assert prices.gains(found, worse)[1].price is None


def test_costs_made_of_estimates_alone_rank_nobody() -> None:
    guess = Figure(1.0, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    training = dataclasses.replace(cell().training, cpu_j=guess)  # type: ignore[type-var]
    pair = [cell(name, energy=energy, training=training) for name in ("lsa", "tfidf")]
    found = run(*pair, electricity_price="1", api_price="1")
    assert prices.gains(found, ()) == ()
    assert "the cheapest" not in section(found)
    assert entries(section(found), "against the API")[0][1].startswith("*≈")


def test_the_same_run_is_told_the_same_way() -> None:
    found = run(
        cell(), untuned(), cell("bert", 2), machine_price="1", api_price="9", budget="accuracy=0.9"
    )
    assert section(found) == section(found)
    assert "no supported gain" in section(found)
