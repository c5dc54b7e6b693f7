"""How many comments a second are scored, by how many are handed over at a time."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.record import BatchRate, Throughput, measured

_BATCH_SIZES = (1, 8, 32, 128, 512, 2048)
_SAMPLE = 64
# Two batch sizes in a row that gain less than this end the sweep.
_WORTHWHILE_GAIN = 1.03


def measure_throughput(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    seconds: float,
    largest_batch: int,
) -> Throughput:
    """Sweep batch sizes over the same comments until the rate stops rising.

    Args:
        score: takes comments, returns host arrays.
        synchronize: waits until the device is idle.
        texts: drawn on in order, from the start again when they end.
        seconds: repeat whole passes for at least this long at each size.
        largest_batch: where the sweep ends at the latest.
    """
    rates: list[BatchRate] = []
    best, idle_steps = 0.0, 0
    for size in _BATCH_SIZES:
        if size > largest_batch or idle_steps == 2:
            break
        rate = _rate(score, synchronize, texts, size, seconds)
        rates.append(rate)
        reached = rate.comments_per_s.value or 0.0
        idle_steps = 0 if reached > best * _WORTHWHILE_GAIN else idle_steps + 1
        best = max(best, reached)
    return Throughput(tuple(rates))


def _rate(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    size: int,
    seconds: float,
) -> BatchRate:
    sample = list(itertools.islice(itertools.cycle(texts), max(_SAMPLE, size)))
    batches = [sample[start : start + size] for start in range(0, len(sample), size)]
    score(batches[0])
    passes = 0
    synchronize()
    start = time.perf_counter()
    while True:
        for batch in batches:
            score(batch)
        synchronize()
        passes += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            break
    scored = passes * len(sample)
    return BatchRate(size, measured(scored / elapsed, "comments/s", "perf_counter", scored))
