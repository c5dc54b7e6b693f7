"""bench/instruments/cpu_counters.py: counters from made files, and of real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from worthit.bench.instruments import cpu_counters

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cpu_counters, "_PROC", tmp_path)
    return tmp_path


def stat(folder: Path, **cores: str) -> None:
    lines = [f"{name} {times} 0 0" for name, times in cores.items()]
    (folder / "stat").write_text("\n".join([*lines, "intr 1 2", "ctxt 5"]))


@linux
def test_only_the_cores_that_the_process_may_use_count(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3})
    stat(
        proc,
        cpu="9 9 9 9 9 9 9 9",
        cpu0="900 0 0 0 0 0 0 0",
        cpu1="100 20 30 400 50 6 7 80",
        cpu3="100 0 0 200 0 0 0 0",
    )
    found = cpu_counters._linux_cpu_time()
    assert found.busy_s == pytest.approx(2.63)
    assert found.steal_s == pytest.approx(0.8)
    assert found.total_s == pytest.approx(9.93)


@linux
def test_a_container_that_renumbers_its_cores_has_them_all(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {8, 9})
    stat(proc, cpu="400 0 0 0 0 0 0 0", cpu0="100 0 0 0 0 0 0 0", cpu1="100 0 0 0 0 0 0 0")
    assert cpu_counters._linux_cpu_time().busy_s == pytest.approx(2.0)


@linux
def test_waits_are_those_of_each_thread(proc: Path) -> None:
    for thread, line in {"7": "5 2000000000 9", "8": "5 1000000 9"}.items():
        folder = proc / "self" / "task" / thread
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text(line)
    (proc / "self" / "task" / "9").mkdir()  # it has ended meanwhile
    assert cpu_counters._waits_s() == {7: 2.0, 8: 0.001}


@linux
def test_pressure_is_that_of_some_task(proc: Path) -> None:
    (proc / "pressure").mkdir()
    text = "some avg10=1.00 avg60=0.50 avg300=0.10 total=2500000\nfull avg10=0.00 total=7\n"
    (proc / "pressure" / "cpu").write_text(text)
    assert cpu_counters._pressure_s() == 2.5


@linux
def test_a_system_without_these_files_counts_nothing(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_counters, "_CPUS", proc)
    found = cpu_counters.read()
    assert (found.cpu, found.waits_s, found.pressure_s, found.thermal_s) == (None,) * 4


def test_quotas_are_read_from_the_groups_that_have_them(tmp_path: Path) -> None:
    for name, text in {
        "v2": "usage_usec 5\nnr_periods 40\nnr_throttled 3\n",
        "root": "usage 5\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpu.stat").write_text(text)
    groups = [tmp_path / name for name in ("v2", "root", "missing")]
    assert cpu_counters._quotas(groups) == {str(tmp_path / "v2"): (40, 3)}


def test_the_hottest_core_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_counters, "_CPUS", tmp_path)
    for core, milliseconds in {"cpu0": 20, "cpu1": 700}.items():
        (tmp_path / core / "thermal_throttle").mkdir(parents=True)
        file = tmp_path / core / "thermal_throttle" / "core_throttle_total_time_ms"
        file.write_text(f"{milliseconds}\n")
    assert cpu_counters._thermal_s() == 0.7


@pytest.fixture
def busy() -> Iterator[psutil.Process]:
    """A process that uses all the CPU time it gets."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def test_the_time_of_own_descendants_is_not_that_of_others(busy: psutil.Process) -> None:
    def used_s() -> float:
        return sum(busy.cpu_times()[:2])

    before, child_before_s = cpu_counters.read(), used_s()
    while used_s() < child_before_s + 0.2:
        time.sleep(0.02)
    child_s, after = used_s() - child_before_s, cpu_counters.read()
    assert after.own_s - before.own_s >= child_s


def test_the_time_of_a_neighbour_is_that_of_others(busy: psutil.Process) -> None:
    """The measuring process is not the parent of the busy one."""
    program = f"""
import time, psutil
from worthit.bench.instruments import cpu_counters
neighbour = psutil.Process({busy.pid})
def used_s():
    return sum(neighbour.cpu_times()[:2])
before, used_before_s = cpu_counters.read(), used_s()
while used_s() < used_before_s + 0.3:
    time.sleep(0.02)
used = used_s() - used_before_s
after = cpu_counters.read()
others_s = after.cpu.busy_s - before.cpu.busy_s - (after.own_s - before.own_s)
print(others_s, used)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    others_s, used_s = map(float, done.stdout.split())
    ticks_s = 0.01 * (2 + (os.cpu_count() or 1))  # each core counts in ticks of 10 ms
    assert others_s >= used_s - ticks_s
