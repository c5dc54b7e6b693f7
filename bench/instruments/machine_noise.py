"""How steadily this machine computes: a fixed loop, timed over and over."""

import time

import numpy as np

from worthit.bench.saved.record import Figure, measured

#: From here on a machine counts as noisy: differences of this size say nothing there.
NOISY_PERCENT = 10.0

_FEWEST_LOOPS = 20
_STEPS = 20_000  # about a millisecond, so that other processes' time slices stand out


def measure_noise(seconds: float) -> Figure:
    """By how many percent a fixed CPU loop's 95th percentile exceeds its 5th.

    Args:
        seconds: how long to repeat the loop, at least 20 times.
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
    """The noise that these durations of one and the same work show, in percent."""
    fast, slow = np.percentile(durations_s, (5, 95))
    excess = float(slow / fast - 1) * 100
    return measured(excess, "%", "p95 over p5 of a fixed loop, perf_counter", len(durations_s))
