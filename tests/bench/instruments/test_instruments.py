"""bench/instruments: throughput, memory, energy and noise."""

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from worthit.bench.instruments import energy, machine_noise, memory, throughput
from worthit.bench.instruments.cpu_time import CpuTime


@pytest.mark.parametrize(
    ("seconds_a_call", "seconds_a_comment", "sizes", "best"),
    [
        (0.0, 0.01, [1, 8, 32], {1, 8, 32}),  # no gain from batching at all
        (1.0, 0.0, [1, 8, 32, 128, 512, 2048], {2048}),  # batching always helps
    ],
)
def test_the_sweep_ends_when_throughput_stops_rising(
    monkeypatch: pytest.MonkeyPatch,
    seconds_a_call: float,
    seconds_a_comment: float,
    sizes: list[int],
    best: set[int],
) -> None:
    now = 0.0

    def score(texts: Any, size: int) -> None:
        nonlocal now
        now += seconds_a_call * math.ceil(len(texts) / size) + seconds_a_comment * len(texts)

    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now)
    swept = throughput.measure_throughput(score, lambda: None, ["a"] * 10, 0.0, 2048)
    assert [rate.batch_size for rate in swept.batches] == sizes
    size = swept.best.batch_size
    assert size in best
    rate = size / (seconds_a_call + seconds_a_comment * size)
    assert swept.best.comments_per_s.value == pytest.approx(rate)
    assert swept.ended_by == ("no gain" if len(sizes) == 3 else "largest size")


