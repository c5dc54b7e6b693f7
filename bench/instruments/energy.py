"""Energy by codecarbon, each component apart and with its own provenance.

Where the machine has no energy counter codecarbon multiplies a guess of the processor's rated
power by a function of its load, and takes a constant for the RAM: such figures are estimates and
say so. Where codecarbon is known to be wrong, or a counter says what cannot be, there is no figure.
"""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worthit.bench.instruments import machine
from worthit.bench.saved.record import Energy, Figure, significant, unavailable

#: what is metered apart, and never added up while any of it is an estimate
COMPONENTS = ("CPU", "RAM", "GPU")

# NVML's counters tick every 100 ms, and codecarbon looks at the load once a second.
_SHORTEST_WINDOW_S = 5.0
# Beyond this the machine was busy with something else, or still cooling down.
_IDLE_TOLERANCE = 0.10
# Some RAPL counters wrap after 65 kJ: read this often, none wraps twice between two readings.
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
_CONSTANTS = (_CPU_CONSTANT, _RAM_CONSTANT)
_CPU_ESTIMATES = {
    "cpu_load": "codecarbon: modelled from rated power and load",
    "constant": _CPU_CONSTANT,
}
_GPU_COUNTERS = {"NvidiaGPUDevice": "NVML", "AMDGPUDevice": "AMD SMI"}


@dataclass(frozen=True)
class Spent:
    """One window: energy in J by component, and how long it took."""

    joules: Mapping[str, Figure]
    seconds: float

    def watts(self, component: str) -> Figure:
        return _times(self.joules[component], 1 / self.seconds, "W")


def measure_energy(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    window_s: float,
    idle_s: float,
) -> Energy:
    """Meter a window of scoring the same comments over and over, between two idle ones.

    Args:
        score: takes comments, returns host arrays; the model behind it is loaded.
        synchronize: waits until the device is idle.
        texts: handed over at once, again and again, for at least `window_s` seconds.
        window_s, idle_s: lengths of the busy window, and of each idle one.
    """
    meter = Meter()
    score(texts)
    synchronize()
    before = meter.over(lambda: time.sleep(idle_s))
    comments = 0

    def burn() -> None:
        nonlocal comments
        end = time.perf_counter() + window_s
        while time.perf_counter() < end:
            score(texts)
            comments += len(texts)
        synchronize()

    busy = meter.over(burn)
    after = meter.over(lambda: time.sleep(idle_s))

    def each(figure: Figure) -> Figure:
        shared = _times(figure, 1 / comments, "J")
        return shared if shared.value is None else dataclasses.replace(shared, samples=comments)

    net = {component: _net(component, busy, before, after) for component in COMPONENTS}
    return Energy(
        cpu_j_per_comment=each(busy.joules["CPU"]),
        ram_j_per_comment=each(busy.joules["RAM"]),
        gpu_j_per_comment=each(busy.joules["GPU"]),
        cpu_net_j_per_comment=each(net["CPU"]),
        ram_net_j_per_comment=each(net["RAM"]),
        gpu_net_j_per_comment=each(net["GPU"]),
        idle_before_w=_idle_w(before),
        idle_after_w=_idle_w(after),
        idle_disagreement=_disagreement(before, after),
        window_s=busy.seconds,
        comments=comments,
    )


def long_enough(spent: Spent) -> Spent:
    """The window, without figures if it was too short for the instruments to say anything."""
    if spent.seconds >= _SHORTEST_WINDOW_S:
        return spent
    short = unavailable(
        "J",
        f"it took {significant(spent.seconds)} s, energy needs {_SHORTEST_WINDOW_S:g} s or more",
    )
    joules = {
        component: figure if figure.value is None else short
        for component, figure in spent.joules.items()
    }
    return Spent(joules, spent.seconds)


