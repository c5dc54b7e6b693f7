"""How long a call takes that answers several waiting requests at once."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.saved.record import BatchTime, measured

_SIZES = (2, 4, 8, 16, 32)
_SECONDS = 0.5  # for each size
_LONGEST_S = 1.0  # nobody waits for a batch that takes longer


def measure_batches(
    score: Callable[[Sequence[str]], Any], synchronize: Callable[[], None], texts: Sequence[str]
) -> tuple[BatchTime, ...]:
    """Score comments in calls of growing size, each with the next comments.

    The comments of a call are not chosen by length, unlike those of a batch in `measure_throughput`,
    which are sorted. Sizes end before a call takes longer than a second, or the comments run out.
    """

    def seconds_of(part: Sequence[str]) -> float:
        synchronize()
        start = time.perf_counter()
        score(part)
        synchronize()
        return time.perf_counter() - start

    times = []
    for size in _SIZES:
        parts = [texts[first : first + size] for first in range(0, len(texts) - size + 1, size)]
        if not parts or seconds_of(parts[0]) > _LONGEST_S:
            break
        calls, total_s = 0, 0.0
        while total_s < _SECONDS:
            total_s += seconds_of(parts[calls % len(parts)])
            calls += 1
        call_ms = measured(total_s * 1e3 / calls, "ms", "perf_counter, device synchronised", calls)
        times.append(BatchTime(size, call_ms))
    return tuple(times)
