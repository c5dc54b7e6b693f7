"""Peak memory over one pass, of this process, its child processes and the accelerator.

No polling: Linux records the peak (VmHWM), and a process resets it by writing 5 to clear_refs
(man 5 proc). ru_maxrss is unsuitable: it survives exec, so a small child inherits the peak of a big
parent. macOS records the peak of the physical footprint, which its Activity Monitor calls memory.
Windows records the peak of the working set.
"""

import contextlib
import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import psutil

from worthit.bench.saved.record import Figure, Memory, measured, unavailable
from worthit.datasets.errors import CellError

ALLOCATION_MB = 256
_LIMIT_S = 120.0
_PROC = Path("/proc")
_MB = 1e6
#: errors for a process that has ended since it was listed
_ENDED = (ProcessLookupError, FileNotFoundError, psutil.Error)
# rusage_info_v4 (sys/resource.h of macOS): a uuid of 16 bytes, then 35 numbers of 64 bits.
_RUSAGE_INFO_V4 = 4
_RUSAGE_NUMBERS = 35
_LIFETIME_MAX_FOOTPRINT = 28


@dataclass
class MemoryWindow:
    """The result of `peak_memory`."""

    memory: Memory = field(init=False)  # set at the end of the block


@contextmanager
def peak_memory(device: str, baseline_bytes: int) -> Iterator[MemoryWindow]:
    """Measure the peak of the process tree and of the accelerator during the block.

    Args:
        device: `cpu`, `cuda` or `mps`.
        baseline_bytes: resident before the model was loaded; recorded beside the peak.
    """
    window = MemoryWindow()
    since = _reset(device)
    yield window
    tree = _tree()
    anonymous, file_backed = _resident_by_kind()
    peak, reserved, used = _accelerator(device)
    window.memory = Memory(
        peak_mb=_peak(since, tree),
        baseline_mb=measured(baseline_bytes / _MB, "MB", "resident set"),
        accelerator_peak_mb=peak,
        anonymous_mb=anonymous,
        file_backed_mb=file_backed,
        accelerator_reserved_mb=reserved,
        accelerator_used_mb=used,
        processes=len(tree),
    )


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _tree() -> list[int]:
    """The ids of this process and of its living descendants."""
    this = psutil.Process()
    living = filter(_lives, this.children(recursive=True))
    return [this.pid, *(child.pid for child in living)]


def _lives(child: psutil.Process) -> bool:
    """False for a zombie, which has no memory any more."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(child.status() != psutil.STATUS_ZOMBIE)
    return False


def _reset(device: str) -> str:
    """Forget earlier peaks if the system can; returns since when the peak counts."""
    gc.collect()
    if sys.platform == "linux":  # glibc may hold memory that earlier passes freed
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
    if device != "cpu":
        import torch

        with contextlib.suppress(RuntimeError, AttributeError):  # a build without statistics
            torch.accelerator.reset_peak_memory_stats()
    this, *children = _tree()
    try:
        _forget_peak(this)  # not all kernels can
        for child in children:
            with contextlib.suppress(*_ENDED):
                _forget_peak(child)
    except OSError:
        return "since process start"
    return "over the pass"


def _forget_peak(pid: int) -> None:
    (_PROC / str(pid) / "clear_refs").write_text("5", "utf-8")


def _peak(since: str, tree: list[int]) -> Figure:
    """The sum of the processes' peaks, an upper bound of what was resident at once."""
    readers: dict[str, tuple[Callable[[int], int], str]] = {
        "linux": (lambda pid: _status_bytes("VmHWM", pid), f"VmHWM {since}"),
        "darwin": (_footprint_bytes, "peak physical footprint since process start"),
        "win32": (
            lambda pid: int(psutil.Process(pid).memory_info().peak_wset),
            "peak working set since process start",
        ),
    }
    if sys.platform not in readers:
        return unavailable("MB", f"{sys.platform} records no peak")
    peak_bytes, instrument = readers[sys.platform]
    peaks = []
    for pid in tree:
        with contextlib.suppress(*_ENDED):
            peaks.append(peak_bytes(pid))
    if len(peaks) > 1:
        instrument += f", {len(peaks)} processes added up"
    if sys.platform == "linux" and (swapped := sum(map(_swapped_bytes, tree))) >= _MB:
        instrument += f", without {swapped / _MB:,.0f} MB in swap"
    return measured(sum(peaks) / _MB, "MB", instrument)


