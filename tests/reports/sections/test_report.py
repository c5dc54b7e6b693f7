"""reports/sections/report.py and the sections without tests of their own."""

import dataclasses
import re
from typing import Any

import pytest

from tests import factories
from tests.rendering import brief, entries, render, row, section
from tests.small_runs import GOOD, cell, run
from worthit.bench.instruments.machine_noise import NOISY_PERCENT
from worthit.bench.saved import record
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.reports.pictures import titles
from worthit.reports.sections import costs, glossary, report, results_table
from worthit.reports.text.format import Footnotes, span, written


def test_entries_show_their_origin_and_a_missing_one_its_reason() -> None:
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


def test_instruments_are_named_once_if_they_are_the_same_for_all_models() -> None:
    trained = cell().training
    assert trained is not None
    untimed = unavailable("s", "not measured")
    first = dataclasses.replace(trained, cpu_s=untimed, cpu_j=Figure(3, "J", "estimated", "a", 9))
    more = dataclasses.replace(first, cpu_j=Figure(4, "J", "estimated", "a", 1_200))
    none = dataclasses.replace(first, cpu_j=unavailable("J", "too short"))
    same = run(cell(training=first), cell(model="b", training=more), cell(model="c", training=none))
    text = results_table.figure_table(same, "training")
    assert text.endswith("- [2] too short\n- read from: a (n = 9 to 1,200)")
    other = dataclasses.replace(first, cpu_j=Figure(4, "J", "measured", "b"))
    both = run(cell(training=first), cell(device="mps", training=other))
    text = results_table.figure_table(both, "training")
    rows = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| lsa")]
    assert rows == ["a (n = 9)", "b"]
    assert "- read from" not in text


def test_accelerator_columns_appear_only_if_a_cell_has_used_one() -> None:
    on_cpu = cell()
    assert "accelerator memory" not in render(run(on_cpu))
    assert "first call of a length" not in render(run(on_cpu))
    latency = dataclasses.replace(
        on_cpu.latency,  # type: ignore[type-var]
        first_shape_ms=measured(61, "ms", "clock"),
    )
    memory = dataclasses.replace(factories.memory(), accelerator_peak_mb=measured(1_234, "MB", "t"))
    on_gpu = cell(device="cuda", latency=latency, memory=memory)
    text = render(run(dataclasses.replace(on_cpu, memory=factories.memory()), on_gpu))
    results = entries(text, "accelerator memory, MB")
    assert ["1,234" in row for row in results] == [False, True, False]
    assert any("61" in row for row in entries(text, "first call of a length, ms"))


def test_latency_by_length_and_serving_are_shown() -> None:
    samples, characters = (1.0, 2.0, 3.0, 4.0), (10, 20, 30, 40)
    latency = dataclasses.replace(
        cell().latency,  # type: ignore[type-var]
        samples_ms=samples, characters=characters, p50_low_ms=2.45, p50_high_ms=2.55, ended_by="precision",
        comments=2,
    )  # fmt: skip
    text = section(run(cell(latency=latency), options={"--p99-limit-ms": "3"}), "Latency")
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
    assert "none, even without a queue" in text
    assert "of which 99 % are answered within 3 ms" in text
    assert "for 99 % of requests, this machine can [serve](#term-serving) no model" in text


def test_serving_is_simulated_with_all_workers_and_in_batches() -> None:
    calls = (record.BatchTime(8, measured(4.0, "ms", "clock")),)
    timed = dataclasses.replace(
        cell().latency,  # type: ignore[type-var]
        samples_ms=(2.0,), characters=(5,), comments=1, batches=calls,
    )  # fmt: skip
    both_cores = factories.throughput(500.0, machine_per_s=1_000.0)
    text = section(run(cell(latency=timed, throughput=both_cores)), "Latency")
    workers, alone, batched = entries(text, "all that wait in a batch")[0][1:4]
    assert workers == "2"
    assert 900 < float(alone) < 1_000  # requests of 2 ms keep two workers busy at 1,000/s
    assert batched.endswith("(up to 8)")
    assert float(batched.split()[0].replace(",", "")) > 3_000
    assert f"by simulation, at most {alone} requests/s one at a time (lsa)" in text
    unknown = "p99 needs 299 comments, there are 2: 1 request in 100 may take longer than simulated"
    assert f"- [1] {unknown}" in text
    assert entries(text, "all that wait in a batch")[0][0] == "lsa [1]"


