"""Energy counters of Apple processors, by zeus-apple-silicon (`pip install 'worthit[apple]'`).

They are IOReport's, which `powermetrics` also shows: Apple derives them from activity, and advises against
comparing different machines by them. codecarbon is not used on Apple processors: version 3.3 takes 85 W for
every processor.
"""

from typing import Any

from worthit.bench.instruments.readings import COMPONENTS, Readings, counted
from worthit.bench.saved.record import Figure, unavailable

_COUNTER = "zeus-apple-silicon: IOReport"
#: in mJ; None where the processor or macOS does not report it
_FIELDS = {"CPU": "cpu_total_mj", "RAM": "dram_mj", "GPU": "gpu_mj"}
_WINDOW = "worthit"
_NOT_INSTALLED = "needs the extra: pip install 'worthit[apple]'"


class AppleCounters:
    """Counters of the processor, the memory and the GPU of an Apple chip.

    Args:
        device: of the cell. For `cpu`, the GPU is metered as idle.
    """

    def __init__(self, device: str) -> None:
        self._uses_gpu = device != "cpu"
        self._monitor: Any = None
        try:
            from zeus_apple_silicon import AppleEnergyMonitor
        except ImportError:
            return
        self._monitor = AppleEnergyMonitor()

    def begin(self) -> None:
        if self._monitor is not None:
            self._monitor.begin_window(_WINDOW)

    def end(self) -> Readings:
        metrics = None if self._monitor is None else self._monitor.end_window(_WINDOW)
        joules = {component: _joules(metrics, _FIELDS[component]) for component in COMPONENTS}
        gpu, not_used = joules["GPU"], unavailable("J", "the cell runs on the CPU")
        if self._uses_gpu:
            return Readings(joules, unavailable("J", "the cell uses the GPU"))
        return Readings({**joules, "GPU": not_used}, gpu)


def _joules(metrics: Any, field: str) -> Figure:
    if metrics is None:
        return unavailable("J", _NOT_INSTALLED)
    millijoules = getattr(metrics, field)
    if millijoules is None:
        return unavailable("J", f"zeus-apple-silicon reports no {field} on this machine")
    return counted(millijoules / 1e3, _COUNTER)
