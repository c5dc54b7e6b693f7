"""Energy by codecarbon, for each component separately and with its own provenance.

Without an energy counter, codecarbon multiplies a guess of the processor's rated power by a function
of its load, and takes a constant for the RAM. Such figures are marked as estimates. If codecarbon is
known to be wrong, or a counter reads an impossible value, there is no figure.

The code reads private attributes of codecarbon, so pyproject.toml caps its version.
"""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.bench.instruments import machine
from worthit.bench.saved.record import Figure, significant, unavailable
from worthit.datasets.errors import described

#: metered separately, and never added up while any of them is an estimate
COMPONENTS = ("CPU", "RAM", "GPU")

# NVML's counters tick every 100 ms, and codecarbon reads the load once a second.
_SHORTEST_WINDOW_S = 5.0
# Some RAPL counters wrap after 65 kJ; at this interval none wraps twice between two readings.
_COUNTERS_READ_EVERY_S = 30
_J_PER_KWH = 3.6e6
_POWERCAP = Path("/sys/class/powercap")
_GRANT = "run as root, or have root grant read permission on /sys/class/powercap/intel-rapl"
_CPU_COUNTERS = {
    "intel_rapl": "RAPL",
    "windows_emi": "Windows EMI",
    "intel_power_gadget": "Intel Power Gadget",
}
_CPU_CONSTANT = "codecarbon: constant, half of rated power"
_RAM_CONSTANT = "codecarbon: constant by size"
#: instruments whose reading does not depend on the load
CONSTANTS = (_CPU_CONSTANT, _RAM_CONSTANT)
_CPU_ESTIMATES = {
    "cpu_load": "codecarbon: modelled from rated power and load",
    "constant": _CPU_CONSTANT,
}
_GPU_COUNTERS = {"NvidiaGPUDevice": "NVML", "AMDGPUDevice": "AMD SMI"}


@dataclass(frozen=True)
class EnergyWindow:
    """Energy in J by component over a period of time."""

    joules: Mapping[str, Figure]
    seconds: float

    def watts(self, component: str) -> Figure:
        return times(self.joules[component], 1 / self.seconds, "W")

    def long_enough(self) -> "EnergyWindow":
        """This window; without figures if it was too short for the instruments."""
        if self.seconds >= _SHORTEST_WINDOW_S:
            return self
        took = f"it took {significant(self.seconds)} s"
        short = unavailable("J", f"{took}, energy needs {_SHORTEST_WINDOW_S:g} s or more")
        joules = {
            component: figure if figure.value is None else short
            for component, figure in self.joules.items()
        }
        return EnergyWindow(joules, self.seconds)


