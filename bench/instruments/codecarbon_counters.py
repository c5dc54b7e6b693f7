"""Energy counters that codecarbon reads: RAPL, NVML and others.

Without a counter, codecarbon multiplies an assumed power by a function of the load, and takes a constant
for the memory. Such figures are not used: on an unknown processor of 8 cores its formula
(4 W a thread × (0.1 + 0.9 load³)) makes a core-second 64 times as expensive when all cores are busy.

The code reads private attributes of codecarbon, so pyproject.toml caps its version.
"""

import logging
import os
from pathlib import Path
from typing import Any

from worthit.bench.instruments import gpu_cards
from worthit.bench.instruments.gpu_cards import FoundCard
from worthit.bench.instruments.readings import Readings, counted
from worthit.bench.saved.record import Figure, unavailable
from worthit.datasets.errors import described

RAPL = "codecarbon: RAPL"
# Some RAPL counters wrap after 65 kJ; at this interval none wraps twice between two readings.
_COUNTERS_READ_EVERY_S = 30
_J_PER_KWH = 3.6e6
_POWERCAP = Path("/sys/class/powercap")
_GRANT = "run as root, or have root grant read permission on /sys/class/powercap/intel-rapl"
_NO_COUNTER = "there is no energy counter of the processor (RAPL); most virtual machines have none"
_CPU_COUNTERS = {
    "intel_rapl": RAPL,
    "windows_emi": "codecarbon: Windows EMI",
    "intel_power_gadget": "codecarbon: Intel Power Gadget",
}
_GPU_COUNTERS = {"NvidiaGPUDevice": "NVML", "AMDGPUDevice": "AMD SMI"}


class CodecarbonCounters:
    """Counters of the processor and of the cards that the cell uses.

    Args:
        device: of the cell. For `cpu`, all cards are metered as idle.
        used: the number of cards that the cell uses.
    """

    def __init__(self, device: str, used: int = 1) -> None:
        cards, self._failure = _cards()
        self._uses_gpu = device != "cpu"
        found = _used_cards(cards, used) if self._uses_gpu else []
        #: why a card that the cell uses has no counter; the others alone would be too little
        self._missing = next((card.reason for card in found if card.reason), "")
        indices = [card.gpu_index for card in cards]
        if self._uses_gpu:
            known = [card.index for card in found if card.index is not None]
            indices = [] if self._missing else known
        self._metered = [card for card in cards if card.gpu_index in indices]
        self._tracker = _tracker(indices, reads_gpus=not self._failure)

    def begin(self) -> None:
        self._tracker.start_task()
        # A task alone reads counters only at its end; in a long training they may wrap twice.
        self._tracker._scheduler.start()

    def end(self) -> Readings:
        _stop(self._tracker._scheduler)
        _stop(self._tracker._scheduler_monitor_power)
        data = self._tracker.stop_task()
        if data is None:  # codecarbon only logged an error
            raise RuntimeError("it metered nothing; the cell's log says why")
        gpu = self._gpu(data.gpu_energy * _J_PER_KWH)
        not_used = unavailable("J", "the cell runs on the CPU")
        return Readings(
            {
                "CPU": self._cpu(data.cpu_energy * _J_PER_KWH),
                "RAM": unavailable("J", "there is no energy counter of the memory"),
                "GPU": gpu if self._uses_gpu else not_used,
            },
            unavailable("J", "the cell uses the GPU") if self._uses_gpu else gpu,
        )

    def _part(self, kind: str) -> Any:
        parts = self._tracker._hardware
        return next((part for part in parts if type(part).__name__ == kind), None)

    def _cpu(self, joules: float) -> Figure:
        part = self._part("CPU")
        counter = None if part is None else _CPU_COUNTERS.get(part._mode)
        if unread := _unreadable_packages():
            # codecarbon would silently add up the others.
            return unavailable(
                "J", f"reading RAPL of {', '.join(unread)} is not permitted; {_GRANT}"
            )
        if counter is None:
            return unavailable("J", _NO_COUNTER)
        files = part._intel_interface._rapl_files if counter == RAPL else ()
        # codecarbon leaves out a package that it cannot read, or whose wrap it cannot correct.
        incomplete = any(file.sample_skipped or file.energy_delta.kWh <= 0 for file in files)
        return counted(0.0 if incomplete else joules, counter)

    def _gpu(self, joules: float) -> Figure:
        if self._failure:
            return unavailable("J", self._failure)
        if self._missing:
            return unavailable("J", self._missing)
        part = self._part("GPU")
        if part is None or not self._metered:
            return unavailable("J", "there is no GPU that codecarbon can meter")
        counter = _GPU_COUNTERS.get(type(self._metered[0]).__name__, "GPU")
        metered = {card.gpu_index for card in self._metered}
        devices = [device for device in part.devices.devices if device.gpu_index in metered]
        if joules > 0 and any(device._use_power_fallback for device in devices):
            instrument = f"codecarbon: {counter} power at intervals, without an energy counter"
            return Figure(joules, "J", "estimated", instrument)
        cards = f", {len(devices)} cards" if len(devices) > 1 else ""
        return counted(joules, f"codecarbon: {counter}{cards}")


