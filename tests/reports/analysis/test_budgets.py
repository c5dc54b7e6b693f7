"""reports/analysis/budgets.py and the options of reports, computed by hand."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.priced_runs import cell, run, sections, untuned
from tests.rendering import entries, render
from worthit.bench.saved import record, run_file
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.errors import OptionError
from worthit.reports import options
from worthit.reports.analysis import bounds, budgets
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.budgets import Fit
from worthit.reports.cli import main

ROOT = Path(main.__file__).parents[2]


def fits(found: record.Run) -> tuple[Fit, ...]:
    """The fits of the only cell of a run."""
    return Analysis.of(found).fits[found.cells[0].name]


@pytest.mark.parametrize(
    ("limit", "kind", "margin"),
    [
        ("memory_mb=400", "fits", 0.5),
        ("memory_mb=215", "fits", 0.15 / 2.15),
        ("memory_mb=214", "borderline", 0.14 / 2.14),
        ("memory_mb=187", "borderline", -0.13 / 1.87),
        ("memory_mb=186", "misses", -0.14 / 1.86),
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
def test_a_figure_fits_a_limit_by_a_margin(limit: str, kind: str, margin: float) -> None:
    (fit,) = fits(run(budget=limit))
    assert fit.kind == kind
    assert fit.margin == pytest.approx(margin)


def test_the_bounds_of_a_p99_come_from_the_order_of_its_samples() -> None:
    found = bounds.latency_p99_ms(run(), cell())
    # of 400 samples: 13.99 is the last, and the last but one is too low an upper limit
    assert found.high == pytest.approx(13.99)
    assert 13.85 < found.low < 13.96
    timed = cell().latency
    assert timed is not None
    again = dataclasses.replace(timed, samples_ms=timed.samples_ms * 8, comments=400)
    passes = bounds.latency_p99_ms(run(), cell(latency=again))
    assert (passes.low, passes.high) == pytest.approx((found.low, found.high))


def test_noise_widens_the_bounds_of_latency_as_an_independent_cause() -> None:
    quiet, noisy = run(), dataclasses.replace(run(), noise=measured(21, "%", "loop"))
    for bound in (bounds.latency_p50_ms, bounds.latency_p99_ms):
        before, after = (bound(one, one.cells[0]) for one in (quiet, noisy))
        assert before.value is not None
        above = math.hypot(math.log(1.1), math.log(before.high / before.value))
        below = math.hypot(math.log(1.1), math.log(before.value / before.low))
        assert after.high == pytest.approx(before.value * math.exp(above))
        assert after.low == pytest.approx(before.value * math.exp(-below))


def test_noise_makes_a_near_limit_borderline() -> None:
    noisy = dataclasses.replace(run(budget="train_s=37"), noise=measured(21, "%", "loop"))
    (fit,) = fits(noisy)
    assert fit.kind == "borderline"
    assert (fit.figure.low, fit.figure.high) == pytest.approx((36 / 1.1, 36 * 1.1))


def test_an_estimate_never_decides_whether_a_limit_holds() -> None:
    guess = Figure(1.0, "J", "estimated", "load")
    energy = dataclasses.replace(cell().energy, cpu_j_per_comment=guess)  # type: ignore[type-var]
    for limit in ("0.001", "1000"):
        found = run(cell(energy=energy), budget=f"energy_j={limit}")
        assert fits(found)[0].kind == "unknown"
        assert entries(sections(found), "in all")[0][1:] == ["unknown", "unknown, *≈1* [1]"]
        assert "- [1] an estimate never decides whether a limit holds" in sections(found)


def test_an_unknown_figure_never_fits_and_says_why() -> None:
    few = dataclasses.replace(
        cell().latency,
        p99_ms=unavailable("ms", "p99 needs 299 samples, there are 30"),  # type: ignore[type-var]
    )
    found = run(cell(latency=few), budget="latency_ms=1000,memory_mb=1000")
    assert entries(sections(found), "in all") == [
        ["lsa", "unknown", "unknown [1]", "fits, 200 (80 % left)"]
    ]
    assert "- [1] p99 needs 299 samples, there are 30" in sections(found)


def test_an_untuned_model_fits_every_limit_of_training() -> None:
    assert entries(sections(run(untuned(), budget="train_s=1")), "in all") == [
        ["llama-zero-shot", "fits", "fits, none"]
    ]


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ("memory_mb=100,latency_p50_ms=12", "misses"),
        ("memory_mb=400,latency_p50_ms=12", "borderline"),
        ("memory_mb=400,latency_p50_ms=13", "fits"),
    ],
)
def test_all_limits_together_fit_as_the_worst_one(limits: str, kind: str) -> None:
    assert budgets.overall(fits(run(budget=limits))) == kind


BAD = {
    "budget": {
        "latency=20": "cannot limit 'latency'; it can limit: accuracy, train_s, latency_p50_ms",
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
    "machine-price": {
        "nan": "is nan; it takes a number from 0 up, per hour",
        "gpu=1": "cannot price 'gpu'; it can price: core (one CPU core), cuda (the cuda accelerator)",
        "core=1,core=2": "prices core twice; give each price once",
        "core=-1": "gives core the price '-1'; it takes a number from 0 up, per hour",
        "core=": "gives core the price ''",
    },
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


def test_pytest_and_the_command_refuse_with_the_same_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_file.save(run(), tmp_path / "a.json")
    assert main.main(["report", str(tmp_path / "a.json"), "--budget", "speed=1"]) == 2
    message = capsys.readouterr().err.removeprefix("worthit: ").strip()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / "bench"), "--budget", "speed=1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in done.stderr.splitlines()


def test_options_are_saved_as_written_and_only_if_given() -> None:
    assert options.checked({"budget": "train_s=1e3", "volume": "5e6"}.get) == {
        "--budget": "train_s=1e3",
        "--volume": "5e6",
    }


@pytest.mark.usefixtures("without_pictures")
def test_a_saved_run_is_rendered_with_other_options_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    run_file.save(run(machine_price="1", volume="10"), file)
    before = file.read_bytes()
    assert (
        main.main(["report", str(file), "--budget", "memory_mb=400", "--machine-price", "2"]) == 0
    )
    report = (tmp_path / "a-options" / "README.md").read_text()
    assert "fits, 200 (50 % left)" in report
    assert "Given: 2 per hour" in report
    assert "training spread over 10 " in report
    assert file.read_bytes() == before


def test_without_budget_and_prices_the_report_names_the_options() -> None:
    assert sections(run()) == ""
    (hint,) = (line for line in render(run()).splitlines() if "--budget" in line)
    assert "Options of `worthit report a-run`: `--budget latency_ms=20" in hint
    assert "--machine-price" in hint
    assert "--carbon-intensity" in hint
    limited = render(run(budget="memory_mb=400", machine_price="1", carbon_intensity="1"))
    assert "Options of `worthit" not in limited


def test_the_section_opens_with_the_models_within_the_budget() -> None:
    text = sections(run(cell("lsa"), cell("bert", 0), budget="accuracy=0.9"))
    assert "Within the whole budget: bert." in text
    assert "Borderline](#term-borderline): lsa." in text
    assert "Within the whole budget: no model." in sections(run(budget="accuracy=0.99"))
