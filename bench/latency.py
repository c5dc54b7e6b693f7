"""How long one comment takes, from text to probability in host memory."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from worthit.bench.record import Figure, Latency, measured, unavailable

# A distribution-free 95 % upper bound of a quantile needs this many samples: 1 - q^n >= 0.95.
_SAMPLES_NEEDED = {50: 1, 90: 29, 99: 299}
_WARM_UPS = 10
_FEWEST_SAMPLES = 30
_CLOCK = "perf_counter, device synchronised"


def drawn_by_length(texts: Sequence[str], samples: int) -> list[str]:
    """Every n-th comment by length, in shuffled order, the same every time."""
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row]))
    picks = np.linspace(0, len(order) - 1, min(samples, len(order))).round().astype(int)
    rows = [order[pick] for pick in picks]
    np.random.default_rng(0).shuffle(rows)  # else length would drift along with the clock speed
    return [texts[row] for row in rows]


def measure_latency(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    limit_s: float,
    load_s: float,
) -> Latency:
    """Score comments one by one.

    Args:
        score: takes comments, returns host arrays.
        synchronize: waits until the device is idle.
        texts: one sample each.
        limit_s: stop after this long, once there are 30 samples.
        load_s: how long the model took to load, passed on into the record.
    """

    def once(text: str) -> float:
        synchronize()
        start = time.perf_counter()
        score([text])
        synchronize()
        return (time.perf_counter() - start) * 1e3

    first_call_ms = once(texts[0])
    for text in texts[:_WARM_UPS]:
        once(text)
    gc.collect()
    samples: list[float] = []
    deadline = time.monotonic() + limit_s
    for text in texts:
        samples.append(once(text))
        if len(samples) >= _FEWEST_SAMPLES and time.monotonic() > deadline:
            break
    return Latency(
        samples_ms=tuple(samples),
        characters=tuple(len(text) for text in texts[: len(samples)]),
        p50_ms=percentile(samples, 50),
        p90_ms=percentile(samples, 90),
        p99_ms=percentile(samples, 99),
        load_s=measured(load_s, "s", _CLOCK),
        first_call_ms=measured(first_call_ms, "ms", _CLOCK),
    )


def percentile(samples_ms: Sequence[float], percent: int) -> Figure:
    """A percentile of latencies, or why there are too few samples for it."""
    needed = _SAMPLES_NEEDED[percent]
    if len(samples_ms) < needed:
        return unavailable("ms", f"p{percent} needs {needed} samples, there are {len(samples_ms)}")
    return measured(float(np.percentile(samples_ms, percent)), "ms", _CLOCK, len(samples_ms))
