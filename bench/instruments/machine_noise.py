"""How steadily this machine computes: the spread of a fixed loop, timed many times."""

import time

import numpy as np

from worthit.bench.saved.record import Figure, measured

#: a machine is noisy from here on: time differences of this size mean nothing
NOISY_PERCENT = 10.0

_FEWEST_LOOPS = 20
_STEPS = 20_000  # about a millisecond, so other processes' time slices are visible


def measure_noise(seconds: float) -> Figure:
    """The excess in percent of a fixed CPU loop's 95th percentile over its 5th.

    Args:
        seconds: how long to repeat the loop; at least 20 times.
    """
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while len(durations) < _FEWEST_LOOPS or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(_STEPS):
            pass
        durations.append(time.perf_counter() - start)
    return spread(durations)


def spread(durations_s: list[float]) -> Figure:
    """The noise, in percent, of durations of identical work."""
    fast, slow = np.percentile(durations_s, (5, 95))
    excess = float(slow / fast - 1) * 100
    return measured(excess, "%", "p95 over p5 of a fixed loop, perf_counter", len(durations_s))
