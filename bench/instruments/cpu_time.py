"""CPU time in core-seconds: what a computation costs, on however many cores it ran."""

import contextlib
import os
import time

import psutil


class CpuTime:
    """Counts from its creation on: all threads of this process, and its descendants.

    Descendants are counted in steps of 10 ms on Linux. On other systems than Linux, those that a
    descendant started and that ended meanwhile are missing.
    """

    def __init__(self) -> None:
        self._descendants_s = _descendants_s()
        self._own_s = time.process_time()

    def seconds(self) -> float:
        """Core-seconds so far."""
        own_s = time.process_time() - self._own_s
        return own_s + max(_descendants_s() - self._descendants_s, 0.0)


def _descendants_s() -> float:
    """Core-seconds of the living descendants, and of those that ended and were waited for."""
    ended = os.times()
    total_s = ended.children_user + ended.children_system
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total_s += sum(child.cpu_times()[:4])  # user, system, and both of its own children
    return total_s
