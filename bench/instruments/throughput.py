"""Throughput: comments per second at each batch size."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.saved.record import BatchRate, Throughput, measured
from worthit.datasets.errors import is_out_of_memory

_BATCH_SIZES = (1, 8, 32, 128, 512, 2048)
#: two consecutive batch sizes with a smaller gain end the sweep
WORTHWHILE_GAIN = 1.03


def measure_throughput(
    score: Callable[[Sequence[str], int], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    seconds: float,
    largest_batch: int,
    *,
    warms_up: bool = False,
) -> Throughput:
    """Sweep batch sizes over the same comments.

    The sweep ends when the rate stops rising, when a batch does not fit into memory, or at
    `largest_batch`.

    Args:
        score: takes comments and a batch size, returns host arrays.
        synchronize: waits until the device is idle.
        texts: repeated if there are fewer than `largest_batch`.
        seconds: repeat whole passes for at least this time at each size.
        largest_batch: the largest size, and the number of comments in a pass.
        warms_up: score all comments once at each size before timing, on devices that prepare
            something for each shape of a batch.
    """
    sample = list(itertools.islice(itertools.cycle(texts), largest_batch))
    score(sample[:1], 1)
    rates: list[BatchRate] = []
    best, idle_steps = 0.0, 0
    for size in _BATCH_SIZES:
        if size > largest_batch or idle_steps == 2:
            break
        try:
            if warms_up:
                score(sample, size)
            per_s, scored = _rate(score, synchronize, sample, size, seconds)
        except (MemoryError, RuntimeError) as error:
            if not rates or not is_out_of_memory(error):
                raise
            return Throughput(tuple(rates), ended_by="memory")
        rates.append(BatchRate(size, measured(per_s, "comments/s", "perf_counter", scored)))
        idle_steps = 0 if per_s > best * WORTHWHILE_GAIN else idle_steps + 1
        best = max(best, per_s)
    return Throughput(tuple(rates), ended_by="no gain" if idle_steps == 2 else "largest size")


def _rate(
    score: Callable[[Sequence[str], int], Any],
    synchronize: Callable[[], None],
    sample: Sequence[str],
    size: int,
    seconds: float,
) -> tuple[float, int]:
    """Comments per second, and the number of scored comments."""
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
