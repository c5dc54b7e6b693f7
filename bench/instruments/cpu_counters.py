"""Counters of what shares the processor with this process, read in about a millisecond.

Linux counts all of them in /proc and in control groups. Elsewhere psutil gives the CPU time of the
machine, and the operating system the context switches; the other counters are None.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil

from worthit.models.hardware import processor

T = TypeVar("T")

_PROC = Path("/proc")
_CPUS = Path("/sys/devices/system/cpu")
# Places in a line of /proc/stat after the name (man 5 proc). `user` includes the time of guests.
_IDLE, _IO_WAIT, _STEAL, _FIELDS = 3, 4, 7, 8


class CpuTime(NamedTuple):
    """Seconds since boot, summed over the cores that this process may use."""

    busy_s: float  # all processes and interrupts
    steal_s: float | None  # taken by the hypervisor; None if the system does not count it
    total_s: float
    source: str  # the instrument


@dataclass(frozen=True)
class Counters:
    """What was counted until now. None: this system does not count it."""

    at_s: float  # time.perf_counter
    cpu: CpuTime | None
    own_s: float  # CPU time of this process and its descendants
    waits_s: Mapping[int, float] | None  # for a core, by thread of this process
    pressure_s: float | None  # time in which any task of the machine waited for a core
    switches: int | None  # of context, involuntary, of this process
    quotas: Mapping[
        str, tuple[int, int]
    ]  # control group → periods of its CPU quota, throttled ones
    thermal_s: float | None  # time in which a core was slowed down because of its temperature


def read() -> Counters:
    """All counters, those that change fastest last."""
    return Counters(
        quotas=_quotas(processor.own_groups()),
        thermal_s=_known(_thermal_s),
        pressure_s=_known(_pressure_s),
        switches=_switches(),
        own_s=_own_s(),
        cpu=_known(_linux_cpu_time) if sys.platform == "linux" else _cpu_time(),
        waits_s=_known(_waits_s),
        at_s=time.perf_counter(),
    )


def _known(read_counter: Callable[[], T]) -> T | None:
    try:
        return read_counter()
    except (OSError, ValueError, IndexError):
        return None


def _linux_cpu_time() -> CpuTime:
    """From /proc/stat, which has the cores of the host, also in a container."""
    allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    lines = [line.split() for line in (_PROC / "stat").read_text("utf-8").splitlines()]
    cores = {name: list(map(int, times[:_FIELDS])) for name, *times in lines if name[:3] == "cpu"}
    # A container may show only its own cores, under other numbers.
    names = allowed if allowed <= cores.keys() else cores.keys() - {"cpu"}
    ticks = [sum(column) for column in zip(*(cores[name] for name in names), strict=True)]
    second = os.sysconf("SC_CLK_TCK")
    idle, steal = ticks[_IDLE] + ticks[_IO_WAIT], ticks[_STEAL]
    return CpuTime(
        (sum(ticks) - idle - steal) / second,
        steal / second,
        sum(ticks) / second,
        "/proc/stat",
    )


def _cpu_time() -> CpuTime:
    times = psutil.cpu_times()
    total_s = sum(times)
    return CpuTime(total_s - times.idle, None, total_s, "psutil")


def _own_s() -> float:
    """CPU time of this process, of the children it has waited for, and of living descendants."""
    own = psutil.Process()
    used = own.cpu_times()
    total_s: float = time.process_time() + used.children_user + used.children_system
    for child in own.children(recursive=True):
        with suppress(psutil.Error):
            total_s += sum(child.cpu_times()[:4])
    return total_s


def _waits_s() -> dict[int, float]:
    """Time on the run queue, the second number of each thread's schedstat, in ns."""
    waits = {}
    for thread in (_PROC / "self" / "task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            waits[int(thread.name)] = (
                int((thread / "schedstat").read_text("utf-8").split()[1]) / 1e9
            )
    if not waits:
        raise ValueError("no thread has scheduler statistics")
    return waits


def _pressure_s() -> float:
    """Pressure stall information: `some … total=MICROSECONDS` (Documentation/accounting/psi.rst)."""
    some = (_PROC / "pressure" / "cpu").read_text("utf-8").split("\n", 1)[0]
    return int(some.rpartition("total=")[2]) / 1e6


def _switches() -> int | None:
    """Of all threads; psutil counts those of the main thread."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _quotas(groups: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Periods and throttled periods of the control groups (v1 and v2) that have a CPU quota."""
    counted = {}
    for group in groups:
        with suppress(OSError, ValueError, KeyError):
            lines = (group / "cpu.stat").read_text("utf-8").splitlines()
            values = {key: int(value) for key, value in map(str.split, lines)}
            counted[str(group)] = (values["nr_periods"], values["nr_throttled"])
    return counted


def _thermal_s() -> float:
    """The core that was throttled longest, or the package if longer; Linux 5.6 on Intel."""
    files = [*_CPUS.glob("cpu[0-9]*/thermal_throttle/*_throttle_total_time_ms")]
    return max(int(file.read_text("utf-8")) for file in files) / 1e3
