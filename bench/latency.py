"""How long one comment takes, from text to probability in host memory."""

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.stats import bootstrap

from worthit.bench.record import Figure, Latency, measured, unavailable

# A distribution-free 95 % upper bound of a quantile needs this many samples: 1 - q^n >= 0.95.
_SAMPLES_NEEDED = {50: 1, 90: 29, 99: 299}
_WARM_UPS = 10
_FEWEST_SAMPLES = 30
_MOST_SAMPLES = 20_000
_RESAMPLED_AT_ONCE = 1_000_000  # numbers, so that resampling needs little memory
_PRECISION = 0.02  # half the width of the median's interval, as a share of it
_START_TIME_FIELD = 19  # of /proc/self/stat, counted from behind the name (man 5 proc)
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
    cold_start_s: Callable[[], Figure],
) -> Latency:
    """Score comments one by one, all of them again and again, until the median is known to 2 %.

    Args:
        score: takes comments, returns host arrays.
        synchronize: waits until the device is idle.
        texts: one sample each and pass.
        limit_s: stop after this long, once there are 30 samples.
        load_s: how long the model took to load, passed on into the record.
        cold_start_s: asked right after the first answer.
    """

    def once(text: str) -> float:
        synchronize()
        start = time.perf_counter()
        score([text])
        synchronize()
        return (time.perf_counter() - start) * 1e3

    first_call_ms = once(texts[0])
    cold_start = cold_start_s()
    for text in texts[:_WARM_UPS]:
        once(text)
    gc.collect()
    samples: list[float] = []
    characters: list[int] = []
    deadline = time.monotonic() + limit_s
    ended_by, next_look = "", 0
    while not ended_by:
        for text in texts:
            samples.append(once(text))
            characters.append(len(text))
            if len(samples) >= _FEWEST_SAMPLES and time.monotonic() > deadline:
                ended_by = "time limit"
                break
        if ended_by or len(samples) >= next_look:
            # Resampling takes longer than many a model: look again when half as many have come.
            next_look = len(samples) * 3 // 2
            low, high = median_interval(samples)
            precise = high - low <= 2 * _PRECISION * float(np.median(samples))
            if precise and len(samples) >= _FEWEST_SAMPLES:
                ended_by = ended_by or "precision"
        if not ended_by and len(samples) >= _MOST_SAMPLES:
            ended_by = "sample limit"
            low, high = median_interval(samples)
    return Latency(
        samples_ms=tuple(samples),
        characters=tuple(characters),
        p50_ms=percentile(samples, 50),
        p90_ms=percentile(samples, 90),
        p99_ms=percentile(samples, 99),
        load_s=measured(load_s, "s", _CLOCK),
        first_call_ms=measured(first_call_ms, "ms", _CLOCK),
        p50_low_ms=low,
        p50_high_ms=high,
        ended_by=ended_by,
        cold_start_s=cold_start,
    )


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the median (Efron 1979), by scipy."""
    if len(set(samples)) == 1:  # which scipy calls degenerate
        return samples[0], samples[0]
    found = bootstrap(
        (np.asarray(samples),),
        np.median,
        n_resamples=999,
        method="percentile",
        batch=max(1, _RESAMPLED_AT_ONCE // len(samples)),
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def process_age_s() -> float:
    """Seconds since this process was started, by its parent's fork or spawn."""
    if sys.platform == "linux":
        # psutil's wall-clock start rests on a boot time in whole seconds; ticks since boot do not.
        after_name = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
        started_s = int(after_name[_START_TIME_FIELD]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    return time.time() - psutil.Process().create_time()


def percentile(samples_ms: Sequence[float], percent: int) -> Figure:
    """A percentile of latencies, or why there are too few samples for it."""
    needed = _SAMPLES_NEEDED[percent]
    if len(samples_ms) < needed:
        return unavailable("ms", f"p{percent} needs {needed} samples, there are {len(samples_ms)}")
    return measured(float(np.percentile(samples_ms, percent)), "ms", _CLOCK, len(samples_ms))
