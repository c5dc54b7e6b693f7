"""Peak memory of this process over one pass, and its accelerator's.

Linux keeps the peak itself (VmHWM) and lets a process reset it by writing 5 to clear_refs
(man 5 proc), so nothing has to poll. ru_maxrss would not do: it survives exec, and a small child
inherits the peak of a big parent.
"""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from worthit.bench.record import Figure, Memory, measured, unavailable

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_MB = 1e6


@dataclass
class Window:
    """Filled in when the pass is over."""

    memory: Memory | None = None


@contextmanager
def peak_memory(device: str, baseline_bytes: int) -> Iterator[Window]:
    """Measure the peak over the block, of the process and of the accelerator.

    Args:
        device: `cpu`, `cuda` or `mps`.
        baseline_bytes: resident before the model came, to be shown beside the peak.
    """
    window = Window()
    since = _reset(device)
    yield window
    window.memory = Memory(
        peak_mb=_peak(since),
        baseline_mb=measured(baseline_bytes / _MB, "MB", "resident set"),
        accelerator_peak_mb=_accelerator_peak(device),
    )


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _reset(device: str) -> str:
    """Forget earlier peaks where the system can; says since when the peak counts."""
    gc.collect()
    if sys.platform == "linux":  # what earlier passes freed, glibc may still hold
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return "since process start"
    return "over the pass"


def _peak(since: str) -> Figure:
    if sys.platform == "linux":
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return measured(int(line.split()[1]) * 1024 / _MB, "MB", f"VmHWM {since}")
    if sys.platform == "win32":
        peak = psutil.Process().memory_info().peak_wset
        return measured(peak / _MB, "MB", "peak working set since process start")
    return unavailable("MB", f"no resettable peak is known on {sys.platform}")


def _accelerator_peak(device: str) -> Figure:
    if device == "cuda":
        import torch

        return measured(torch.cuda.max_memory_allocated() / _MB, "MB", "torch allocator's peak")
    if device == "mps":
        return unavailable("MB", "the Metal driver reports a pool, not a peak")
    return unavailable("MB", "the cell runs on the CPU")
