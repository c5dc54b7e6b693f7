"""reports/compare.py and what it is made of: runs that differ in known ways are told apart."""

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worthit.bench import machine, record
from worthit.bench.record import Figure, measured, unavailable
from worthit.datasets.errors import OptionError
from worthit.reports import cli, compare, resampling

COMMENTS = 400
LABELS = tuple(i % 2 for i in range(COMMENTS))
MACHINE: dict[str, Any] = {key: f"some {key}" for key in machine.FINGERPRINT_KEYS} | {
    "cores_allowed": 2,
    "accelerators": [],
    "libraries": {"torch": "2", "numpy": "2"},
    "fingerprint": "0123456789abcdef",
    "commit": "abc",
}


def scores(wrong: Sequence[int] = ()) -> tuple[float, ...]:
    """Every comment told right, but for these."""
    right = np.where(np.asarray(LABELS) == 1, 0.9, 0.1)
    right[list(wrong)] = 1 - right[list(wrong)]
    return tuple(float(score) for score in right)


def latency(times: float = 1.0, seed: int = 1, samples: int = 400) -> record.Latency:
    drawn = np.random.default_rng(seed).lognormal(0, 0.3, samples) * times

    def figure(percent: int) -> Figure:
        return measured(float(np.percentile(drawn, percent)), "ms", "clock", samples)

    p99 = figure(99) if samples >= 299 else unavailable("ms", "p99 needs 299 samples")
    return record.Latency(
        tuple(drawn.tolist()), (9,) * samples, figure(50), figure(90), p99,
        measured(1, "s", "clock"), measured(2, "ms", "clock"),
    )  # fmt: skip


def energy(cpu_j: float = 0.002, origin: Any = "estimated") -> record.Energy:
    none = unavailable("J", "no GPU")
    return record.Energy(Figure(cpu_j, "J", origin, "meter"), none, none, 5.0, 100)


def memory(peak_mb: float = 500.0) -> record.Memory:
    return record.Memory(
        measured(peak_mb, "MB", "VmHWM"), measured(200, "MB", "rss"), unavailable("MB", "on the CPU")
    )  # fmt: skip


