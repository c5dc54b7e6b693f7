"""bench/speed/comparison.py and its command line: entries take turns, and the run is saved."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tests.in_process_worker import InProcessWorker
from worthit.bench.speed import __main__ as command
from worthit.bench.speed import comparison, record, workload
from worthit.bench.speed.entry import EntryWork
from worthit.bench.speed.implementations import Task
from worthit.bench.speed.record import EntryResult
from worthit.bench.speed.workload import WorkloadMeter
from worthit.datasets.errors import CellError
from worthit.models.contract import silent


def test_an_entry_that_fails_has_a_reason_and_no_more_turns() -> None:
    class FailingWorker:
        seconds = 2.0
        requests = 0

        def start(self, *given: object) -> dict[str, object]:
            return {}

        def ask(self, operation: str, *given: object, number: int = 0) -> object:
            if operation != "slice":
                return ()
            self.requests += 1
            if number == 2:
                raise CellError("out of memory")
            return 8

    task, worker = Task("bert", False, "cpu", "fp32", "", "", 3, 8), FailingWorker()
    entry = comparison.RunningEntry("reference", task, worker)  # type: ignore[arg-type]
    entry.start()
    for number in (1, 2, 3):
        entry.run_slice(number)
    assert entry.finish() == EntryResult("reference", reason="out of memory")
    assert worker.requests == 2


def test_the_remedy_for_a_slow_slice_names_options_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    options = re.findall(r"--[a-z-]+", comparison._LIMIT.remedy)
    assert options
    assert all(option in text for option in options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--comparisons", "marathon"], "unknown comparison 'marathon'; known: llm-train"),
        (["--entries", "hare"], "unknown entry 'hare'; known: "),
        (["--slices", "0"], "--slices is 0; give a number from 1 up"),
        (["--checkpoint", "lsa=x"], "is not bert=ID_OR_PATH or llama=ID_OR_PATH"),
        (
            ["--root", "/no/folder"],
            "/no/folder/reports/runs/speed cannot be created (No such file or directory); run this "
            "in the project's folder, or give --root",
        ),
        (
            ["--dataset", "synthetic:100"],
            "llm-train needs 120 training and 1 test comments (warm-up included), but synthetic",
        ),
        (
            ["--comparisons", "bert-train", "--comments-train", "4"],
            "bert-train trains on 32 comments per step, but a slice has 1; "
            "give --comments-train 128 or more, or fewer --slices",
        ),
        (
            ["--comparisons", "llm-train", "--slices", "14"],
            "llm-train trains on 8 comments per step, but a slice has 7; "
            "give --comments-train 112 or more, or fewer --slices",
        ),
    ],
)
def test_bad_options_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "reports" / "runs").mkdir(parents=True)
    assert command.main(["--root", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


class WorkerOf(InProcessWorker):
    """Does this work here."""

    seconds = 1.0

    def __init__(self, work: Any) -> None:
        self._work = work


def test_entries_run_in_processes_of_their_own_and_the_run_is_saved(
    split: str,
    tiny_bert: Path,
    tiny_llama: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Includes `Trainer`, which fails where a folder named datasets can be imported.

    Of the scoring comparison only the training has a process: the others are those of llm-train.
    """
    start = comparison._start_worker
    in_process = {"workload": WorkloadMeter, "entry": EntryWork}

    def start_few(stack: Any, module: str, task: Task, progress: Any = silent) -> Any:
        if task.trains or module not in in_process:
            return start(stack, module, task, progress)
        return WorkerOf(in_process[module](task))

    monkeypatch.setattr(comparison, "_start_worker", start_few)
    monkeypatch.setitem(workload.SIDE, "cpu", 64)  # else the meter in this process takes seconds
    (tmp_path / "reports" / "runs").mkdir(parents=True)
    plan = dataclasses.replace(comparison.COMPARISONS["bert-score"], weights_comments=32)
    plan = dataclasses.replace(plan, entries={"worthit": "worthit"})
    monkeypatch.setitem(comparison.COMPARISONS, "bert-score", plan)
    options = ["--comparisons", "llm-train,bert-score", "--dataset", "synthetic:1500"]
    options += ["--entries", "Trainer"]
    options += ["--slices", "2", "--comments-train", "64", "--comments-score", "32"]
    options += ["--precision", "fp32", "--root", str(tmp_path), "--checkpoint", f"bert={tiny_bert}"]
    assert command.main([*options, "--checkpoint", f"llama={tiny_llama}"]) == 0

    (file,) = (tmp_path / "reports" / "runs" / "speed").iterdir()
    printed = capsys.readouterr().out
    assert f"worthit readme --speed {file.stem}" in printed
    run = record.load(file)
    train, score = run.comparisons
    assert [entry.label for entry in train.entries] == ["Trainer", "worthit"]
    assert [entry.label for entry in score.entries] == ["worthit"]
    for result in run.comparisons:
        assert len(result.gemm_flops_per_s) == 3  # before, between and after two turns
        for entry in result.entries:
            assert entry.reason == ""
            assert sum(entry.comments) == (64 if result is train else 32)
            assert entry.peak_mb is None or entry.peak_mb > 50
            assert f"\n{entry.label}  " in printed
            assert entry.scored_comments == 60 - (0 if result is train else 16)  # no warm-up
