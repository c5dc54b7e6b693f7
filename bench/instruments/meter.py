"""Energy counters over a period of time, for each component separately, and the CPU time beside them.

A figure is what a counter read. Without one there is no figure, and if a counter reads an impossible
value there is none either.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worthit.bench.instruments import machine
from worthit.bench.instruments.apple_counters import AppleCounters
from worthit.bench.instruments.codecarbon_counters import RAPL, CodecarbonCounters
from worthit.bench.instruments.cpu_time import CpuTime
from worthit.bench.instruments.readings import COMPONENTS, Readings
from worthit.bench.saved.record import Figure, measured, significant, unavailable
from worthit.datasets.errors import described

# NVML's counters tick every 100 ms, RAPL's every millisecond.
_SHORTEST_WINDOW_S = 5.0
_SHORTEST_RAPL_WINDOW_S = 0.5


@dataclass(frozen=True)
class EnergyWindow:
    """Energy and CPU time over a period of time."""

    joules: Mapping[str, Figure]  # by component
    idle_gpu: Figure  # J of the cards, if the cell uses none
    cpu_s: Figure  # of this process and its children
    seconds: float

    def watts(self, component: str) -> Figure:
        return times(self.joules[component], 1 / self.seconds, "W")

    def long_enough(self) -> "EnergyWindow":
        """This window; without energy that is too little for its counter's steps."""
        joules = {component: self._if_long(figure) for component, figure in self.joules.items()}
        return dataclasses.replace(self, joules=joules)

    def _if_long(self, figure: Figure) -> Figure:
        shortest_s = _SHORTEST_RAPL_WINDOW_S if figure.instrument == RAPL else _SHORTEST_WINDOW_S
        if figure.value is None or self.seconds >= shortest_s:
            return figure
        took = f"it took {significant(self.seconds)} s"
        return unavailable("J", f"{took}, its energy needs {shortest_s:g} s or more")


class Meter:
    """The energy counters of this machine, after a first window: codecarbon's includes a second of set-up.

    Errors of the counters' libraries are not raised, since hours of training may run in the window. All
    components are then unavailable, with the reason.

    Args:
        device: of the cell; of the cards, only those that it uses count as its energy.
        cards: that the cell uses, from the first one on.
    """

    def __init__(self, device: str, cards: int = 1) -> None:
        self.broken = ""  # why the counters failed
        apple = machine.is_apple_silicon()
        self._library = "zeus-apple-silicon" if apple else "codecarbon"
        self._counters: Any = self._try(
            lambda: AppleCounters(device) if apple else CodecarbonCounters(device, cards)
        )
        self.over(lambda: None)

    def over(self, action: Callable[[], None]) -> EnergyWindow:
        """Meter one call of `action`. Windows do not nest.

        Meanwhile a thread of codecarbon wakes once a second.
        """
        self._try(lambda: self._counters.begin())
        cpu, start = CpuTime(), time.perf_counter()
        try:
            action()
        finally:
            seconds = time.perf_counter() - start
            cpu_s = cpu.seconds()
            readings = self._try(lambda: self._counters.end())
        if readings is None:
            broken = unavailable("J", self.broken)
            readings = Readings(dict.fromkeys(COMPONENTS, broken), broken)
        spent = measured(cpu_s, "s", "CPU time of the process and its children")
        return EnergyWindow(readings.joules, readings.idle_gpu, spent, seconds)

    def _try(self, step: Callable[[], Any]) -> Any:
        if self.broken:
            return None
        try:
            return step()
        except Exception as error:
            self.broken = f"{self._library} failed ({described(error)})"
            return None


def times(figure: Figure, factor: float, unit: str) -> Figure:
    value = None if figure.value is None else figure.value * factor
    return dataclasses.replace(figure, value=value, unit=unit)
