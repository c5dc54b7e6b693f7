"""Other processes that computed on the GPU of this process during a window, by NVML."""

import contextlib
import os
import time
from typing import Any

import psutil

from worthit.bench.instruments import gpu_cards
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets.errors import described

_UNIT = "processes"


def now_us() -> int:
    """The present time as NVML stamps its samples."""
    return time.time_ns() // 1_000


def count_others(device: str, since_us: int) -> Figure:
    """How many other processes computed on the card of this process since then.

    With NVML's samples of utilisation, these are the processes that used the card. Drivers without
    them only list who has the card open, now.

    Args:
        device: of the cell; the card is torch's current one, found by its UUID.
        since_us: from `now_us`.
    """
    if device != "cuda":
        return unavailable(_UNIT, f"the cell runs on {device}")
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return unavailable(_UNIT, f"NVML failed ({described(error)})")
    try:
        uuid = _card_uuid()
        if uuid is None:
            return unavailable(_UNIT, "this build of torch does not tell which card it uses")
        return _count(pynvml.nvmlDeviceGetHandleByUUID(uuid), since_us)
    except pynvml.NVMLError as error:
        return unavailable(_UNIT, f"NVML failed ({described(error)})")
    except RuntimeError as error:  # of torch, whose card may be lost
        return unavailable(_UNIT, f"the card cannot be found ({described(error)})")
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _card_uuid() -> str | None:
    """As NVML writes it; None if this build of torch does not tell it."""
    uuid = gpu_cards.cell_card().uuid
    return None if uuid is None else f"GPU-{uuid.removeprefix('GPU-')}"


def _count(card: Any, since_us: int) -> Figure:
    import pynvml

    present = {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(card)}
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(card, since_us)
        used = {sample.pid for sample in samples if sample.smUtil or sample.memUtil}
        instrument = "NVML, utilisation by process"
    except pynvml.NVMLError:  # not supported, or no sample since then
        used, instrument = present, "NVML, processes with the card open"
    own = _own_pids()
    if own & present:
        return measured(len(used - own), _UNIT, instrument)
    # In a container NVML may list the host's PIDs, or none.
    if not present:
        return unavailable(_UNIT, "NVML lists no process here, not even this one")
    return measured(max(len(used) - 1, 0), _UNIT, f"{instrument}, less this one")


def _own_pids() -> set[int]:
    return {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
