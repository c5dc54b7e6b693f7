"""Measures a known allocation in a new process, to check the memory instrument.

As a program, `python -m worthit.bench.instruments.known_allocation DEVICE`, it is that process and
prints the figure as JSON.
"""

import subprocess
import sys

import msgspec
import numpy as np

from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.saved.record import Figure, measured
from worthit.datasets.errors import CellError

ALLOCATION_MB = 256
_LIMIT_S = 120.0


def measure_in_new_process(device: str) -> Figure:
    """The growth of peak memory, in MB, that `ALLOCATION_MB` cause in a new process.

    Raises:
        CellError: the process failed or took too long.
    """
    command = [sys.executable, "-P", "-m", "worthit.bench.instruments.known_allocation", device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        raise CellError(f"the process took longer than {_LIMIT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise CellError(f"the process failed: {lines[-1]}") from None
    return msgspec.json.decode(done.stdout, type=Figure)


def _measure(device: str) -> Figure:
    """The peak with the allocation, less the peak without."""
    baseline_bytes = resident_bytes()
    with peak_memory(device, baseline_bytes) as without:
        pass
    with peak_memory(device, baseline_bytes) as with_allocation:
        if device == "cpu":
            np.ones(ALLOCATION_MB * 1_000_000, dtype=np.uint8)
        else:
            import torch

            torch.ones(ALLOCATION_MB * 1_000_000, dtype=torch.uint8, device=device)
    before, after = (
        window.memory.peak_mb if device == "cpu" else window.memory.accelerator_peak_mb
        for window in (without, with_allocation)
    )
    if before.value is None or after.value is None:
        return after
    return measured(after.value - before.value, "MB", after.instrument)


if __name__ == "__main__":
    print(msgspec.json.encode(_measure(sys.argv[1])).decode())