def _swapped_bytes(pid: int) -> int:
    """Memory of a process that is in swap now; 0 if this kernel has none."""
    with contextlib.suppress(*_ENDED, CellError):
        return _status_bytes("VmSwap", pid)
    return 0


def _footprint_bytes(pid: int) -> int:
    """A process's highest physical footprint on macOS (proc_pid_rusage)."""
    numbers = (ctypes.c_uint64 * (2 + _RUSAGE_NUMBERS))()
    if _libproc().proc_pid_rusage(pid, _RUSAGE_INFO_V4, ctypes.byref(numbers)) != 0:
        raise ProcessLookupError(pid)
    return int(numbers[2 + _LIFETIME_MAX_FOOTPRINT])  # after the uuid, as long as two numbers


def _libproc() -> ctypes.CDLL:
    return ctypes.CDLL("/usr/lib/libproc.dylib")


def _resident_by_kind() -> tuple[Figure, Figure]:
    """Anonymous and file-backed memory; mapped weights are file-backed and count once touched."""
    if sys.platform != "linux":
        nothing = unavailable("MB", f"{sys.platform} does not distinguish the two")
        return nothing, nothing
    this = os.getpid()
    anonymous = _status_bytes("RssAnon", this)
    mapped = _status_bytes("RssFile", this) + _status_bytes("RssShmem", this)
    return (
        measured(anonymous / _MB, "MB", "RssAnon"),
        measured(mapped / _MB, "MB", "RssFile, RssShmem"),
    )


def _status_bytes(name: str, pid: int) -> int:
    status = (_PROC / str(pid) / "status").read_text("utf-8")
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024  # the kernel writes kB for KiB
    if "\nState:\tZ" in status:
        raise ProcessLookupError(pid)
    raise CellError(f"/proc/{pid}/status has no {name}; measuring memory needs Linux 4.5 or later")


def _accelerator(device: str) -> tuple[Figure, Figure, Figure]:
    """Peak of tensors, peak of torch's reserved memory, and memory of the device in use.

    On Apple silicon all of it is also main memory, so never add the two.
    """
    if device == "cpu":
        nothing = unavailable("MB", "the cell runs on the CPU")
        return nothing, nothing, nothing
    import torch

    try:
        statistics = dict(torch.accelerator.memory_stats())
        free, total = torch.accelerator.get_memory_info()
    except (RuntimeError, AttributeError) as error:
        nothing = unavailable("MB", f"this torch build has no {device} statistics ({error})")
        return nothing, nothing, nothing
    return (
        _statistic(statistics, "allocated_bytes.all.peak", device),
        _statistic(statistics, "reserved_bytes.all.peak", device),
        measured((total - free) / _MB, "MB", "device total less free"),
    )


def _statistic(statistics: dict[str, int], key: str, device: str) -> Figure:
    peak_bytes = statistics.get(key, 0)
    if not peak_bytes:  # a model has scored, so 0 is not a measurement
        return unavailable("MB", f"this torch build reports 0 for {device}'s {key}")
    return measured(peak_bytes / _MB, "MB", f"torch.accelerator {key}")


def measure_known_allocation(device: str) -> Figure:
    """The growth of peak memory, in MB, that `ALLOCATION_MB` cause in a new process.

    It checks this instrument: the process is this module as a program.

    Raises:
        CellError: the process failed or took too long.
    """
    command = [sys.executable, "-P", "-m", "worthit.bench.instruments.memory", device]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        raise CellError(f"the process took longer than {_LIMIT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        complaint = error.stderr.decode("utf-8", "replace")
        lines = complaint.strip().splitlines() or [f"exit code {error.returncode}"]
        raise CellError(f"the process failed: {lines[-1]}") from None
    return msgspec.json.decode(done.stdout, type=Figure)


def _growth(device: str) -> Figure:
    """The peak with the allocation, less the peak without."""
    baseline_bytes = resident_bytes()
    with peak_memory(device, baseline_bytes) as without:
        pass
    with peak_memory(device, baseline_bytes) as with_allocation:
        if device == "cpu":
            np.ones(ALLOCATION_MB * 1_000_000, dtype=np.uint8)
        else:
            import torch

            torch.ones(ALLOCATION_MB * 1_000_000, dtype=torch.uint8, device=device)
    before, after = (
        window.memory.peak_mb if device == "cpu" else window.memory.accelerator_peak_mb
        for window in (without, with_allocation)
    )
    if before.value is None or after.value is None:
        return after
    return measured(after.value - before.value, "MB", after.instrument)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_growth(sys.argv[1])))
