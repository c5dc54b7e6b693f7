"""reports/compare/compare.py and matching.py: runs that differ in known ways."""

import dataclasses
import string
from typing import Any

import pytest

from tests import factories
from tests.compared_runs import (
    LABELS,
    MACHINE,
    cell,
    compare,
    data,
    latency,
    memory,
    on,
    rows,
    run,
    scores,
    setup,
    training,
    warnings,
)
from worthit.bench.saved import record
from worthit.bench.saved.record import measured, unavailable
from worthit.datasets.errors import OptionError
from worthit.reports.analysis import figures
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.compare import blocks
from worthit.reports.compare.blocks import Table


def test_comments_are_matched_by_id_in_any_order() -> None:
    test = run().data.test
    reversed_part = dataclasses.replace(test, ids=test.ids[::-1], labels=test.labels[::-1])
    wrong = range(0, 40)
    base = cell(quality=record.Quality((), scores(wrong), (), 1.0, 0.25))
    later = cell(quality=record.Quality((), scores(wrong)[::-1], (), 1.0, 0.25))
    found = compare(run(base), run(later, data=data(test=reversed_part)))
    assert rows(found, "Check for regressions")[0][4:6] == ["0", "0"]
    assert rows(found, "test accuracy")[0][5] == "+0.0 to +0.0"
    assert warnings(found) == []


def test_different_comments_are_compared_unpaired_and_are_no_regression() -> None:
    others = dataclasses.replace(
        run().data.test, ids=("other", *run().data.test.ids[1:]), labels=LABELS
    )
    bad = cell(quality=record.Quality((), scores(range(80)), (), 1.0, 0.25))
    found = compare(run(), run(bad, data=data(test=others)))
    assert rows(found, "test accuracy")[0][4] == "-20.0 [1]"
    assert rows(found, "test accuracy")[-1][:2] == ["*majority class*", "B"]
    assert "not paired" in found.text
    assert not found.regressed
    assert rows(found, "Check for regressions")[0][4:] == ["n/a"] * 3


@pytest.mark.parametrize(
    ("other_task", "reason"),
    [
        ({"classes": ("calm", "insult")}, "the classes of the runs differ"),
        (
            {"test": dataclasses.replace(run().data.test, labels=(1,) * 80 + LABELS[80:])},
            "labels of the same test comments differ",
        ),
    ],
)
def test_comments_with_different_labels_are_compared_unpaired_and_are_no_regression(
    other_task: dict[str, Any], reason: str
) -> None:
    bad = cell(quality=record.Quality((), scores(range(80)), (), 1.0, 0.25))
    found = compare(run(), run(bad, data=data(**other_task)))
    assert rows(found, "test accuracy")[0][4].endswith(" [1]")
    assert f"[1] {reason}, so not paired" in found.text
    assert not found.regressed
    assert rows(found, "Check for regressions")[0][4:] == ["n/a"] * 3


def test_changed_labels_are_counted_in_a_warning() -> None:
    corrected = dataclasses.replace(run().data.test, labels=(1,) * 80 + LABELS[80:])
    (line,) = warnings(compare(run(), run(data=data(test=corrected))))
    assert line.endswith("data: 40 test comments with another label, so accuracies are not paired")


def test_runs_on_different_machines_get_no_verdict() -> None:
    slow = cell(latency=latency(2), memory=memory(5000), failures=("energy: x",))
    elsewhere = on(cpu="another", libraries={"torch": "3", "numpy": "2"})
    found = compare(run(), run(slow, machine=elsewhere))
    assert found.verdict == "no verdict: the machines of A and B differ in cpu, libraries (torch)"
    assert not found.regressed
    assert "Check for regressions" not in found.text
    assert rows(found, "latency p50, ms")[0][4] == "2.00"


def test_a_machine_that_is_not_fully_recorded_gets_no_verdict() -> None:
    without_blas = {key: value for key, value in MACHINE.items() if key != "blas"}
    found = compare(run(machine=without_blas), run(cell(memory=memory(5000))))
    assert found.verdict == "no verdict: the machines of A and B differ in blas"


def test_unknown_noise_is_a_warning() -> None:
    (line,) = warnings(compare(run(noise=unavailable("%", "too short")), run()))
    assert line.startswith("A: the machine's noise was not measured")


