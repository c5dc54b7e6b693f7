"""reports/ and bench/record.py: what is saved is checked, what is rendered is what was saved."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worthit.bench import record, repeat
from worthit.bench.noise import NOISY_PERCENT
from worthit.bench.record import Figure, measured, unavailable
from worthit.datasets.errors import RunError
from worthit.reports import cli, columns, markdown, quality, readme, report

LABELS = (1, 0) * 10
GOOD = (0.9, 0.2) * 9 + (0.4, 0.6)


def part(labels: tuple[int, ...] = LABELS) -> record.Part:
    blank = (None,) * len(labels)
    return record.Part(tuple(f"{i:08x}" for i in range(len(labels))), labels, blank, blank)


def cell(**changed: Any) -> record.CellRecord:
    speed = measured(12_345.6, "comments/s", "perf_counter")
    base = record.CellRecord(
        "lsa", "cpu", 0,
        setup=record.Setup({"components": 100}, None, None, "a CPU", None, 2, "3.11", {"numpy": "2"}),
        training=record.Training(
            Figure(1.5, "s", "cached", "perf_counter"),
            record.Memory(measured(700, "MB", "VmHWM"), measured(300, "MB", "rss"), unavailable("MB", "on the CPU")),
            "2026-01-02T03:04:05+00:00", {"components": 100}, "lsa-abc",
            measured(1, "MB", "sizes"), 1000, 1000, 20, 0.0,
        ),
        latency=record.Latency(
            (1.0, 2.0), (5, 6), measured(1.5, "ms", "c"), unavailable("ms", "p90 needs 29 samples"),
            unavailable("ms", "p99 needs 299 samples, there are 2"), measured(1, "s", "c"), measured(9, "ms", "c"),
        ),
        throughput=record.Throughput((record.BatchRate(8, speed),), ended_by="no gain"),
        energy=record.Energy(
            Figure(0.00025, "J", "estimated", "codecarbon: rated power x load"),
            Figure(0.1, "J", "estimated", "codecarbon"), unavailable("J", "no GPU"),
            5.0, 100,
            cpu_net_j_per_comment=Figure(0.0002, "J", "estimated", "codecarbon: rated power x load"),
            ram_net_j_per_comment=unavailable("J", "a constant"),
            gpu_net_j_per_comment=unavailable("J", "no GPU"),
            idle_before_w=Figure(3, "W", "estimated", "codecarbon"),
            idle_after_w=Figure(4, "W", "estimated", "codecarbon"),
            idle_disagreement="CPU idled at 3 W before and 4 W after",
        ),
        quality=record.Quality(GOOD, GOOD, GOOD, 1.0, 0.25),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    base = record.Run(
        "2026-01-02-quick", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {"--preset": "quick"}, {"cpu": "a CPU", "cores_allowed": 2, "accelerators": [], "libraries": {"torch": "2"}},
        record.Data(
            "synthetic", "made comments", "nobody", "fp", "key", 42, 0.1,
            tuple(record.StepRecord(name, 20, 10) for name in ("balanced", "train", "test", "natural")),
            part(), part(), part(),
        ),
        cells or (cell(),), True,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


@pytest.mark.parametrize(
    "bad",
    [
        {"value": None, "origin": "measured"},
        {"value": 0.0, "origin": "unavailable", "reason": "x"},
        {"value": None, "origin": "unavailable"},
        {"value": float("nan"), "origin": "measured"},
    ],
)
def test_figures_that_contradict_themselves_cannot_be_made(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="figure"):
        Figure(**{"unit": "s", "instrument": "clock", **bad})


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record.save(run(), tmp_path / "a.json")
    assert record.load(tmp_path / "a.json") == run()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw.update(schema_version=99), "schema version 99, this worthit reads 1 to 2"),
        (lambda raw: raw.pop("schema_version"), "schema version None"),
        (lambda raw: raw.update(cells="none"), r"Expected `array`, got `str` - at `\$.cells`"),
        (lambda raw: raw["cells"][0].update(model=3), r"Expected `str`, got `int`"),
        (
            lambda raw: raw["cells"][0]["training"]["train_s"].update(value=None),
            "has a value unless it is unavailable",
        ),
        (lambda raw: raw.pop("data"), "missing required field `data`"),
    ],
)
def test_a_run_that_is_not_valid_is_refused(tmp_path: Path, damage: Any, message: str) -> None:
    file = tmp_path / "a.json"
    record.save(run(), file)
    raw = json.loads(file.read_text())
    damage(raw)
    file.write_text(json.dumps(raw))
    with pytest.raises(RunError, match=message):
        record.load(file)


def test_a_run_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    rising = record.Throughput(
        (record.BatchRate(8, measured(1, "comments/s", "c")),), "largest size"
    )
    today = run(cell(), cell(throughput=rising), cell(throughput=None))
    record.save(today, tmp_path / "a.json")
    raw = json.loads((tmp_path / "a.json").read_text())
    raw["schema_version"] = 1
    for old, stopped in zip(raw["cells"], (True, False), strict=False):
        del old["throughput"]["ended_by"]
        old["throughput"]["stopped_rising"] = stopped
    (tmp_path / "a.json").write_text(json.dumps(raw))
    assert record.load(tmp_path / "a.json") == today


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_files_that_are_no_runs_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RunError, match=r"not JSON|schema version None"):
        record.load(tmp_path / "a.json")
    with pytest.raises(RunError, match="there is no readable run"):
        record.load(tmp_path / "b.json")


def test_provenance_is_told_apart_and_missing_is_never_zero() -> None:
    notes = columns.Footnotes()
    assert columns.written(measured(12_345.6, "s", "c"), notes) == "12,346"
    assert columns.written(measured(0.000123456, "s", "c"), notes) == "0.000123"
    assert columns.written(Figure(1.5, "s", "estimated", "c"), notes) == "*≈1.5*"
    assert columns.written(Figure(1.5, "s", "cached", "c"), notes) == "1.5 (cached)"
    cached_estimate = Figure(1.5, "J", "cached", "c", was="estimated")
    assert columns.written(cached_estimate, notes) == "*≈1.5* (cached)"
    assert columns.written(unavailable("s", "no clock"), notes) == "n/a [1]"
    assert columns.written(unavailable("s", "no clock"), notes) == "n/a [1]"
    assert columns.written(unavailable("s", "other"), notes) == "n/a [2]"
    assert notes.lines() == ["[1] no clock", "[2] other"]


def test_latency_by_length_and_serving_are_told() -> None:
    samples, characters = (1.0, 2.0, 3.0, 4.0), (10, 20, 30, 40)
    latency = dataclasses.replace(
        cell().latency,  # type: ignore[type-var]
        samples_ms=samples, characters=characters, p50_low_ms=2.45, p50_high_ms=2.55, ended_by="precision",
    )  # fmt: skip
    text = markdown.render(run(cell(latency=latency), options={"--p99-limit-ms": "3"}), {})
    row = next(
        line for line in text.splitlines() if "precision" in line and line.startswith("| lsa")
    )
    assert [entry.strip() for entry in row.split("|")][2:9] == [
        "1",
        "2",
        "3",
        "4",
        "4",
        "2.0 %",
        "precision",
    ]
    assert "none: misses it without any queue" in text
    assert "answered within 3 ms" in text


def test_seeds_are_summed_up_where_there_are_several() -> None:
    flipped = tuple(1 - score for score in GOOD)
    bad = record.Quality(flipped, flipped, flipped, 1.0, 0.25)
    text = markdown.render(run(cell(), cell(seed=1, quality=bad)), {})
    section = text.split("## Over seeds")[1].split("##")[0]
    (row,) = [line for line in section.splitlines() if "±" in line]
    assert [entry.strip() for entry in row.split("|")][1:4] == ["lsa-cpu", "2", "0.500 ± 0.566"]
    assert "## Over seeds" not in markdown.render(run(), {})


def test_repeats_are_compared_figure_by_figure() -> None:
    slower = dataclasses.replace(
        cell(),
        latency=dataclasses.replace(cell().latency, p50_ms=measured(3.0, "ms", "c")),  # type: ignore[type-var]
    )
    (row,), same = repeat.compared(run(cell()), run(slower))
    assert row == ["lsa-cpu", "1.00", "2.00", "n/a", "1.00", "n/a", "1.00", "same"]
    assert same
    moved = (*GOOD[:-1], GOOD[-1] + 0.25)
    other = dataclasses.replace(cell(), quality=record.Quality(GOOD, moved, GOOD, 1.0, 0.25))
    (row,), same = repeat.compared(run(cell()), run(other))
    assert row[-1] == "differ by up to 0.25"
    assert not same


def test_thread_pools_and_sample_counts_are_told() -> None:
    setup = record.Setup({}, None, None, "a CPU", None, 2, "3.11", {}, {"blas openblas": 2})
    speed = measured(9.0, "ms", "a clock", samples=1_234)
    timed = dataclasses.replace(cell().latency, p50_ms=speed)  # type: ignore[type-var]
    text = markdown.render(run(cell(setup=setup, latency=timed), cell()), {})
    assert "blas openblas 2" in text
    assert "not recorded" in text
    assert "a clock (n = 1,234)" in text


def test_the_report_holds_what_the_run_holds() -> None:
    text = markdown.render(run(), {})
    for expected in ("90.0 % (69.9 % to 97.2 %)", "1.5 (cached)", "12,346", "*≈0.25*", "n/a [1]",
                     "p99 needs 299 samples", "components 100", "25.0 %", "made comments"):  # fmt: skip
        assert expected in text
    assert markdown.render(run(), {}) == text


@pytest.mark.parametrize(
    ("noise", "warned"),
    [(None, False), (NOISY_PERCENT - 0.1, False), (NOISY_PERCENT, True)],
)
def test_a_report_from_a_noisy_machine_says_so_at_its_top(
    noise: float | None, warned: bool
) -> None:
    figure = None if noise is None else measured(noise, "%", "p95 over p5")
    text = markdown.render(run(noise=figure), {})
    assert ("**Warning: this machine was noisy" in text.split("\n\n")[1]) == warned
    if warned:
        assert text.split("\n\n")[1].count("\n") == 0
    assert ("not measured" in text.split("## Machine")[1]) == (noise is None)


def test_the_machine_table_shows_the_fingerprint() -> None:
    machine = run().machine | {"fingerprint": "0123456789abcdef"}
    assert "0123456789abcdef" in markdown.render(run(machine=machine), {}).split("## Machine")[1]


def test_failed_and_skipped_cells_keep_their_row_and_their_reason() -> None:
    failed = record.CellRecord("bert", "cpu", 0, failures=("training: out of memory",))
    skipped = record.CellRecord("llama", "cuda", 0, skipped="no CUDA device answers")
    text = markdown.render(run(cell(), failed, skipped), {})
    assert "bert-cpu: training: out of memory" in text
    assert "llama-cuda was skipped: no CUDA device answers" in text
    rows = columns.rows(columns.RESULTS, run(cell(), failed, skipped), columns.Footnotes())
    assert [row[0] for row in rows] == ["lsa-cpu", "bert-cpu", "llama-cuda"]
    assert all(entry.startswith("n/a [") for entry in rows[1][1:])


def energy_section(found: record.Run) -> str:
    return markdown.render(found, {}).split("## Energy")[1].split("\n## ")[0]


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


def test_a_run_from_before_net_energy_can_be_read_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    record.save(run(), file)
    raw = json.loads(file.read_text())
    held = raw["cells"][0]["energy"]
    for name in list(held):
        if "net" in name or name.startswith("idle_"):
            del held[name]
    held["idle_power_w"] = {"value": 3, "unit": "W", "origin": "estimated", "instrument": "c"}
    for name in ("cpu_j", "ram_j", "gpu_j"):
        del raw["cells"][0]["training"][name]
    file.write_text(json.dumps(raw))
    assert "not measured in this run" in energy_section(record.load(file))


def test_an_untuned_model_has_no_training_accuracy() -> None:
    training = dataclasses.replace(cell().training, train_s=unavailable("s", "not tuned"))  # type: ignore[type-var]
    text = markdown.render(run(cell(training=training)), {})
    assert "not tuned" in text


def test_the_terminal_table_fits_80_columns() -> None:
    names = ("lsa", "llama-zero-shot")
    cells = [cell(model=name, seed=seed) for name in names for seed in range(2)]
    reason = "training: out of memory: tried to allocate 2.50 GiB of 12 GiB; give --max-length 64"
    lost = record.CellRecord("llama-qlora", "cpu", 0, failures=(reason,))
    text = markdown.brief(run(*cells, lost))
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert "*" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "No verdict: this run has no fine-tuned LLM with test scores." in markdown.brief(run())


def test_quality_figures_by_hand() -> None:
    found = quality.accuracy(GOOD, LABELS)
    assert found is not None
    assert found.value == 0.9
    assert found.low < 0.9 < found.high
    assert quality.confusion(GOOD, LABELS).tolist() == [[9, 1], [1, 9]]
    assert quality.roc_auc((0.9, 0.1, 0.8, 0.7), (1, 0, 1, 0)) == 1.0
    assert quality.roc_auc((0.9, 0.8), (1, 1)) is None
    precision, recall = (
        quality.precision((0.9, 0.9, 0.1), (1, 0, 1)),
        quality.recall((0.9, 0.9, 0.1), (1, 0, 1)),
    )
    assert precision is not None
    assert recall is not None
    assert (precision.value, recall.value) == (0.5, 0.5)
    assert quality.precision((0.1, 0.2), (0, 1)) is None


def test_publishing_writes_pictures_and_report_beside_the_run(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    both = run(cell(), cell(model="tfidf"))
    record.save(both, file)
    summary = report.publish(both, file)
    written = {path.name for path in (tmp_path / "a").iterdir()}
    assert written == {
        "README.md", "frontier.png", "roc.png", "reliability.png", "precision-recall.png",
        "confusion-lsa-cpu.png", "confusion-tfidf-cpu.png",
    }  # fmt: skip
    text = (tmp_path / "a" / "README.md").read_text()
    assert "](frontier.png)" in text
    assert "](confusion-lsa-cpu.png)" in text
    assert "lsa" in summary


@pytest.fixture
def project(tmp_path: Path) -> Path:
    runs = tmp_path / "reports" / "runs"
    runs.mkdir(parents=True)
    record.save(run(), runs / "2026-01-02-quick.json")
    block = "before\n<!-- results: 2026-01-02-quick -->\n<!-- end of results -->\nafter\n"
    (tmp_path / "README.md").write_text(block.replace("-->\n<!--", "-->\n\n<!--"))
    return tmp_path


def test_readme_is_filled_then_fresh_then_stale(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["readme", "--root", str(project)]
    assert cli.main([*arguments, "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert cli.main(arguments) == 0
    assert cli.main([*arguments, "--check"]) == 0
    text = (project / "README.md").read_text()
    assert text.startswith("before\n<!-- results: 2026-01-02-quick -->\n")
    assert text.endswith("<!-- end of results -->\nafter\n")
    assert "90.0 %" in text
    assert "**No verdict: this run has no fine-tuned LLM with test scores.**" in text
    (project / "README.md").write_text(text.replace("90.0 %", "99.0 %"))
    assert cli.main([*arguments, "--check"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nope"], "there is no readable run"),
        (["readme", "nope"], "there is no readable run"),
        (["readme", "--root", "/no/folder"], "there is no /no/folder/README.md"),
    ],
)
def test_commands_refuse_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    root = [] if "--root" in arguments else ["--root", str(project)]
    assert cli.main([*arguments, *root]) == 2
    error = capsys.readouterr().err
    assert error.startswith("worthit: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_readme_without_the_block_is_refused() -> None:
    with pytest.raises(RunError, match="no block"):
        readme.filled("nothing here", Path())


def test_an_interrupted_run_does_not_get_into_the_readme(project: Path) -> None:
    record.save(run(complete=False), project / "reports" / "runs" / "2026-01-02-quick.json")
    with pytest.raises(RunError, match="was interrupted"):
        readme.filled((project / "README.md").read_text(), project)


def test_runs_lists_them_and_survives_a_broken_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = project / "reports" / "runs"
    (runs / "broken.json").write_text("{")
    long = run(machine={"cpu": "AMD Ryzen Threadripper PRO 5995WX with 64 Cores"}, complete=False)
    data = dataclasses.replace(long.data, dataset="jigsaw:/home/someone/comments/train.csv.gz")
    record.save(dataclasses.replace(long, data=data), runs / "2026-01-03-152233-reference.json")
    assert cli.main(["runs", "--root", str(project)]) == 0
    printed = capsys.readouterr().out
    assert "2026-01-02-quick" in printed
    assert "(interrupted)" in printed
    assert "unreadable [1]" in printed
    assert "is not JSON" in printed.replace("\n   ", "")
    assert max(map(len, printed.splitlines())) <= 80


def test_the_help_shows_how_to_measure_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "to measure: pytest bench/ --benchmark-only\n" in capsys.readouterr().out


def test_report_renders_a_run_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "2026-01-02-quick", "--root", str(project)]) == 0
    assert (project / "reports" / "runs" / "2026-01-02-quick" / "README.md").exists()
    assert "lsa" in capsys.readouterr().out


def test_every_committed_run_can_be_read() -> None:
    folder = Path(record.__file__).parents[1] / "reports" / "runs"
    for file in folder.glob("*.json"):
        assert record.load(file).cells


def test_reports_import_no_torch() -> None:
    program = (
        "import sys, worthit.reports.cli, worthit.reports.pictures; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_report_without_pictures_imports_nothing_slow(tmp_path: Path) -> None:
    record.save(run(), tmp_path / "one.json")
    program = (
        "import sys, pathlib; from worthit.bench import record; from worthit.reports import cli, markdown; "
        f"run = record.load(pathlib.Path({str(tmp_path / 'one.json')!r})); "
        "assert markdown.render(run, {}) and markdown.brief(run); "
        "print({'torch', 'matplotlib', 'sklearn', 'pandas'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