def test_a_limit_missed_in_batches_only_is_no_rate_of_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer requests are simulated in batches, so a limit near the 99th percentile may be missed there."""
    monkeypatch.setattr(
        costs, "highest_rate_per_s", lambda *given, in_batches=False: None if in_batches else 5.0
    )
    calls = (record.BatchTime(8, measured(4.0, "ms", "clock")),)
    timed = dataclasses.replace(cell().latency, batches=calls)  # type: ignore[type-var]
    text = section(run(cell(latency=timed)), "Latency")
    assert entries(text, "all that wait in a batch")[0][2:4] == [
        "5", "none, even without a queue (up to 8)",
    ]  # fmt: skip


def test_several_seeds_have_a_mean_and_a_standard_deviation() -> None:
    flipped = tuple(1 - score for score in GOOD)
    bad = record.Quality(flipped, flipped, flipped, 1.0, 0.25)
    text = section(run(cell(), cell(seed=1, quality=bad)), "Seeds")
    assert entries(text, "seeds")[0][:3] == ["lsa", "2", "50.0 % ± 56.6 %"]
    assert "differ most for lsa, by up to 80.0 points of test accuracy" in text


def test_models_with_one_seed_are_named_with_what_is_not_covered() -> None:
    fixed = cell(model="tfidf", setup=factories.setup(seeded=False))
    text = section(run(cell(), fixed), "Seeds")
    assert "Trained once: lsa. These intervals cover the test comments, not what another" in text
    assert "Deterministic, so one training is enough: tfidf." in text


def test_several_seeds_are_one_row_of_the_results() -> None:
    flipped = tuple(1 - score for score in GOOD)
    bad = record.Quality(flipped, flipped, flipped, 1.0, 0.25)
    text = section(run(cell(), cell(seed=1, quality=bad, latency=None)), "Results")
    result, majority = entries(text, "train acc")
    assert majority[0] == "*majority class*"
    assert result[:3] == ["lsa", "50.0 %", "50.0 % (0.0 % to 100.0 %)"]
    assert "Accuracies and ROC AUC are means of 2 trainings of lsa" in text


def test_thread_pools_and_sample_counts_are_shown() -> None:
    setup = factories.setup(thread_pools={"blas openblas": 2})
    speed = measured(9.0, "ms", "a clock", samples=1_234)
    timed = dataclasses.replace(cell().latency, p50_ms=speed)  # type: ignore[type-var]
    text = render(run(cell(setup=setup, latency=timed), cell()))
    assert "blas openblas 2" in text
    assert "a clock (n = 1,234)" in text


def test_the_report_contains_the_figures_of_the_run() -> None:
    text = render(run())
    for expected in ("90.0 % (69.9 % to 97.2 %)", "1.5 (cached)", "12,346", "0.25", "n/a [1]",
                     "p99 needs 299 comments", "components 100", "25.0 %", "made comments"):  # fmt: skip
        assert expected in text
    assert render(run()) == text


@pytest.mark.parametrize(
    ("noise", "warned"),
    [(None, False), (NOISY_PERCENT - 0.1, False), (NOISY_PERCENT, True)],
)
def test_a_report_from_a_noisy_machine_says_so_at_its_top(
    noise: float | None, warned: bool
) -> None:
    figure = unavailable("%", "too short") if noise is None else measured(noise, "%", "p95 over p5")
    text = render(run(noise=figure))
    assert ("**Warning: this machine was noisy" in text.split("\n\n")[2]) == warned
    if warned:
        assert "\n" not in text.split("\n\n")[2]
    machine = section(run(noise=figure), "Machine and options")
    assert ("not measured" in machine) == (noise is None)


def test_the_machine_table_shows_the_fingerprint() -> None:
    machine = run().machine | {"fingerprint": "0123456789abcdef"}
    assert "0123456789abcdef" in section(run(machine=machine), "Machine and options")


def test_failed_and_skipped_cells_have_a_row_and_a_reason() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    skipped = record.CellRecord("llama", "cuda", 0, skipped="no CUDA device answers")
    text = section(run(cell(), failed, skipped), "Models")
    assert "bert-cpu: training: out of memory" in text
    assert "llama-cuda was skipped: no CUDA device answers" in text
    rows = entries(section(run(cell(), failed, skipped), "Results"), "test acc")
    assert [row[0] for row in rows] == ["lsa-cpu", "bert-cpu", "llama-cuda", "*majority class*"]
    assert all(entry.startswith("n/a [") for entry in rows[1][1:])


def test_the_energy_section_shows_gross_net_idle_and_doubts() -> None:
    text = section(run(), "Energy")
    assert entries(text, "idle before, W")[0][1:6] == ["0.002", "0.00025", "0.0002", "3", "4"]
    for expected in ("CPU time, s/comment", "One training run",
                     "CPU idled at 3 W before and 4 W after; its net figures are doubtful"):  # fmt: skip
        assert expected in text
    calm = dataclasses.replace(cell().energy, idle_disagreement="")  # type: ignore[type-var]
    assert "doubtful" not in section(run(cell(energy=calm)), "Energy")


def spent(cpu: Figure, **changed: Any) -> record.CellRecord:
    blind = unavailable("J", cpu.reason or "x")
    return cell(
        energy=factories.energy(cpu, cpu_net_j_per_comment=blind, **changed),
    )


def test_energy_without_a_counter_says_why_and_how_to_get_it_beside_cpu_time() -> None:
    found = run(spent(unavailable("J", "there is no counter (RAPL)")))
    text = section(found, "Energy")
    assert entries(text, "CPU time, s/comment")[0][1] == "0.002"
    assert "is not available: there is no counter (RAPL). `--cpu-watts` of `pytest bench/`" in text
    assert "CPU energy" not in section(found, "Results")


def test_an_estimate_of_energy_shows_its_formula_and_no_range() -> None:
    formula = "65 W (--cpu-watts) × CPU time / 8 logical processors"
    guess = Figure(0.1, "J", "estimated", formula, reason=f"an estimate, not metered: {formula}")
    text = section(run(spent(guess)), "Energy")
    assert "is an estimate from CPU time and the watts of `--cpu-watts`" in text
    assert "*≈0.1* [1]" in text
    assert f"- [1] an estimate, not metered: {formula}" in text


def test_an_idle_card_has_a_column_where_there_is_one() -> None:
    joules = measured(0.1, "J", "codecarbon: RAPL")
    idle = measured(79.0, "W", "codecarbon: NVML")
    text = section(run(spent(joules, idle_gpu_w=idle)), "Energy")
    assert "79" in entries(text, "idle GPU, W")[0]
    assert "idle GPU, W" not in section(run(spent(joules)), "Energy")


def test_an_untuned_model_has_no_training_accuracy() -> None:
    training = dataclasses.replace(cell().training, train_s=unavailable("s", "not tuned"))  # type: ignore[type-var]
    text = render(run(cell(training=training)))
    assert "not tuned" in text


def test_the_terminal_table_fits_80_columns() -> None:
    names = ("lsa", "llama-zero-shot")
    cells = [cell(model=name, seed=seed) for name in names for seed in range(2)]
    reason = "training: out of memory: tried to allocate 2.50 GiB of 12 GiB; give --max-length 64"
    lost = record.CellRecord("llama-qlora", "cpu", 0, failures=(reason,))
    text = brief(run(*cells, lost))
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert "*" not in text
    assert "the majority class alone gives 50.0 %" in text.replace("\n", " ")
    assert max(map(len, text.splitlines())) <= 80
    assert "No verdict: this run has no fine-tuned LLM with test scores." in brief(run())


def test_the_majority_class_is_a_row_wherever_accuracy_is() -> None:
    characters = (5, 6, 70, 80) * 5
    labels = (1, 1, 1, 0) * 5
    test = factories.part(labels, characters=characters)
    text = render(run(data=factories.data(test, validation=factories.part())))
    for heading in ("Results", "Quality", "Where models err"):
        found = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        assert "| *majority class* " in found
    by_length = text.split("Accuracy by length, in quarters")[1].split("Accuracy by agr")[0]
    # Each quarter has comments of one class only.
    assert row(by_length, "*majority class*")[1:] == ["100.0 %"] * 4


def test_a_machine_of_one_core_has_no_cores() -> None:
    alone = run(machine=factories.MACHINE | {"cores_allowed": 1})
    assert "; a CPU, 1 core; 2026-01-02." in report.headline(alone)


def test_the_first_screen_has_verdict_results_and_the_picture_of_the_frontier() -> None:
    text = render(run(), {titles.FRONTIER: "frontier.png", titles.ROC: "roc.png"})
    positions = [
        text.index(part)
        for part in ("# worthit run", "Preset `quick`", "## No verdict", "## Results",
                     "](frontier.png)", "## Frontier", "## Quality", "](roc.png)")
    ]  # fmt: skip
    assert positions == sorted(positions)


def test_an_interrupted_run_says_so() -> None:
    assert "**Cells are missing: the run was interrupted, or some were deselected.**" in render(
        run(complete=False)
    )
    assert "interrupted" not in render(run())


def test_a_run_that_was_continued_says_how_long_it_was_interrupted() -> None:
    started, finished = "2026-01-02T03:00:00+00:00", "2026-01-02T05:00:00+00:00"
    whole = run(started_at=started, finished_at=finished, wall_s=7_199.5)
    assert "It took 120.0 minutes." in render(whole)
    continued = render(dataclasses.replace(whole, wall_s=5_400.0))
    assert (
        "It took 90.0 minutes, with breaks of 30.0 minutes: it was interrupted and continued."
        in continued
    )


def test_the_glossary_defines_exactly_the_linked_terms() -> None:
    text = render(run())
    links = set(re.findall(r"\]\(#([^)]*)\)", text))
    anchors = re.findall(r'<a id="([^"]*)"></a>', text)
    assert len(anchors) > 5
    assert set(anchors) == links
    assert len(anchors) == len(set(anchors))
    assert "term-borderline" not in anchors  # the run has no budget
    priced = render(run(options={"--budget": "memory_mb=1", "--machine-price": "1"}))
    assert '<a id="term-borderline"></a>' in priced
    assert "p99 has a lower and an upper limit of 95 % confidence each" in priced


def test_a_link_to_an_unknown_term_is_an_error() -> None:
    with pytest.raises(LookupError, match="the glossary has no term 'accurracy'"):
        glossary.link("accurracy")
    assert glossary.link("ROC AUC", "area") == "[area](#term-roc-auc)"


def test_no_anchor_of_a_term_is_an_anchor_of_a_heading() -> None:
    text = render(run())
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines()
                if line.startswith("#")}  # fmt: skip
    assert headings.isdisjoint(re.findall(r'<a id="([^"]*)"', text))


def test_every_fold_is_closed() -> None:
    text = render(run(cell(), cell(seed=1)))
    assert text.count("<details>") == text.count("</details>") > 3


def test_a_span_names_all_models_at_its_ends() -> None:
    figures = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 1.0}
    known = {model: measured(value, "ms", "c") for model, value in figures.items()}
    assert span(known, "ms") == "1 ms (a and d) to 3 ms (b)"
    assert span({"a": known["a"], "x": unavailable("ms", "no clock")}) == "1 (a)"
    assert span({"x": unavailable("ms", "no clock")}) == "not available"


@pytest.mark.parametrize(
    ("rates", "remark"),
    [
        ((66.5, 123.0, 147.0, 142.0), ""),  # it fell
        ((66.5, 123.0, 147.0, 151.0), ""),  # within the 3 % that do not count
        ((66.5, 123.0, 147.0, 152.0), "still rising"),
    ],
)
def test_a_rate_is_rising_only_if_it_rose(rates: tuple[float, ...], remark: str) -> None:
    batches = [
        factories.rate(rate, size) for size, rate in zip((1, 8, 32, 128), rates, strict=True)
    ]
    swept = cell(throughput=factories.throughput(*batches, ended_by="largest size"))
    text = section(run(swept), "Throughput")
    assert entries(text, "at the end")[0][5] == remark
    assert ("Still rising at the largest batch: lsa." in text) == bool(remark)