def more_work(**changed: Any) -> record.CellRecord:
    """A cell that is slower, larger and less accurate."""
    return cell(
        latency=latency(2), memory=memory(5000), **{"training": training(100.0), **changed},
        quality=record.Quality((), scores(range(80)), (), 1.0, 0.25),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"key": "another"}, "A and B have different splits"),
        (
            {"key": "another", "steps": factories.steps(("train",), 26_460)},
            "A and B have different splits, 1,000 and 26,460 training comments",
        ),
        ({"key": "another", "fingerprint": "x"}, "A and B have different comments or labels"),
    ],
)
def test_runs_with_different_data_get_no_verdict(changed: dict[str, Any], refusal: str) -> None:
    found = compare(run(), run(more_work(), data=data(**changed)))
    assert found.verdict == f"no verdict: {refusal}"
    assert not found.regressed
    assert rows(found, "training, s")[0][4] == "10"
    both = compare(run(), run(data=data(**changed), machine=on(cpu="another")))
    assert both.verdict == f"no verdict: the machines of A and B differ in cpu; {refusal}"


@pytest.mark.parametrize(
    "other",
    [
        {"setup": setup(checkpoint_identity="a larger one")},
        {"training": training(100.0, settings={"batch_size": 8, "max_length": 512})},
        {"training": training(100.0, processes=2)},
        {
            "training": None,
            "setup": setup(settings={"max_length": 512}),
            "failures": ("training: x",),
        },
    ],
)
def test_a_cell_with_different_weights_or_settings_is_not_checked(other: dict[str, Any]) -> None:
    found = compare(run(cell("lsa"), cell()), run(cell("lsa"), more_work(**other)))
    assert found.verdict == (
        "no regression beyond 10 %; not checked, because settings or weights differ: bert-cpu (B)"
    )
    assert not found.regressed
    assert [row[0] for row in rows(found, "Check for regressions")] == ["lsa"]
    worse = compare(run(cell("lsa"), cell()), run(more_work(model="lsa"), more_work(**other)))
    assert worse.verdict.startswith("regression: lsa-cpu ")
    assert "bert-cpu" not in worse.verdict.partition(";")[0]
    alone = compare(run(), run(more_work(**other)))
    assert alone.verdict.startswith("no verdict: no model has the same settings and weights")


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({"preset": "standard"}, "preset: quick → standard"),
        ({"data": data(fingerprint="x")}, "data: other comments or labels (fingerprint)"),
        ({"data": data(seed=1, key="z")}, "data: seed 42 → 1, split key → z"),
        ({"complete": False}, "B was interrupted"),
        ({"noise": measured(12.0, "%", "x")}, "B: the machine was noisy, 12 %"),
        ({"cells": (cell(), cell("lsa"))}, "lsa-cpu: in B, not in A"),
        ({"cells": (cell(setup=setup(dtype="bfloat16")),)}, "dtype float32 → bfloat16"),
        ({"cells": (cell(setup=setup(threads=1)),)}, "threads 2 → 1"),
        ({"cells": (cell(training=training(processes=2)),)}, "processes in training 1 → 2"),
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
            "truncated test comments 25.0 % → 50.0 %",
        ),
    ],
)
def test_other_differences_are_listed_before_the_tables(
    changed: dict[str, Any], warned: str
) -> None:
    (line,) = warnings(compare(run(), dataclasses.replace(run(), **changed)))
    assert warned in line


def test_a_failure_in_both_runs_is_no_regression() -> None:
    base, later = (
        cell(energy=None, failures=(f"energy: {reason}",)) for reason in ("died", "timed out")
    )
    assert not compare(run(base), run(later)).regressed
    two = dataclasses.replace(later, failures=(*later.failures, "latency: died"))
    assert "failed: latency: died" in compare(run(base), run(two)).text


def test_missing_parts_are_n_a_with_their_reason() -> None:
    broken = cell(latency=None, quality=None, failures=("latency: out of memory",))
    for found, shown in (
        (compare(run(), run(broken)), slice(3, 5)),
        (compare(run(broken), run()), slice(2, 3)),
    ):
        assert set(rows(found, "latency p50, ms")[0][shown]) == {"n/a [1]"}
        assert "[1] bert-cpu: latency: out of memory" in found.text
        assert rows(found, "Check for regressions")[0][2:] == ["n/a"] * 5
        assert rows(found, "test accuracy")[0][4] == "n/a"


def test_a_figure_that_no_run_has_is_one_line() -> None:
    found = compare(run(), run())
    assert "### GPU energy" not in found.text
    assert "- GPU energy, mJ/comment: n/a, no GPU" in found.text


