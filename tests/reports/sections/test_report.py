"""reports/sections/report.py: what is rendered is what was saved."""

import dataclasses

import pytest

from tests import factories
from tests.small_runs import GOOD, LABELS, cell, run
from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.analysis import metrics
from worthit.reports.compare import repeat
from worthit.reports.sections import figure_table, report, results_table
from worthit.reports.text.format import Footnotes, written


def test_provenance_is_told_apart_and_missing_is_never_zero() -> None:
    notes = Footnotes()
    assert written(measured(12_345.6, "s", "c"), notes) == "12,346"
    assert written(measured(0.000123456, "s", "c"), notes) == "0.000123"
    assert written(Figure(1.5, "s", "estimated", "c"), notes) == "*≈1.5*"
    assert written(Figure(1.5, "s", "cached", "c"), notes) == "1.5 (cached)"
    cached_estimate = Figure(1.5, "J", "cached", "c", was="estimated")
    assert written(cached_estimate, notes) == "*≈1.5* (cached)"
    assert written(unavailable("s", "no clock"), notes) == "n/a [1]"
    assert written(unavailable("s", "no clock"), notes) == "n/a [1]"
    assert written(unavailable("s", "other"), notes) == "n/a [2]"
    assert notes.lines() == ["[1] no clock", "[2] other"]


def test_instruments_are_told_once_where_all_models_are_read_alike() -> None:
    trained = cell().training
    assert trained is not None
    first = dataclasses.replace(trained, cpu_j=Figure(3, "J", "estimated", "a", 9))
    more = dataclasses.replace(first, cpu_j=Figure(4, "J", "estimated", "a", 1_200))
    none = dataclasses.replace(first, cpu_j=unavailable("J", "too short"))
    alike = run(cell(training=first), cell(training=more), cell(training=none))
    text = figure_table.figures(alike, "training", ["CPU, J"], ["cpu_j"])
    assert text.endswith("- [1] too short\n- read from: a (n = 9 to 1,200)")
    other = dataclasses.replace(first, cpu_j=Figure(4, "J", "measured", "b"))
    text = figure_table.figures(
        run(cell(training=first), cell(training=other)), "training", ["CPU, J"], ["cpu_j"]
    )
    rows = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| lsa")]
    assert rows == ["a (n = 9)", "b"]
    assert "- read from" not in text


def test_latency_by_length_and_serving_are_told() -> None:
    samples, characters = (1.0, 2.0, 3.0, 4.0), (10, 20, 30, 40)
    latency = dataclasses.replace(
        cell().latency,  # type: ignore[type-var]
        samples_ms=samples, characters=characters, p50_low_ms=2.45, p50_high_ms=2.55, ended_by="precision",
        comments=2,
    )  # fmt: skip
    text = report.render(run(cell(latency=latency), options={"--p99-limit-ms": "3"}), {})
    row = next(
        line for line in text.splitlines() if "precision" in line and line.startswith("| lsa")
    )
    assert [entry.strip() for entry in row.split("|")][2:10] == [
        "1",
        "2",
        "3",
        "4",
        "2",
        "4",
        "2.0 %",
        "precision",
    ]
    assert "none: misses it without any queue" in text
    assert "answered within 3 ms" in text


def test_seeds_are_summed_up_where_there_are_several() -> None:
    flipped = tuple(1 - score for score in GOOD)
    bad = record.Quality(flipped, flipped, flipped, 1.0, 0.25)
    text = report.render(run(cell(), cell(seed=1, quality=bad)), {})
    section = text.split("## Over seeds")[1].split("##")[0]
    (row,) = [line for line in section.splitlines() if "±" in line]
    assert [entry.strip() for entry in row.split("|")][1:4] == ["lsa-cpu", "2", "0.500 ± 0.566"]
    assert "## Over seeds" not in report.render(run(), {})


def test_repeats_are_compared_figure_by_figure() -> None:
    slower = dataclasses.replace(
        cell(),
        latency=dataclasses.replace(cell().latency, p50_ms=measured(3.0, "ms", "c")),  # type: ignore[type-var]
    )
    (row,), agreements = repeat.compared(run(cell()), run(slower))
    assert row == ["lsa-cpu", "1.00", "2.00", "n/a", "1.00", "n/a", "1.00", "same"]
    assert agreements == ["same"]
    moved = (*GOOD[:-1], GOOD[-1] + 0.25)
    other = dataclasses.replace(cell(), quality=record.Quality(GOOD, moved, GOOD, 1.0, 0.25))
    (row,), agreements = repeat.compared(run(cell()), run(other))
    assert row[-1] == "differ by up to 0.25"
    assert agreements == [row[-1]]


def test_thread_pools_and_sample_counts_are_told() -> None:
    setup = factories.setup(thread_pools={"blas openblas": 2})
    speed = measured(9.0, "ms", "a clock", samples=1_234)
    timed = dataclasses.replace(cell().latency, p50_ms=speed)  # type: ignore[type-var]
    text = report.render(run(cell(setup=setup, latency=timed), cell()), {})
    assert "blas openblas 2" in text
    assert "a clock (n = 1,234)" in text


