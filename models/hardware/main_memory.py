"""Main memory that this process may use: a container may have less than the machine."""

import contextlib
from pathlib import Path

import psutil

from worthit.models.hardware import processor


def usable_bytes() -> int:
    """The machine's memory, or the limit of this process's control groups if that is lower."""
    total = int(psutil.virtual_memory().total)
    return min(total, limit_bytes() or total)


def limit_bytes() -> int | None:
    """The lowest memory limit of the process's control groups (v1 and v2) and their parents.

    None without a limit below the machine's memory.
    """
    limits = (_limit(folder) for folder in processor.own_groups("memory"))
    lowest = min((limit for limit in limits if limit is not None), default=None)
    total = int(psutil.virtual_memory().total)  # v1 has a limit of 2^63 for none
    return lowest if lowest is not None and lowest < total else None


def free_bytes() -> int:
    """Memory that new processes can take: of the machine, and of each group with a limit."""
    free = [int(psutil.virtual_memory().available)]
    for folder in processor.own_groups("memory"):
        limit, used = _limit(folder), _used(folder)
        if limit is not None and used is not None:
            free.append(max(limit - used, 0))
    return min(free)


def _limit(folder: Path) -> int | None:
    found = _first_line(folder / "memory.max") or _first_line(folder / "memory.limit_in_bytes")
    return int(found) if found.isdecimal() else None  # v2 writes max


def _used(folder: Path) -> int | None:
    """Without the cache of files, which the system drops when processes need the memory."""
    found = _first_line(folder / "memory.current") or _first_line(folder / "memory.usage_in_bytes")
    if not found.isdecimal():
        return None
    cached = 0
    with contextlib.suppress(OSError, ValueError):
        statistics = dict(map(str.split, (folder / "memory.stat").read_text("utf-8").splitlines()))
        cached = int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
    return max(int(found) - cached, 0)


def _first_line(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):  # no such controller, or no permission
        return ""