def training(seconds: float = 10.0, **changed: Any) -> record.Training:
    base = record.Training(
        measured(seconds, "s", "clock"), memory(), "2026-01-02T03:04:05+00:00", {"batch_size": 8},
        "bert-abc", measured(1, "MB", "sizes"), 1000, 1000, 1000, 0.0,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def throughput(rate: float = 100.0) -> record.Throughput:
    return record.Throughput((record.BatchRate(8, measured(rate, "comments/s", "c")),), "no gain")


def setup(**changed: Any) -> record.Setup:
    base = record.Setup({}, "a hub id", "weights", "a CPU", "float32", 2, "3.11", {})
    return dataclasses.replace(base, **changed)


def cell(model: str = "bert", **changed: Any) -> record.CellRecord:
    base = record.CellRecord(
        model, "cpu", 0, setup(), training(), latency(), throughput(), memory(), energy(),
        record.Quality(scores(), scores(), scores(), 1.0, 0.25),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def run(*cells: record.CellRecord, **changed: Any) -> record.Run:
    ids = tuple(f"{i:08x}" for i in range(COMMENTS))
    part = record.Part(ids, LABELS, (None,) * COMMENTS, (None,) * COMMENTS)
    steps = tuple(record.StepRecord(name, 1000, 500) for name in ("train", "test"))
    base = record.Run(
        "2026-01-02-quick", "2026-01-02T03:00:00+00:00", "2026-01-02T03:10:00+00:00", 600.0, "quick",
        {}, MACHINE,
        record.Data("synthetic", "made", "nobody", "fp", "key", 42, 0.1, steps, part, part, part),
        cells or (cell(),), True, measured(3.0, "%", "p95 over p5"),
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def on(**changed: Any) -> dict[str, Any]:
    return MACHINE | {"fingerprint": "another"} | changed


def data(**changed: Any) -> record.Data:
    return dataclasses.replace(run().data, **changed)


def compared(*runs: record.Run, **options: Any) -> compare.Comparison:
    return compare.compared([(f"run{i}", one) for i, one in enumerate(runs)], **options)


def rows(found: compare.Comparison, heading: str) -> list[list[str]]:
    section = found.text.split(f"## {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[entry.strip() for entry in line.strip("|").split("|")] for line in lines[2:]]


def warnings(found: compare.Comparison) -> list[str]:
    before_tables = found.text.split("## Runs")[0]
    _, _, listed = before_tables.partition("Mind what else may be behind a difference:\n\n")
    return [line[2:] for line in listed.splitlines() if line]


RATIOS = (
    "latency p50, ms", "latency p99, ms", "training, s", "throughput, comments/s",
    "peak memory, MB", "CPU energy, mJ/comment",
)  # fmt: skip


def test_identical_runs_are_equal_in_everything() -> None:
    found = compared(run(), run())
    assert [rows(found, heading)[0][4].strip("*≈") for heading in RATIOS] == ["1.00"] * 6
    assert [rows(found, heading)[0][4] for heading in ("test accuracy", "ROC AUC")] == ["+0.0"] * 2
    assert rows(found, "test accuracy")[0][5] == "+0.0 to +0.0"
    assert found.verdict == "no regression beyond 10 %"
    assert not found.regressed
    assert warnings(found) == []
    assert "Better:" not in found.text


def test_a_slowed_model_is_a_regression_and_named() -> None:
    slow = cell(latency=latency(1.3, seed=2))
    found = compared(run(cell("lsa"), cell()), run(cell("lsa", latency=latency(seed=3)), slow))
    assert found.regressed
    assert found.verdict == "regression: bert-cpu latency p50 (B)"
    assert "- B, bert-cpu latency p50: ×1.3" in found.text
    assert f"**{found.verdict}**" in found.text
    assert rows(found, "Check for regressions")[1][3] == "< 0.001"
    assert compared(run(), run(slow), limit_percent=80).verdict == "no regression beyond 80 %"
    back = compared(run(slow), run(cell()))
    assert not back.regressed
    assert "Better:\n\n- B, bert-cpu latency p50: ×0.7" in back.text


def test_a_shift_below_the_limit_passes_though_it_is_significant() -> None:
    found = compared(run(cell(latency=latency(samples=5000))),
                     run(cell(latency=latency(1.05, samples=5000))))  # fmt: skip
    assert rows(found, "Check for regressions")[0][3] == "< 0.001"
    assert found.verdict == "no regression beyond 10 %"


def test_a_ratio_beyond_the_limit_that_few_samples_cannot_support_passes() -> None:
    found = compared(run(cell(latency=latency(samples=6))),
                     run(cell(latency=latency(1.3, samples=6))))  # fmt: skip
    assert rows(found, "latency p50, ms")[0][4] == "1.30"
    assert not found.regressed
    assert "- latency p99, ms: n/a, p99 needs 299 samples" in found.text


def test_three_samples_are_no_evidence_however_far_apart() -> None:
    def three(*samples_ms: float) -> record.CellRecord:
        p50 = measured(samples_ms[1], "ms", "clock", 3)
        return cell(latency=dataclasses.replace(latency(), samples_ms=samples_ms, p50_ms=p50))

    found = compared(run(three(1.0, 1.01, 1.02)), run(three(2.0, 2.01, 2.02)))
    assert rows(found, "Check for regressions")[0][2:4] == ["+1.00", "0.100"]
    assert not found.regressed


@pytest.mark.parametrize(
    ("changed", "what", "how"),
    [
        ({"memory": memory(560)}, "peak memory", "×1.12, one sample each"),
        ({"training": training(11.5)}, "training", "×1.15, one sample each"),
        ({"throughput": throughput(80)}, "throughput", "×0.80, one sample each"),
        ({"energy": energy(0.003, "measured")}, "CPU energy", "×1.50, one sample each"),
        ({"failures": ("energy: out of memory",)}, "failed", "energy: out of memory"),
        ({"skipped": "no CUDA"}, "skipped", "no CUDA"),
    ],
)
def test_figures_of_one_sample_and_failures_are_regressions(
    changed: dict[str, Any], what: str, how: str
) -> None:
    base = cell(energy=energy(origin="measured"))
    found = compared(run(base), run(dataclasses.replace(base, **changed)))
    assert found.verdict == f"regression: bert-cpu {what} (B)"
    assert f"Worse:\n\n- B, bert-cpu {what}: {how}\n" in found.text
    assert found.regressed
    assert not compared(run(dataclasses.replace(base, **changed)), run(base)).regressed


@pytest.mark.parametrize("noise", [measured(30.0, "%", "p95 over p5"), None])
def test_times_of_one_sample_must_exceed_the_noise(noise: Figure | None) -> None:
    later = cell(training=training(12), throughput=throughput(80), energy=energy(0.0025))
    noisy = run(later, noise=noise)
    found = compared(run(), noisy)
    assert not found.regressed
    assert any("noise" in line or "noisy, 30 %" in line for line in warnings(found))
    assert not compared(noisy, run()).text.count("Better:")
    assert compared(run(), run(cell(memory=memory(600)), noise=noise)).regressed
    worst = cell(training=training(14))
    assert compared(run(), run(worst, noise=noise)).regressed == (noise is not None)


def test_neither_estimates_nor_cached_figures_fail_the_check() -> None:
    cached = training(train_s=Figure(20, "s", "cached", "clock"))
    found = compared(run(), run(cell(energy=energy(0.02), training=cached)))
    assert not found.regressed
    assert rows(found, "CPU energy, mJ/comment")[0][2:] == ["*≈2*", "*≈20*", "*≈10*"]
    assert rows(found, "training, s")[0][2:] == ["10", "20 (cached)", "2.00 (cached)"]


def test_measured_over_estimated_energy_is_refused() -> None:
    found = compared(run(), run(cell(energy=energy(0.2, "measured"))))
    assert rows(found, "CPU energy, mJ/comment")[0][2:] == ["*≈2*", "200", "n/a [1]"]
    assert "would compare instruments" in found.text
    assert not found.regressed


def test_accuracy_lost_on_the_same_comments_is_a_regression() -> None:
    def scored(wrong: int) -> record.CellRecord:
        return cell(quality=record.Quality((), scores(range(wrong)), (), 1.0, 0.25))

    found = compared(run(), run(scored(20)))
    assert found.verdict == "regression: bert-cpu test accuracy (B)"
    assert "bert-cpu test accuracy: -5.0 points (" in found.text
    assert rows(found, "test accuracy")[0][2:5] == ["100.0 %", "95.0 %", "-5.0"]
    assert rows(found, "Check for regressions")[0][4:6] == ["20", "0"]
    assert not compared(run(), run(scored(5))).regressed  # 5 to 0: McNemar's p is 0.06
    assert "Better:\n\n- B, bert-cpu test accuracy: +5.0" in compared(run(scored(20)), run()).text


def test_less_than_half_a_point_of_accuracy_may_be_lost_even_surely() -> None:
    ids = tuple(f"{i:08x}" for i in range(2000))
    many = record.Part(ids, (1,) * 2000, (None,) * 2000, (None,) * 2000)

    def lost(comments: int) -> record.Run:
        told = (0.1,) * comments + (0.9,) * (2000 - comments)
        one = cell(quality=record.Quality((), told, (), 1.0, 0.25))
        return run(one, data=data(test=many))

    found = compared(lost(0), lost(9))
    assert float(rows(found, "Check for regressions")[0][6]) < 0.05
    assert not found.regressed
    assert compared(lost(0), lost(11)).regressed


def test_comments_are_matched_by_id_whatever_their_order() -> None:
    test = run().data.test
    turned = dataclasses.replace(test, ids=test.ids[::-1], labels=test.labels[::-1])
    wrong = range(0, 40)
    base = cell(quality=record.Quality((), scores(wrong), (), 1.0, 0.25))
    later = cell(quality=record.Quality((), scores(wrong)[::-1], (), 1.0, 0.25))
    found = compared(run(base), run(later, data=data(test=turned)))
    assert rows(found, "Check for regressions")[0][4:6] == ["0", "0"]
    assert rows(found, "test accuracy")[0][5] == "+0.0 to +0.0"
    assert warnings(found) == []


def test_other_comments_are_compared_unpaired_and_never_fail() -> None:
    others = dataclasses.replace(
        run().data.test, ids=("other", *run().data.test.ids[1:]), labels=LABELS
    )
    bad = cell(quality=record.Quality((), scores(range(80)), (), 1.0, 0.25))
    found = compared(run(), run(bad, data=data(test=others)))
    assert rows(found, "test accuracy")[0][4] == "-20.0 [1]"
    assert "not paired" in found.text
    assert not found.regressed
    assert rows(found, "Check for regressions")[0][4:] == ["n/a"] * 3


def test_runs_of_different_machines_get_no_verdict() -> None:
    slow = cell(latency=latency(2), memory=memory(5000), failures=("energy: x",))
    elsewhere = on(cpu="another", libraries={"torch": "3", "numpy": "2"})
    found = compared(run(), run(slow, machine=elsewhere))
    assert found.verdict == "no verdict: the machines of A and B differ in cpu, libraries (torch)"
    assert not found.regressed
    assert "Check for regressions" not in found.text
    assert rows(found, "latency p50, ms")[0][4] == "2.00"


def test_a_run_from_before_fingerprints_gets_no_verdict() -> None:
    old = {key: value for key, value in MACHINE.items() if key not in ("fingerprint", "blas")}
    found = compared(run(machine=old, noise=None), run(cell(memory=memory(5000))))
    assert found.verdict == (
        "no verdict: the machines of A and B may differ, and A does not record blas"
    )
    assert "A: the machine's noise is not recorded" in " ".join(warnings(found))
    assert compared(run(machine=old), run(machine=old)).verdict.startswith("no verdict")


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({"preset": "standard"}, "preset: quick → standard"),
        ({"data": data(fingerprint="x")}, "data: other comments or labels (fingerprint)"),
        ({"data": data(seed=1, split="z")}, "data: seed 42 → 1, split key → z"),
        ({"complete": False}, "B was interrupted"),
        ({"noise": measured(12.0, "%", "x")}, "B: the machine was noisy, 12 %"),
        ({"cells": (cell(), cell("lsa"))}, "lsa-cpu: in B, not in A"),
        ({"cells": (cell(setup=setup(dtype="bfloat16")),)}, "dtype float32 → bfloat16"),
        ({"cells": (cell(setup=setup(threads=1)),)}, "threads 2 → 1"),
        (
            {"cells": (cell(setup=setup(checkpoint_identity="x")),)},
            "checkpoint a hub id → other weights of that name",
        ),
        (
            {"cells": (cell(training=training(settings={"batch_size": 16, "epochs": 2})),)},
            "settings batch_size 8 → 16, epochs not recorded → 2",
        ),
        (
            {"cells": (cell(quality=record.Quality((), scores(), (), 1.0, 0.5)),)},
            "test comments truncated 25.0 % → 50.0 %",
        ),
    ],
)
def test_what_else_differs_is_said_on_top(changed: dict[str, Any], warned: str) -> None:
    (line,) = warnings(compared(run(), dataclasses.replace(run(), **changed)))
    assert warned in line


def test_what_failed_in_the_first_run_too_is_no_regression() -> None:
    base, later = (
        cell(energy=None, failures=(f"energy: {reason}",)) for reason in ("died", "timed out")
    )
    assert not compared(run(base), run(later)).regressed
    two = dataclasses.replace(later, failures=(*later.failures, "latency: died"))
    assert "failed: latency: died" in compared(run(base), run(two)).text


def test_parts_that_are_missing_are_n_a_with_their_reason() -> None:
    broken = cell(latency=None, quality=None, failures=("latency: out of memory",))
    for found, shown in (
        (compared(run(), run(broken)), slice(3, 5)),
        (compared(run(broken), run()), slice(2, 3)),
    ):
        assert set(rows(found, "latency p50, ms")[0][shown]) == {"n/a [1]"}
        assert "[1] bert-cpu: latency: out of memory" in found.text
        assert rows(found, "Check for regressions")[0][2:] == ["n/a"] * 5
        assert rows(found, "test accuracy")[0][4] == "n/a"


def test_a_metric_that_no_run_has_is_one_line() -> None:
    found = compared(run(), run())
    assert "### GPU energy" not in found.text
    assert "- GPU energy, mJ/comment: n/a, no GPU" in found.text


def test_cpu_and_cuda_stand_side_by_side_unchecked() -> None:
    cuda = cell(device="cuda", latency=latency(20), memory=memory(900))
    found = compared(run(), run(cell(), cuda))
    table = rows(found, "latency p50, ms")
    assert [row[0] for row in table] == ["bert-cpu", "bert-cuda"]
    assert [row[4] for row in table] == ["1.00", "20"]
    assert not found.regressed
    assert "A → B, bert-cuda: on cpu → cuda" in warnings(found)
    assert "no model ran on the same device" in compared(run(), run(cuda)).verdict
    both = compared(run(cell(), cuda), run(cell(), cuda))
    assert [row[4] for row in rows(both, "latency p50, ms")] == ["1.00", "1.00"]
    assert "bert-cuda: in A, not in B" in warnings(compared(run(cell(), cuda), run()))


def test_three_runs_are_each_compared_with_the_first() -> None:
    found = compared(run(), run(cell(memory=memory(1000))), run(cell(memory=memory(250))))
    assert [row[1:] for row in rows(found, "peak memory, MB")] == [
        ["B", "500", "1,000", "2.00"],
        ["C", "500", "250", "0.50"],
    ]
    assert found.verdict == "regression: bert-cpu peak memory (B)"
    assert "Better:\n\n- C, bert-cpu peak memory: ×0.50" in found.text


def test_seeds_are_matched() -> None:
    slow = cell(seed=1, memory=memory(1000))
    found = compared(run(cell(), slow), run(slow, cell()))
    assert [row[4] for row in rows(found, "peak memory, MB")] == ["1.00", "1.00"]


def test_the_same_runs_give_the_same_text() -> None:
    pair = (run(), run(cell(latency=latency(seed=5))))
    first = compared(*pair).text
    resampling.counts.cache_clear()
    assert compared(*pair).text == first


def test_a_terminal_gets_80_columns_and_no_markup() -> None:
    slow = latency(0.0203, seed=4)
    cells = [
        cell("llama-zero-shot", device=device, seed=seed, latency=slow, failures=("energy: it " * 9,))
        for device in ("cpu", "cuda")
        for seed in (0, 1)
    ]  # fmt: skip
    base = [dataclasses.replace(one, latency=latency(1)) for one in cells]
    cpu = on(cpu="A processor with a name that goes on and on and on for ever and a day " * 2)
    found = compared(run(*base), run(*cells, machine=cpu), run(*cells), form="terminal")
    assert max(map(len, found.text.splitlines())) <= 80
    assert "0.0" in found.text
    assert not any(mark in found.text for mark in ("*", "|", "#"))


@pytest.mark.parametrize("count", [1, 27])
def test_too_few_or_too_many_runs_are_refused(count: int) -> None:
    with pytest.raises(OptionError, match=f"2 to 26 runs, got {count}"):
        compared(*[run()] * count)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "reports" / "runs"
    folder.mkdir(parents=True)
    record.save(run(), folder / "a.json")
    record.save(run(), folder / "b.json")
    record.save(run(cell(memory=memory(600))), folder / "worse.json")
    record.save(run(cell("lsa")), folder / "other.json")
    (folder / "broken.json").write_text("{")
    return tmp_path


def test_the_command_says_by_its_exit_code_what_it_found(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", "--root", str(project)]
    assert cli.main([*command, "a", "b"]) == 0
    assert capsys.readouterr().out.startswith(
        "# Comparison of runs\n\n**no regression beyond 10 %**"
    )
    assert cli.main([*command, "a", str(project / "reports" / "runs" / "worse.json")]) == 1
    assert cli.main([*command, "a", "worse", "--limit", "25"]) == 0
    capsys.readouterr()
    assert cli.main([*command, "a", "worse", "--output", str(project / "c.md")]) == 1
    assert capsys.readouterr().out == "regression: bert-cpu peak memory (B)\n"
    assert "## Figures" in (project / "c.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "compare takes 2 to 26 runs, got 1"),
        (["a", "b", "a"], "a is given twice"),
        (["a", "nope"], "there is no readable run"),
        (["a", "broken"], "is not JSON"),
        (["a", "other"], "no model and seed in common: a has bert-cpu; other has lsa-cpu"),
        (["a", "b", "--limit", "0"], "--limit is a percentage above 0, got 0"),
        (["a", "b", "--limit", "nan"], "--limit is a percentage above 0, got nan"),
        (["a", "b", "--output", "/no/folder/c.md"], "cannot be written"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["compare", *arguments, "--root", str(project)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_committed_runs_can_be_compared() -> None:
    folder = Path(record.__file__).parents[1] / "reports" / "runs"
    for file in folder.glob("*.json"):
        found = record.load(file)
        assert "## Figures" in compared(found, found).text


def test_comparing_imports_no_torch() -> None:
    program = "import sys, worthit.reports.compare; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