def test_the_report_holds_what_the_run_holds() -> None:
    text = report.render(run(), {})
    for expected in ("90.0 % (69.9 % to 97.2 %)", "1.5 (cached)", "12,346", "*≈0.25*", "n/a [1]",
                     "p99 needs 299 comments", "components 100", "25.0 %", "made comments"):  # fmt: skip
        assert expected in text
    assert report.render(run(), {}) == text


@pytest.mark.parametrize(
    ("noise", "warned"),
    [(None, False), (NOISY_PERCENT - 0.1, False), (NOISY_PERCENT, True)],
)
def test_a_report_from_a_noisy_machine_says_so_at_its_top(
    noise: float | None, warned: bool
) -> None:
    figure = unavailable("%", "too short") if noise is None else measured(noise, "%", "p95 over p5")
    text = report.render(run(noise=figure), {})
    assert ("**Warning: this machine was noisy" in text.split("\n\n")[1]) == warned
    if warned:
        assert text.split("\n\n")[1].count("\n") == 0
    assert ("not measured" in text.split("## Machine")[1]) == (noise is None)


def test_the_machine_table_shows_the_fingerprint() -> None:
    machine = run().machine | {"fingerprint": "0123456789abcdef"}
    assert "0123456789abcdef" in report.render(run(machine=machine), {}).split("## Machine")[1]


def test_failed_and_skipped_cells_keep_their_row_and_their_reason() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    skipped = record.CellRecord("llama", "cuda", 0, skipped="no CUDA device answers")
    text = report.render(run(cell(), failed, skipped), {})
    assert "bert-cpu: training: out of memory" in text
    assert "llama-cuda was skipped: no CUDA device answers" in text
    rows = results_table.rows(results_table.RESULTS, run(cell(), failed, skipped), Footnotes())
    assert [row[0] for row in rows] == ["lsa-cpu", "bert-cpu", "llama-cuda"]
    assert all(entry.startswith("n/a [") for entry in rows[1][1:])


def energy_section(found: record.Run) -> str:
    return report.render(found, {}).split("## Energy")[1].split("\n## ")[0]


def test_the_energy_section_shows_gross_net_idle_and_doubts() -> None:
    text = energy_section(run())
    for expected in ("*≈0.00025*", "*≈0.0002*", "*≈3*", "*≈4*", "a constant", "One training run",
                     "CPU idled at 3 W before and 4 W after; its net figures are doubtful"):  # fmt: skip
        assert expected in text
    calm = dataclasses.replace(cell().energy, idle_disagreement="")  # type: ignore[type-var]
    assert "doubtful" not in energy_section(run(cell(energy=calm)))


def test_an_estimate_that_could_be_a_measurement_says_how() -> None:
    blind = Figure(0.1, "J", "estimated", "codecarbon", reason="run as root")
    spent = dataclasses.replace(cell().energy, cpu_j_per_comment=blind)  # type: ignore[type-var]
    text = energy_section(run(cell(energy=spent)))
    assert "*≈0.1* [1]" in text
    assert "- [1] run as root" in text


def test_an_untuned_model_has_no_training_accuracy() -> None:
    training = dataclasses.replace(cell().training, train_s=unavailable("s", "not tuned"))  # type: ignore[type-var]
    text = report.render(run(cell(training=training)), {})
    assert "not tuned" in text


def test_the_terminal_table_fits_80_columns() -> None:
    names = ("lsa", "llama-zero-shot")
    cells = [cell(model=name, seed=seed) for name in names for seed in range(2)]
    reason = "training: out of memory: tried to allocate 2.50 GiB of 12 GiB; give --max-length 64"
    lost = record.CellRecord("llama-qlora", "cpu", 0, failures=(reason,))
    text = report.brief(run(*cells, lost))
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert "*" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "No verdict: this run has no fine-tuned LLM with test scores." in report.brief(run())


def test_quality_figures_by_hand() -> None:
    found = metrics.accuracy(GOOD, LABELS)
    assert found is not None
    assert found.value == 0.9
    assert found.low < 0.9 < found.high
    assert metrics.confusion(GOOD, LABELS).tolist() == [[9, 1], [1, 9]]
    assert metrics.roc_auc((0.9, 0.1, 0.8, 0.7), (1, 0, 1, 0)) == 1.0
    assert metrics.roc_auc((0.9, 0.8), (1, 1)) is None
    precision, recall = (
        metrics.precision((0.9, 0.9, 0.1), (1, 0, 1)),
        metrics.recall((0.9, 0.9, 0.1), (1, 0, 1)),
    )
    assert precision is not None
    assert recall is not None
    assert (precision.value, recall.value) == (0.5, 0.5)
    assert metrics.precision((0.1, 0.2), (0, 1)) is None
