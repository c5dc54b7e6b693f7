"""Throughput: comments per second at each batch size, and CPU time per comment."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.instruments.cpu_time import CpuTime
from worthit.bench.saved.record import BatchRate, MachineRate, Throughput, measured
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
    sample = repeated(texts, largest_batch)
    score(sample[:1], 1)
    rates: list[BatchRate] = []
    best, idle_steps = 0.0, 0
    for size in _BATCH_SIZES:
        if size > largest_batch or idle_steps == 2:
            break
        try:
            if warms_up:
                score(sample, size)
            rate = measure_rate(score, synchronize, sample, size, seconds)
        except (MemoryError, RuntimeError) as error:
            if not rates or not is_out_of_memory(error):
                raise
            return _throughput(rates, "memory")
        rates.append(rate)
        per_s = rate.comments_per_s.value or 0.0
        idle_steps = 0 if per_s > best * WORTHWHILE_GAIN else idle_steps + 1
        best = max(best, per_s)
    return _throughput(rates, "no gain" if idle_steps == 2 else "largest size")


def repeated(texts: Sequence[str], comments: int) -> list[str]:
    """This number of comments; the texts start again if there are fewer."""
    return list(itertools.islice(itertools.cycle(texts), comments))


def measure_rate(
    score: Callable[[Sequence[str], int], Any],
    synchronize: Callable[[], None],
    sample: Sequence[str],
    size: int,
    seconds: float,
) -> BatchRate:
    """Score the sample in batches of one size, in whole passes for at least this time."""
    scored = 0
    synchronize()
    cpu = CpuTime()
    start = time.perf_counter()
    while True:
        score(sample, size)
        synchronize()
        scored += len(sample)
        elapsed_s = time.perf_counter() - start
        if elapsed_s >= seconds:
            break
    core_ms = 1e3 * cpu.seconds() / scored
    return BatchRate(
        size,
        measured(scored / elapsed_s, "comments/s", "perf_counter", scored),
        measured(core_ms, "ms", "CPU time of the process and its children", scored),
    )


def _throughput(rates: Sequence[BatchRate], ended_by: str) -> Throughput:
    """With the best of these rates as that of the machine."""
    best = max(rates, key=lambda rate: rate.comments_per_s.value or 0.0)
    return Throughput(tuple(rates), ended_by, MachineRate(1, best.comments_per_s, best.core_ms))
