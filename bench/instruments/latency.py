"""The latency of one comment, from text to score in host memory."""

import gc
import math
import os
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from worthit.bench.instruments import quantiles
from worthit.bench.saved.record import Figure, Latency, measured, unavailable

_WARM_UPS = 10
_FEWEST_SAMPLES = 30
_FEWEST_PASSES = 5  # fewer say too little about the drift of the machine's speed
_MOST_SAMPLES = 20_000
_PRECISION = 0.02  # half the width of the median's interval, as a share of it
_WORTHWHILE = 0.9  # twice the passes must narrow the interval to less than this share
_START_TIME_FIELD = 19  # in /proc/self/stat, counted after the name (man 5 proc)
_CLOCK = "perf_counter, device synchronised"


def measure_latency(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    limit_s: float,
    load_s: float,
    cold_start_s: Callable[[], Figure],
    input_shape: Callable[[str], Hashable] = lambda text: None,
    *,
    once_each: bool = False,
) -> Latency:
    """Score comments one by one, in five passes or more, until the median is known to 2 %.

    The median's interval is over comments and time (`quantiles.bounds`). If comments differ more than
    passes, it does not narrow, and timing ends when doubling the passes hardly helps.

    Args:
        score: takes comments, returns host arrays.
        synchronize: waits until the device is idle.
        texts: each gives one sample per pass.
        limit_s: stop after this time, once there are 30 samples.
        load_s: how long the model took to load, for the record.
        cold_start_s: called right after the first answer.
        input_shape: what the first call with a comment prepares the device for; None: nothing. All
            shapes are prepared before the samples, and the slowest first call is a figure of its own.
        once_each: no comment is scored twice, if each call is paid: no warm-up, one pass, and the comment
            of the first call gives no sample.
    """

    def once(text: str) -> float:
        synchronize()
        start = time.perf_counter()
        score([text])
        synchronize()
        return (time.perf_counter() - start) * 1e3

    first_call_ms = once(texts[0])
    cold_start = cold_start_s()
    first_shape_ms = [once(text) for text in _one_of_each_shape(texts, input_shape)]
    if once_each:
        texts = texts[1:] or texts
    for text in () if once_each else texts[:_WARM_UPS]:
        once(text)
    gc.collect()
    samples: list[float] = []
    characters: list[int] = []
    deadline = time.monotonic() + limit_s
    widths_ms: list[float] = []  # of the median's interval, after each pass
    ended_by = ""
    while not ended_by:
        for text in texts:
            samples.append(once(text))
            characters.append(len(text))
            if len(samples) >= _FEWEST_SAMPLES and time.monotonic() > deadline:
                ended_by = "time limit"
                break
        comments = min(len(texts), len(samples))
        interval = quantiles.bounds(samples, comments, 50, 0.975)
        widths_ms.append(interval[1] - interval[0] if interval else math.inf)
        ended_by = ended_by or _reason_to_end(widths_ms, samples)
        ended_by = ended_by or "one pass" * once_each
    return Latency(
        samples_ms=tuple(samples),
        characters=tuple(characters),
        p50_ms=percentile(samples, comments, 50),
        p90_ms=percentile(samples, comments, 90),
        p99_ms=percentile(samples, comments, 99),
        load_s=measured(load_s, "s", _CLOCK),
        first_call_ms=measured(first_call_ms, "ms", _CLOCK),
        p50_low_ms=interval and interval[0],
        p50_high_ms=interval and interval[1],
        ended_by=ended_by,
        cold_start_s=cold_start,
        comments=comments,
        **_slowest(first_shape_ms),
    )


def _one_of_each_shape(
    texts: Sequence[str], input_shape: Callable[[str], Hashable]
) -> Iterator[str]:
    """The first comment of each shape other than that of the first comment."""
    seen = {None, input_shape(texts[0])}
    for text in texts:
        if (shape := input_shape(text)) not in seen:
            seen.add(shape)
            yield text


def _slowest(first_shape_ms: Sequence[float]) -> dict[str, Any]:
    if not first_shape_ms:
        return {}
    count = len(first_shape_ms)
    instrument = f"{_CLOCK}, slowest of the shapes"
    return {"first_shape_ms": measured(max(first_shape_ms), "ms", instrument, count)}


def _reason_to_end(widths_ms: Sequence[float], samples_ms: Sequence[float]) -> str:
    """Why timing ends; empty if another pass follows."""
    passes = len(widths_ms)
    if len(samples_ms) < _FEWEST_SAMPLES or passes < _FEWEST_PASSES:
        return ""
    if widths_ms[-1] <= 2 * _PRECISION * float(np.median(samples_ms)):
        return "precision"
    if passes % 2 == 0 and widths_ms[-1] >= _WORTHWHILE * widths_ms[passes // 2 - 1]:
        return "no gain"
    return "sample limit" if len(samples_ms) >= _MOST_SAMPLES else ""


def process_age_s() -> float:
    """Seconds since this process was started by its parent's fork or spawn."""
    if sys.platform == "linux":
        # psutil's start time rests on a boot time in whole seconds; ticks since boot are finer.
        after_name = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
        started_s = int(after_name[_START_TIME_FIELD]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    return time.time() - psutil.Process().create_time()


def percentile(samples_ms: Sequence[float], comments: int, percent: int) -> Figure:
    """A percentile of latencies; unavailable if there are too few comments for it."""
    needed = quantiles.COMMENTS_NEEDED.get(percent, 1)
    if comments < needed:
        return unavailable("ms", f"p{percent} needs {needed} comments, there are {comments}")
    return measured(float(np.percentile(samples_ms, percent)), "ms", _CLOCK, len(samples_ms))