class Meter:
    """codecarbon, primed: its first task costs a second of set-up, which belongs in no window.

    What goes wrong in codecarbon is not raised, since a training of hours may run in the window:
    all components are then unavailable, with the reason.
    """

    def __init__(self) -> None:
        self._broken = ""
        self._tracker = self._tried(_tracker)
        self.over(lambda: None)

    @property
    def broken(self) -> str:
        """What went wrong in codecarbon; empty while nothing did."""
        return self._broken

    def over(self, action: Callable[[], None]) -> Spent:
        """Meter one call of `action`. Windows do not nest.

        While it runs a thread of codecarbon's wakes once a second to look at the load.
        """
        self._tried(self._begin)
        start = time.perf_counter()
        try:
            action()
        finally:
            seconds = time.perf_counter() - start
            read = self._tried(self._end)
        if self._broken:
            return Spent(dict.fromkeys(COMPONENTS, unavailable("J", self._broken)), seconds)
        joules = {
            "CPU": self._cpu(read.cpu_energy * _J_PER_KWH),
            "RAM": self._ram(read.ram_energy * _J_PER_KWH),
            "GPU": self._gpu(read.gpu_energy * _J_PER_KWH),
        }
        return Spent(joules, seconds)

    def _tried(self, step: Callable[[], Any]) -> Any:
        if self._broken:
            return None
        try:
            return step()
        except Exception as error:
            words = " ".join(str(error).split())
            self._broken = f"codecarbon failed ({type(error).__name__}: {words})"
            return None

    def _begin(self) -> None:
        self._tracker.start_task()
        # A task reads counters only when it ends, and in a long training they may wrap twice.
        self._tracker._scheduler.start()

    def _end(self) -> Any:
        self._tracker._scheduler.stop()
        read = self._tracker.stop_task()
        if read is None:  # codecarbon logged why and went on
            raise RuntimeError("it metered nothing; the cell's log says why")
        return read

    def _part(self, kind: str) -> Any:
        parts = self._tracker._hardware
        return next((part for part in parts if type(part).__name__ == kind), None)

    def _cpu(self, joules: float) -> Figure:
        if machine.is_apple_silicon():
            return unavailable("J", "codecarbon 3.3 takes a generic 85 W for every Apple processor")
        part = self._part("CPU")
        if part is None:
            return unavailable("J", "codecarbon has no way to meter this processor that we trust")
        counter = _CPU_COUNTERS.get(part._mode)
        if counter is None:
            instrument = _CPU_ESTIMATES.get(part._mode, f"codecarbon: {part._mode}")
            return Figure(joules, "J", "estimated", instrument, reason=_remedy())
        if counter == "RAPL" and (unread := _unreadable_packages()):
            # codecarbon would add up the others and say nothing.
            return unavailable("J", f"RAPL of {', '.join(unread)} may not be read; {_GRANT}")
        files = part._intel_interface._rapl_files if part._mode == "intel_rapl" else ()
        # codecarbon leaves a package out that it could not read, or whose wrap it could not mend.
        left_out = any(file.sample_skipped or file.energy_delta.kWh <= 0 for file in files)
        return _counted(0.0 if left_out else joules, counter)

    def _ram(self, joules: float) -> Figure:
        if self._part("RAM") is None:
            return unavailable("J", "codecarbon has no way to meter this memory that we trust")
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
            instrument = f"codecarbon: {counter} power now and then, for want of an energy counter"
            return Figure(joules, "J", "estimated", instrument)
        return _counted(joules, counter)


def _tracker() -> Any:
    from codecarbon import OfflineEmissionsTracker

    # It greets before it reads log_level.
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    # The country decides CO2e only, which we do not read; without one codecarbon looks it up.
    return OfflineEmissionsTracker(
        country_iso_code="USA",
        measure_power_secs=_COUNTERS_READ_EVERY_S,
        output_methods=[],
        log_level="error",
        allow_multiple_runs=True,
        tracking_mode="machine",
        pue=1.0,  # else a setting in the user's home would multiply what is measured
    )


def _counted(joules: float, counter: str) -> Figure:
    """What a counter says, unless it cannot be: whatever is powered uses energy."""
    if joules <= 0:
        return unavailable(
            "J", f"a counter of {counter} stood still or went backwards over the window"
        )
    return Figure(joules, "J", "measured", f"codecarbon: {counter}")


def _remedy() -> str:
    """What would make the estimate a measurement; empty where there is no counter to be read."""
    if not _unreadable_packages():
        return ""
    return f"an estimate because the energy counters may not be read: {_GRANT}"


def _unreadable_packages() -> list[str]:
    """The processor packages whose RAPL counter exists and may not be read, by name."""
    counters = sorted(_POWERCAP.glob("intel-rapl:*/energy_uj"))
    names = {counter: (counter.parent / "name").read_text("utf-8").strip() for counter in counters}
    packages = [counter for counter in counters if "package" in names[counter]]
    return [names[counter] for counter in packages if not os.access(counter, os.R_OK)]


def _net(component: str, busy: Spent, before: Spent, after: Spent) -> Figure:
    """Gross less mean idle power over the window, in J; unavailable where any of them is."""
    gross = busy.joules[component]
    for spent in (busy, before, after):
        if spent.joules[component].value is None:
            return spent.joules[component]
    if gross.instrument in _CONSTANTS:
        return unavailable("J", "a constant is the same busy and idle: its net would be zero")
    idle_w = sum(spent.watts(component).value or 0.0 for spent in (before, after)) / 2
    net_j = (gross.value or 0.0) - idle_w * busy.seconds
    if net_j <= 0:
        return unavailable("J", "it took no more power than when idle")
    return dataclasses.replace(gross, value=net_j)


def _idle_w(idle: Spent) -> Figure:
    """Power in W of the measured components together; of the CPU, where all are estimates."""
    counted = [name for name in COMPONENTS if idle.joules[name].origin == "measured"]
    if not counted:
        return idle.watts("CPU")
    watts = sum(idle.watts(name).value or 0.0 for name in counted)
    return Figure(watts, "W", "measured", f"codecarbon: {' + '.join(counted)}")


def _disagreement(before: Spent, after: Spent) -> str:
    """Which components' idle powers disagree, in words; empty when they agree."""
    found = []
    for component in COMPONENTS:
        first, last = before.watts(component).value, after.watts(component).value
        if first is None or last is None or before.joules[component].instrument in _CONSTANTS:
            continue
        if abs(last - first) > _IDLE_TOLERANCE * (first + last) / 2:
            found.append(
                f"{component} idled at {significant(first)} W before and {significant(last)} W after"
            )
    return "; ".join(found)


def _times(figure: Figure, factor: float, unit: str) -> Figure:
    value = None if figure.value is None else figure.value * factor
    return dataclasses.replace(figure, value=value, unit=unit)