def _cards() -> tuple[list[Any], str]:
    """The cards that codecarbon can meter, or why it can meter none, such as a lost one among them."""
    try:
        return gpu_cards.codecarbon_cards(), ""
    except Exception as error:  # pynvml's, whichever of two modules of that name is installed
        return [], f"the GPUs' counters failed ({described(error)})"


def _used_cards(cards: list[Any], used: int) -> list[FoundCard]:
    if not cards:
        return [FoundCard(None, "there is no GPU that codecarbon can meter")]
    first = gpu_cards.cell_card()
    others = [gpu_cards.cell_card(number) for number in range(1, used)]
    return [gpu_cards.find(card, cards) for card in (first, *others)]


def _tracker(gpu_ids: list[int], *, reads_gpus: bool = True) -> Any:
    from codecarbon import OfflineEmissionsTracker, emissions_tracker
    from codecarbon.core import gpu

    # It logs before it reads log_level.
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    # CODECARBON_* variables and .codecarbon.config files set whatever is not passed here, such as
    # pue, which multiplies energy. Without them all other settings have their defaults.
    read_config = emissions_tracker.get_hierarchical_config
    emissions_tracker.get_hierarchical_config = dict
    find_gpus = gpu.is_nvidia_system, gpu.is_rocm_system
    if not reads_gpus:  # else a lost GPU would take the processor's counter with it
        gpu.is_nvidia_system = gpu.is_rocm_system = lambda: False
    try:
        # The country affects only CO2e, which is not used; without it codecarbon looks it up online.
        tracker = OfflineEmissionsTracker(
            country_iso_code="USA",
            measure_power_secs=_COUNTERS_READ_EVERY_S,
            output_methods=[],
            log_level="error",
            gpu_ids=gpu_ids,  # None would be CUDA_VISIBLE_DEVICES
        )
        if not reads_gpus:
            tracker._ensure_hardware_ready()  # else its first task looks for GPUs
        return tracker
    finally:
        emissions_tracker.get_hierarchical_config = read_config
        gpu.is_nvidia_system, gpu.is_rocm_system = find_gpus


def _stop(scheduler: Any) -> None:
    """End a thread of codecarbon for good: its own `stop` misses a timer that fires meanwhile."""
    while not scheduler._stopped:
        with scheduler._lock:
            scheduler._stopped = True
            timer = scheduler._timer
            timer.cancel()
        timer.join()  # if it has fired, it starts the next one


def _unreadable_packages() -> list[str]:
    """Names of the processor packages whose RAPL counter this process may not read."""
    counters = sorted(_POWERCAP.glob("intel-rapl:*/energy_uj"))
    names = {counter: (counter.parent / "name").read_text("utf-8").strip() for counter in counters}
    packages = [counter for counter in counters if "package" in names[counter]]
    return [names[counter] for counter in packages if not os.access(counter, os.R_OK)]
