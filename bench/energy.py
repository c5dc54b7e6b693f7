"""Energy of scoring, by codecarbon, each component apart and with its own provenance.

Where the machine has no energy counter codecarbon multiplies a guess of the processor's rated
power by a function of its load, and takes a constant for the RAM: such figures are estimates and say so.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worthit.bench.record import Energy, Figure, Origin, unavailable
from worthit.datasets.errors import CellError

_J_PER_KWH = 3.6e6
_MEASURED_CPU_MODES = {"intel_rapl", "intel_power_gadget", "windows_emi"}


@dataclass(frozen=True)
class Reading:
    """What one window took, by component."""

    cpu_j: float
    ram_j: float
    gpu_j: float
    seconds: float


def measure_energy(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    window_s: float,
    idle_s: float,
) -> Energy:
    """Meter an idle window, then a window of scoring the same comments over and over.

    Args:
        score: takes comments, returns host arrays.
        synchronize: waits until the device is idle.
        texts: handed over at once, again and again, for at least `window_s` seconds.
        window_s, idle_s: lengths of the two windows.
    """
    meter = Meter()
    score(texts)
    synchronize()
    idle = meter.over(lambda: time.sleep(idle_s))
    comments = 0

    def burn() -> None:
        nonlocal comments
        end = time.perf_counter() + window_s
        while time.perf_counter() < end:
            score(texts)
            comments += len(texts)
        synchronize()

    busy = meter.over(burn)
    return Energy(
        cpu_j_per_comment=meter.cpu(busy.cpu_j / comments, comments),
        ram_j_per_comment=meter.ram(busy.ram_j / comments, comments),
        gpu_j_per_comment=meter.gpu(busy.gpu_j / comments, comments),
        idle_power_w=meter.idle((idle.cpu_j + idle.ram_j + idle.gpu_j) / idle.seconds),
        window_s=busy.seconds,
        comments=comments,
    )


class Meter:
    """codecarbon, primed outside any window: its first task costs a second of set-up.

    `cpu`, `ram`, `gpu` (J) and `idle` (W) give a number its provenance on this machine.

    Raises:
        CellError: codecarbon could not start.
    """

    def __init__(self) -> None:
        from codecarbon import OfflineEmissionsTracker

        # It greets before it reads log_level.
        logging.getLogger("codecarbon").setLevel(logging.ERROR)
        # The country decides CO2e only, which we do not read; without one codecarbon looks it up.
        self._tracker = OfflineEmissionsTracker(
            country_iso_code="USA",
            measure_power_secs=1,
            output_methods=[],
            log_level="error",
            allow_multiple_runs=True,
            tracking_mode="machine",
        )
        if not hasattr(self._tracker, "_tasks"):  # its constructor logs errors and goes on
            raise CellError("codecarbon could not start; the cell's log says why")
        self.over(lambda: None)
        modes = [getattr(part, "_mode", None) for part in self._tracker._hardware]
        self._cpu_mode = next((mode for mode in modes if mode), "")
        self._has_gpu = any(type(part).__name__ == "GPU" for part in self._tracker._hardware)

    def over(self, action: Callable[[], None]) -> Reading:
        """Meter one window, as long as `action` takes."""
        self._tracker.start_task("window")
        start = time.perf_counter()
        action()
        seconds = time.perf_counter() - start
        read = self._tracker.stop_task("window")
        return Reading(
            read.cpu_energy * _J_PER_KWH,
            read.ram_energy * _J_PER_KWH,
            read.gpu_energy * _J_PER_KWH,
            seconds,
        )

    def cpu(self, joules: float, samples: int) -> Figure:
        if sys.platform == "darwin":
            return unavailable("J", "codecarbon 3.3 takes a generic 85 W for every Apple processor")
        if not self._cpu_mode:
            return unavailable("J", "codecarbon found no way to meter this processor")
        origin: Origin = "measured" if self._cpu_mode in _MEASURED_CPU_MODES else "estimated"
        backend = (
            "modelled from rated power and load" if self._cpu_mode == "cpu_load" else self._cpu_mode
        )
        return Figure(joules, "J", origin, f"codecarbon: {backend}", samples)

    def ram(self, joules: float, samples: int) -> Figure:
        return Figure(joules, "J", "estimated", "codecarbon: constant by size", samples)

    def gpu(self, joules: float, samples: int) -> Figure:
        if not self._has_gpu:
            return unavailable("J", "no GPU that codecarbon can meter")
        return Figure(joules, "J", "measured", "codecarbon: nvml", samples)

    def idle(self, watts: float) -> Figure:
        return Figure(watts, "W", "estimated", "codecarbon: CPU, RAM and GPU together")