def test_a_new_figure_is_compared_and_checked_with_one_row_of_the_table_of_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = FigureSpec(
        key="new",
        read=lambda run, cell: measured(run.wall_s, "s", "clock"),
        heading="new figure, s",
        compared=True,
        regression="beyond repeats",
    )
    monkeypatch.setattr(figures, "FIGURES", (*figures.FIGURES, new))
    found = compare(run(), dataclasses.replace(run(), wall_s=1_200.0))
    assert rows(found, "new figure, s")[0][2:] == ["600", "1,200", "2.00"]
    assert found.verdict == "regression: bert-cpu new figure (B)"


def test_cpu_and_cuda_are_compared_but_not_checked() -> None:
    cuda = cell(device="cuda", latency=latency(20), memory=memory(900))
    found = compare(run(), run(cell(), cuda))
    table = rows(found, "latency p50, ms")
    assert [row[0] for row in table] == ["bert-cpu", "bert-cuda"]
    assert [row[4] for row in table] == ["1.00", "20"]
    assert not found.regressed
    assert "A → B, bert-cuda: on cpu → cuda" in warnings(found)
    assert "no model ran on the same device" in compare(run(), run(cuda)).verdict
    both = compare(run(cell(), cuda), run(cell(), cuda))
    assert [row[4] for row in rows(both, "latency p50, ms")] == ["1.00", "1.00"]
    assert "bert-cuda: in A, not in B" in warnings(compare(run(cell(), cuda), run()))


def test_three_runs_are_each_compared_with_the_first() -> None:
    found = compare(run(), run(cell(memory=memory(1000))), run(cell(memory=memory(250))))
    assert [row[1:] for row in rows(found, "peak memory, MB")] == [
        ["B", "500", "1,000", "2.00"],
        ["C", "500", "250", "0.50"],
    ]
    assert found.verdict == "regression: bert-cpu peak memory (B)"
    assert "Better:\n\n- C, bert-cpu peak memory: ×0.50" in found.text


def test_seeds_are_matched() -> None:
    slow = cell(seed=1, memory=memory(1000))
    found = compare(run(cell(), slow), run(slow, cell()))
    assert [row[4] for row in rows(found, "peak memory, MB")] == ["1.00", "1.00"]


def test_a_seed_without_latency_widens_no_interval() -> None:
    slower = cell(latency=latency(1.5, seed=2))
    later = cell(seed=1, latency=None)
    alone, beside = (
        compare(run(cell()), run(slower)),
        compare(run(cell(), later), run(slower, later)),
    )
    heading = "## Check for regressions"
    entries = [found.text.partition(heading)[2].split("| bert ")[1].split("|")[2:4]
               for found in (alone, beside)]  # fmt: skip
    assert entries[0][0].strip() == entries[1][0].strip() != "n/a"
    assert entries[0][1].strip() == entries[1][1].strip()


def test_a_later_seed_has_no_row_for_a_figure_of_the_first_seed_only() -> None:
    later = cell(seed=1, memory=None)
    found = compare(run(cell(), later), run(cell(), later))
    assert [row[0] for row in rows(found, "peak memory, MB")] == ["bert"]
    assert [row[0] for row in rows(found, "test accuracy")][:2] == ["bert", "bert-seed1"]
    found = compare(run(cell(), cell(seed=1)), run(cell(memory=None), later))
    assert [row[0] for row in rows(found, "peak memory, MB")] == ["bert", "bert-seed1"]


def test_the_same_runs_give_the_same_text() -> None:
    pair = (run(), run(cell(latency=latency(seed=5))))
    first = compare(*pair).text
    assert compare(*pair).text == first


def test_a_terminal_gets_80_columns_and_no_markup() -> None:
    slow = latency(0.0203, seed=4)
    cells = [
        cell("llama-zero-shot", device=device, seed=seed, latency=slow, failures=("energy: it " * 9,))
        for device in ("cpu", "cuda")
        for seed in (0, 1)
    ]  # fmt: skip
    base = [dataclasses.replace(one, latency=latency(1)) for one in cells]
    cpu = on(cpu="A processor with a name that goes on and on and on for ever and a day " * 2)
    found = compare(run(*base), run(*cells, machine=cpu), run(*cells), form="terminal")
    assert max(map(len, found.text.splitlines())) <= 80
    assert "0.0" in found.text
    assert not any(mark in found.text for mark in ("*", "|", "#"))


@pytest.mark.parametrize("count", [1, 27])
def test_too_few_or_too_many_runs_are_refused(count: int) -> None:
    with pytest.raises(OptionError, match=f"2 to 26 runs, got {count}"):
        compare(*[run()] * count)


def test_a_terminal_shows_as_many_runs_as_are_compared() -> None:
    table = Table(["", *string.ascii_uppercase], [["measured", *["2026-01-02"] * 26]])
    assert blocks.terminal(table).count("2026") == 26