class Meter:
    """codecarbon, after a first task: that one includes a second of set-up.

    Errors of codecarbon are not raised, since hours of training may run in the window. All components
    are then unavailable, with the reason.
    """

    def __init__(self) -> None:
        self.broken = ""  # why codecarbon failed
        self._tracker = self._try(_tracker)
        self.over(lambda: None)

    def over(self, action: Callable[[], None]) -> EnergyWindow:
        """Meter one call of `action`. Windows do not nest.

        Meanwhile a thread of codecarbon reads the load once a second.
        """
        self._try(self._begin)
        start = time.perf_counter()
        try:
            action()
        finally:
            seconds = time.perf_counter() - start
            data = self._try(self._end)
        if self.broken:
            return EnergyWindow(dict.fromkeys(COMPONENTS, unavailable("J", self.broken)), seconds)
        joules = {
            "CPU": self._cpu(data.cpu_energy * _J_PER_KWH),
            "RAM": self._ram(data.ram_energy * _J_PER_KWH),
            "GPU": self._gpu(data.gpu_energy * _J_PER_KWH),
        }
        return EnergyWindow(joules, seconds)

    def _try(self, step: Callable[[], Any]) -> Any:
        if self.broken:
            return None
        try:
            return step()
        except Exception as error:
            self.broken = f"codecarbon failed ({described(error)})"
            return None

    def _begin(self) -> None:
        self._tracker.start_task()
        # A task alone reads counters only at its end; in a long training they may wrap twice.
        self._tracker._scheduler.start()

    def _end(self) -> Any:
        self._tracker._scheduler.stop()
        data = self._tracker.stop_task()
        if data is None:  # codecarbon only logged an error
            raise RuntimeError("it metered nothing; the cell's log says why")
        return data

    def _part(self, kind: str) -> Any:
        parts = self._tracker._hardware
        return next((part for part in parts if type(part).__name__ == kind), None)

    def _cpu(self, joules: float) -> Figure:
        if machine.is_apple_silicon():
            return unavailable("J", "codecarbon 3.3 takes a generic 85 W for every Apple processor")
        part = self._part("CPU")
        if part is None:
            return unavailable("J", "codecarbon has no reliable way to meter this processor")
        counter = _CPU_COUNTERS.get(part._mode)
        if counter is None:
            instrument = _CPU_ESTIMATES.get(part._mode, f"codecarbon: {part._mode}")
            return Figure(joules, "J", "estimated", instrument, reason=_remedy())
        if counter == "RAPL" and (unread := _unreadable_packages()):
            # codecarbon would silently add up the others.
            return unavailable(
                "J", f"reading RAPL of {', '.join(unread)} is not permitted; {_GRANT}"
            )
        files = part._intel_interface._rapl_files if part._mode == "intel_rapl" else ()
        # codecarbon leaves out a package that it cannot read, or whose wrap it cannot correct.
        incomplete = any(file.sample_skipped or file.energy_delta.kWh <= 0 for file in files)
        return _counted(0.0 if incomplete else joules, counter)

    def _ram(self, joules: float) -> Figure:
        if self._part("RAM") is None:
            return unavailable("J", "codecarbon has no reliable way to meter this memory")
        return Figure(joules, "J", "estimated", _RAM_CONSTANT)

    def _gpu(self, joules: float) -> Figure:
        if machine.is_apple_silicon():
            return unavailable("J", "codecarbon 3.3 does not meter Apple GPUs")
        part = self._part("GPU")
        if part is None or not part.devices.devices:
            return unavailable("J", "no GPU that codecarbon can meter")
        devices = part.devices.devices
        counter = _GPU_COUNTERS.get(type(devices[0]).__name__, "GPU")
        if joules > 0 and any(device._use_power_fallback for device in devices):
            instrument = f"codecarbon: {counter} power at intervals, without an energy counter"
            return Figure(joules, "J", "estimated", instrument)
        return _counted(joules, counter)


def _tracker() -> Any:
    from codecarbon import OfflineEmissionsTracker

    # It logs before it reads log_level.
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    # The country affects only CO2e, which is not used; without it codecarbon looks it up online.
    return OfflineEmissionsTracker(
        country_iso_code="USA",
        measure_power_secs=_COUNTERS_READ_EVERY_S,
        output_methods=[],
        log_level="error",
        allow_multiple_runs=True,
        tracking_mode="machine",
        pue=1.0,  # overrides a setting in the user's home that multiplies energy
    )


def _counted(joules: float, counter: str) -> Figure:
    """The reading of a counter, unless it is impossible: a powered component uses energy."""
    if joules <= 0:
        return unavailable("J", f"a counter of {counter} did not advance during the window")
    return Figure(joules, "J", "measured", f"codecarbon: {counter}")


def _remedy() -> str:
    """How to turn the estimate into a measurement; empty if the machine has no counter."""
    if not _unreadable_packages():
        return ""
    return f"an estimate, since reading the energy counters is not permitted: {_GRANT}"


def _unreadable_packages() -> list[str]:
    """Names of the processor packages whose RAPL counter this process may not read."""
    counters = sorted(_POWERCAP.glob("intel-rapl:*/energy_uj"))
    names = {counter: (counter.parent / "name").read_text("utf-8").strip() for counter in counters}
    packages = [counter for counter in counters if "package" in names[counter]]
    return [names[counter] for counter in packages if not os.access(counter, os.R_OK)]


def times(figure: Figure, factor: float, unit: str) -> Figure:
    value = None if figure.value is None else figure.value * factor
    return dataclasses.replace(figure, value=value, unit=unit)
