"""How many comments a second are scored, by how many are computed together."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.saved.record import BatchRate, Throughput, measured
from worthit.datasets.errors import is_out_of_memory

_BATCH_SIZES = (1, 8, 32, 128, 512, 2048)
#: two batch sizes in a row that gain less than this end the sweep
WORTHWHILE_GAIN = 1.03


def measure_throughput(
    score: Callable[[Sequence[str], int], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    seconds: float,
    largest_batch: int,
) -> Throughput:
    """Sweep batch sizes over the same comments, all at hand at once.

    The sweep ends when the rate has stopped rising, when a batch does not fit into memory, or at
    `largest_batch`.

    Args:
        score: takes comments and a batch size, returns host arrays.
        synchronize: waits until the device is idle.
        texts: drawn on in order, from the start again when they end.
        seconds: repeat whole passes for at least this long at each size.
        largest_batch: where the sweep ends at the latest, and how many comments make a pass.
    """
    sample = list(itertools.islice(itertools.cycle(texts), largest_batch))
    score(sample[:1], 1)
    rates: list[BatchRate] = []
    best, idle_steps = 0.0, 0
    for size in _BATCH_SIZES:
        if size > largest_batch or idle_steps == 2:
            break
        try:
            reached, scored = _rate(score, synchronize, sample, size, seconds)
        except (MemoryError, RuntimeError) as error:
            if not rates or not is_out_of_memory(error):
                raise
            return Throughput(tuple(rates), ended_by="memory")
        rates.append(BatchRate(size, measured(reached, "comments/s", "perf_counter", scored)))
        idle_steps = 0 if reached > best * WORTHWHILE_GAIN else idle_steps + 1
        best = max(best, reached)
    return Throughput(tuple(rates), ended_by="no gain" if idle_steps == 2 else "largest size")


def _rate(
    score: Callable[[Sequence[str], int], Any],
    synchronize: Callable[[], None],
    sample: Sequence[str],
    size: int,
    seconds: float,
) -> tuple[float, int]:
    """Comments per second, and how many were scored."""
    passes = 0
    synchronize()
    start = time.perf_counter()
    while True:
        score(sample, size)
        synchronize()
        passes += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return passes * len(sample) / elapsed, passes * len(sample)