def test_the_cpu_time_of_threads_and_child_processes_counts() -> None:
    def burn(seconds: float) -> None:
        start = time.thread_time()
        while time.thread_time() - start < seconds:
            pass

    spent = CpuTime()
    threads = [threading.Thread(target=burn, args=(0.05,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    program = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        for thread in threads:
            thread.join()
        living_s = spent.seconds()
        child.communicate(b"\n")
    # 0.3 s in all; the upper bounds leave room for the start of the child and for clock ticks
    assert 0.27 <= living_s < 0.6
    assert living_s <= spent.seconds() + 0.02 < 0.7


def test_a_rate_has_the_cpu_time_of_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_s = 0.0

    def score(texts: Any, size: int) -> None:
        nonlocal cpu_s
        cpu_s += 0.002 * len(texts) + 1.0 * (size == 1)

    class Counted:
        def __init__(self) -> None:
            self._start = cpu_s

        def seconds(self) -> float:
            return cpu_s - self._start

    monkeypatch.setattr(throughput, "CpuTime", Counted)
    swept = throughput.measure_throughput(score, lambda: None, ["a"] * 8, 0.0, 8)
    assert [rate.core_ms.value for rate in swept.batches] == pytest.approx([127.0, 2.0])
    assert swept.machine.processes == 1
    assert swept.machine.core_ms == swept.best.core_ms


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")]
)
def test_a_batch_that_does_not_fit_ends_the_sweep_and_keeps_earlier_rates(error: Exception) -> None:
    def score(texts: Any, size: int) -> None:
        if size > 8:
            raise error

    swept = throughput.measure_throughput(score, lambda: None, ["a"] * 10, 0.0, 2048)
    assert [rate.batch_size for rate in swept.batches] == [1, 8]
    assert swept.ended_by == "memory"


@pytest.mark.parametrize("warms_up", [False, True])
def test_each_batch_size_is_warmed_up_where_shapes_are_prepared(warms_up: bool) -> None:
    calls: list[int] = []
    texts = ["a"] * 8
    throughput.measure_throughput(
        lambda texts, size: calls.append(size), lambda: None, texts, 0.0, 8, warms_up=warms_up
    )
    assert calls == ([1, 1, 1, 8, 8] if warms_up else [1, 1, 8])


def test_other_errors_are_not_mistaken_for_too_little_memory() -> None:
    def score(texts: Any, size: int) -> None:
        if size > 8:
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        throughput.measure_throughput(score, lambda: None, ["a"] * 10, 0.0, 2048)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_peak_memory_sees_a_known_allocation_and_forgets_it() -> None:
    with memory.peak_memory("cpu", memory.resident_bytes()) as window:
        block = np.ones(200_000_000 // 8)
        del block
    first = window.memory
    with memory.peak_memory("cpu", memory.resident_bytes()) as window:
        pass
    second = window.memory
    assert first.peak_mb.value is not None
    assert second.peak_mb.value is not None
    assert first.peak_mb.value - second.peak_mb.value == pytest.approx(200, rel=0.05)
    assert second.accelerator_peak_mb.value is None


class FakeAccelerator:
    """torch.accelerator as a build may have it."""

    def __init__(self, statistics: dict[str, int] | None) -> None:
        self._statistics = statistics
        self.resets = 0

    def reset_peak_memory_stats(self) -> None:
        self.resets += 1

    def memory_stats(self) -> dict[str, int]:
        if self._statistics is None:
            raise RuntimeError("not supported")
        return self._statistics

    def get_memory_info(self) -> tuple[int, int]:
        return 30_000_000, 100_000_000


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_accelerator_memory_is_reset_and_read(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    import torch

    full = {"allocated_bytes.all.peak": 5_000_000, "reserved_bytes.all.peak": 8_000_000}
    fake = FakeAccelerator(full)
    monkeypatch.setattr(torch, "accelerator", fake)
    with memory.peak_memory(device, 0) as window:
        pass
    found = window.memory
    assert found.accelerator_reserved_mb is not None
    assert found.accelerator_used_mb is not None
    assert fake.resets == 1
    assert found.accelerator_peak_mb.value == 5.0
    assert found.accelerator_reserved_mb.value == 8.0
    assert found.accelerator_used_mb.value == 70.0


@pytest.mark.parametrize(
    ("statistics", "reason"),
    [({}, "reports 0 for mps"), (None, "has no mps statistics")],
)
def test_builds_without_statistics_give_a_reason_and_never_0(
    monkeypatch: pytest.MonkeyPatch, statistics: dict[str, int] | None, reason: str
) -> None:
    import torch

    monkeypatch.setattr(torch, "accelerator", FakeAccelerator(statistics))
    with memory.peak_memory("mps", 0) as window:
        pass
    assert window.memory.accelerator_peak_mb.value is None
    assert reason in window.memory.accelerator_peak_mb.reason


@pytest.mark.skipif(sys.platform != "linux", reason="the peaks are read from /proc")
def test_peak_memory_is_of_the_process_tree() -> None:
    with memory.peak_memory("cpu", 0) as window:
        pass
    alone = window.memory
    code = "block = b'x' * 100_000_000; print('ready', flush=True); input()"
    with memory.peak_memory("cpu", 0) as window:
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
    child.communicate(b"\n")
    found = window.memory
    assert found.processes == alone.processes + 1  # earlier tests may have left processes
    assert found.peak_mb.value is not None
    assert alone.peak_mb.value is not None
    assert 100 < found.peak_mb.value - alone.peak_mb.value < 130
    assert f"{found.processes} processes added up" in found.peak_mb.instrument


@pytest.mark.skipif(sys.platform != "linux", reason="the peaks are read from /proc")
@pytest.mark.parametrize("listed", [True, False], ids=["ends-once-listed", "has-ended"])
def test_child_processes_that_have_ended_have_no_memory(
    monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    """Neither a zombie nor a process that is gone."""
    zombie, gone = (subprocess.Popen([sys.executable, "-c", ""]) for _ in range(2))
    gone.wait()
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert zombie.pid not in memory._tree()
    if listed:
        tree = [os.getpid(), gone.pid, zombie.pid]
        monkeypatch.setattr(memory, "_tree", lambda: tree)
    with memory.peak_memory("cpu", 0) as window:
        pass
    zombie.wait()
    assert window.memory.peak_mb.instrument.startswith("VmHWM over the pass")


def test_a_kernel_that_forgets_no_peak_counts_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(memory.Path, "write_text", missing)
    assert memory._reset("cpu") == "since process start"


@pytest.mark.parametrize(("swapped", "added"), [(0, ""), (12_000_000, ", without 12 MB in swap")])
def test_memory_in_swap_is_missing_from_the_peak_and_named(
    monkeypatch: pytest.MonkeyPatch, swapped: int, added: str
) -> None:
    monkeypatch.setattr(memory.sys, "platform", "linux")
    values = {"VmHWM": 50_000_000, "VmSwap": swapped}
    monkeypatch.setattr(memory, "_status_bytes", lambda name, pid: values[name])
    assert memory._peak("over the pass", [1]).instrument == f"VmHWM over the pass{added}"


def test_macos_reports_the_physical_footprint(monkeypatch: pytest.MonkeyPatch) -> None:
    class LibProc:
        def proc_pid_rusage(self, pid: int, flavor: int, buffer: Any) -> int:
            assert flavor == 4
            numbers = buffer._obj
            numbers[2 + 7], numbers[2 + 28] = 40_000_000, 70_000_000  # now, and at the highest
            return 0

    monkeypatch.setattr(memory, "_libproc", LibProc)
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory, "_tree", lambda: [os.getpid()])  # no children of other tests
    with memory.peak_memory("cpu", 0) as window:
        pass
    assert window.memory.peak_mb.value == 70.0
    assert "physical footprint" in window.memory.peak_mb.instrument
    assert window.memory.anonymous_mb is not None
    assert "does not distinguish" in window.memory.anonymous_mb.reason


@pytest.mark.skipif(sys.platform != "linux", reason="the two kinds are read from /proc")
def test_anonymous_and_file_backed_memory_are_measured_separately(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"x" * 100_000_000)

    def kinds() -> tuple[float, float]:
        with memory.peak_memory("cpu", 0) as window:
            pass
        found = window.memory
        assert found.anonymous_mb is not None
        assert found.file_backed_mb is not None
        assert found.anonymous_mb.value is not None
        assert found.file_backed_mb.value is not None
        return found.anonymous_mb.value, found.file_backed_mb.value

    before = kinds()
    mapped = np.memmap(tmp_path / "weights", np.uint8, "r")
    untouched = kinds()
    mapped.sum()
    touched = kinds()
    block = np.ones(100_000_000, np.uint8)
    filled = kinds()
    assert untouched[1] - before[1] < 5
    assert touched[1] - untouched[1] == pytest.approx(100, abs=8)
    assert touched[0] - before[0] < 8
    assert filled[0] - touched[0] == pytest.approx(100, abs=8)
    assert block.any()


def test_energy_counts_comments_and_marks_what_is_not_metered() -> None:
    scored: list[str] = []

    def score(texts: Sequence[str]) -> None:
        time.sleep(0.05)
        scored.extend(texts)

    spent = energy.measure_energy(score, lambda: None, ["a"] * 4, 0.3, 0.1)
    assert spent.window_s >= 0.3
    assert spent.comments == len(scored) - 4 > 0  # the first call comes before the window
    for figure in (spent.cpu_j_per_comment, spent.ram_j_per_comment, spent.gpu_j_per_comment):
        assert (figure.value is None) == (figure.origin == "unavailable")
    assert spent.cpu_s_per_comment.origin == "measured"


def test_noise_is_the_spread_of_equal_work() -> None:
    durations = [1.0] * 10 + [1.1] * 80 + [1.2] * 10
    assert machine_noise.spread(durations).value == pytest.approx(20)
    assert machine_noise.spread([1.0] * 50).value == 0
    assert machine_noise.measure_noise(0.0).samples == 20
