"""bench/instruments/latency.py and quantiles.py: samples, the end of timing, and bounds."""

import itertools
import math
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from worthit.bench.instruments import latency, quantiles
from worthit.bench.saved import record


def timed(score: Any, comments: int, limit_s: float) -> record.Latency:
    cold = record.measured(1.0, "s", "test")
    texts = ["a" * (1 + i % 7) for i in range(comments)]
    return latency.measure_latency(score, lambda: None, texts, limit_s, 1.0, lambda: cold)


def test_latency_of_a_known_sleep() -> None:
    found = timed(lambda texts: time.sleep(0.002), 40, 30)
    assert found.p50_ms.value is not None
    assert found.p50_ms.value >= 2
    assert min(found.samples_ms) >= 2
    assert found.p90_ms.value is not None
    assert len(found.samples_ms) == len(found.characters)


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], Any]:
    """Makes a score function whose n-th call takes the given seconds of virtual time."""

    def made(duration_s: Callable[[int], float]) -> Any:
        now, calls = 0.0, itertools.count()

        def score(texts: Any) -> None:
            nonlocal now
            now += duration_s(next(calls))

        monkeypatch.setattr(latency.time, "perf_counter", lambda: now)
        monkeypatch.setattr(latency.time, "monotonic", lambda: now)
        return score

    return made


_UNTIMED = 11  # calls before the first sample: the first and the warm-ups


def test_timing_ends_when_the_median_is_known_or_time_is_up(taking: Any) -> None:
    noise = np.random.default_rng(0).lognormal(0, 0.3, 30_000)
    precise = timed(taking(lambda call: noise[call]), 300, 1e6)
    assert precise.ended_by == "precision"
    assert precise.p50_ms.value is not None
    assert precise.p50_low_ms is not None
    assert precise.p50_high_ms is not None
    assert precise.p50_low_ms < precise.p50_ms.value < precise.p50_high_ms
    assert precise.p50_high_ms - precise.p50_low_ms <= 0.04 * precise.p50_ms.value
    assert precise.comments == 300
    assert len(precise.samples_ms) > 300  # one pass is not enough at this spread
    short = timed(taking(lambda call: noise[call]), 300, 0.0)
    assert short.ended_by == "time limit"
    assert len(short.samples_ms) == short.comments == 30
    assert short.p99_ms.reason == "p99 needs 299 comments, there are 30"


def test_timing_ends_when_further_passes_do_not_narrow_the_median(taking: Any) -> None:
    each = np.random.default_rng(0).lognormal(0, 0.6, 300)
    found = timed(taking(lambda call: each[(call - _UNTIMED) % 300]), 300, 1e6)
    assert found.ended_by == "no gain"
    assert len(found.samples_ms) == 6 * 300  # the first even number from five passes on
    found_bounds = quantiles.bounds(found.samples_ms, 300, 50, 0.975)
    assert (found.p50_low_ms, found.p50_high_ms) == found_bounds


def test_few_passes_do_not_end_timing_before_its_limit(taking: Any) -> None:
    """Identical samples of four passes say nothing about drift."""
    found = timed(taking(lambda call: 0.001), 300, 1.25)
    assert found.ended_by == "time limit"
    assert 4 * 300 < len(found.samples_ms) < 5 * 300
    longer = timed(taking(lambda call: 0.001), 300, 1e6)
    assert longer.ended_by == "precision"
    assert len(longer.samples_ms) == 5 * 300


def test_many_passes_over_few_comments_give_no_p99(taking: Any) -> None:
    each = np.random.default_rng(0).lognormal(0, 0.6, 40)
    found = timed(taking(lambda call: each[call % 40] + call % 7), 40, 1e6)
    assert found.comments == 40
    assert len(found.samples_ms) > 40
    assert found.p90_ms.value is not None
    assert found.p99_ms.reason == "p99 needs 299 comments, there are 40"


@pytest.mark.parametrize("comments", [1, 7, 29])
def test_a_median_is_never_known_from_fewer_than_30_samples(
    monkeypatch: pytest.MonkeyPatch, comments: int
) -> None:
    clock = iter(range(1_000_000))
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    found = timed(lambda texts: None, comments, 1e6)
    assert len(found.samples_ms) >= 30


@pytest.mark.parametrize(("noise", "passes"), [(0.02, 1), (0.02, 8), (0.3, 4), (1.0, 8)])
@pytest.mark.parametrize(("percent", "confidence", "least"), [(50, 0.975, 95), (99, 0.95, 90)])
def test_bounds_contain_a_quantile_as_often_as_they_claim(
    noise: float, passes: int, percent: int, confidence: float, least: int
) -> None:
    rng = np.random.default_rng(3)
    true = math.exp(NormalDist(0, math.hypot(0.6, noise)).inv_cdf(percent / 100))
    inside, runs = 0, 400
    for _ in range(runs):
        comments = np.tile(rng.normal(0, 0.6, 300), passes)
        samples = np.exp(comments + rng.normal(0, noise, comments.size))
        found = quantiles.bounds(samples.tolist(), 300, percent, confidence)
        assert found is not None
        inside += found[0] <= true <= found[1]
    chance = 3 * math.sqrt(least * (100 - least) / runs)  # three standard errors, in percent
    assert inside / runs * 100 >= least - chance


def coverage(passes: int, drift: float, *, spread: float) -> float:
    """How often, in percent, a 95 % interval contains the median that the machine has over long times.

    Each pass over 300 comments is faster or slower by a factor of its own.
    """
    rng = np.random.default_rng(3)
    inside, runs = 0, 200
    for _ in range(runs):
        speeds = np.repeat(rng.normal(0, drift, passes), 300)
        logs = np.tile(rng.normal(0, spread, 300), passes) + speeds
        samples = np.exp(logs + rng.normal(0, 0.05, logs.size))
        found = quantiles.bounds(samples.tolist(), 300, 50, 0.975)
        assert found is not None
        inside += found[0] <= 1 <= found[1]
    return inside / runs * 100


@pytest.mark.parametrize("drift", [0.0, 0.05, 0.1])
@pytest.mark.parametrize(("passes", "spread"), [(2, 0.6), (5, 0.6), (10, 0.6), (5, 0.1), (30, 0.1)])
def test_drift_between_passes_leaves_the_interval_of_the_median_its_coverage(
    passes: int, spread: float, drift: float
) -> None:
    assert coverage(passes, drift, spread=spread) >= 95 - 5  # three standard errors are 4.6


def test_drift_within_a_single_pass_widens_the_bounds() -> None:
    logs = np.random.default_rng(0).normal(0, 0.1, 300)
    steady = quantiles.bounds(np.exp(logs).tolist(), 300, 50, 0.975)
    speeds = np.repeat(np.random.default_rng(1).normal(0, 0.1, 10), 30)
    drifting = quantiles.bounds(np.exp(logs + speeds).tolist(), 300, 50, 0.975)
    assert steady is not None
    assert drifting is not None
    assert drifting[1] / drifting[0] > (steady[1] / steady[0]) ** 2


def test_bounds_are_order_statistics_if_nothing_drifts() -> None:
    ranks = np.random.default_rng(0).permutation(np.arange(1.0, 301.0)).tolist()
    # Of 300 independent ones Conover's bounds of the median are the 133rd and the 168th.
    assert quantiles.bounds(ranks * 8, 300, 50, 0.975) == pytest.approx((133, 168))
    assert quantiles.bounds(ranks * 8, 300, 99, 0.95) == pytest.approx((294, 300))
    assert quantiles.bounds(ranks[:298] * 8, 298, 99, 0.95) is None
    assert quantiles.bounds([2.0] * 30, 30, 50, 0.975) == pytest.approx((2, 2))
    assert quantiles.bounds([1.0] * 500, 1, 50, 0.975) is None
    assert quantiles.bounds([1.0] * 19, 19, 50, 0.975) is None  # one block of time


def test_a_process_knows_its_age() -> None:
    program = (
        "import time; time.sleep(0.5)\n"
        "from worthit.bench.instruments.latency import process_age_s; print(process_age_s())"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert 0.5 < float(done.stdout) <= time.perf_counter() - started + 0.02  # a tick of the clock


def test_the_first_call_of_a_shape_is_a_figure_of_its_own(
    taking: Callable[[Callable[[int], float]], Any],
) -> None:
    """Calls 1 and 2 prepare the device for lengths 2 and 3; all others take 1 ms."""
    score = taking(lambda call: 0.05 * call if call in (1, 2) else 0.001)
    cold = record.measured(1.0, "s", "test")
    found = latency.measure_latency(
        score, lambda: None, ["a", "bb", "ccc"] * 20, 1.0, 1.0, lambda: cold, len
    )
    assert found.first_shape_ms.value == pytest.approx(100)
    assert found.first_shape_ms.samples == 2
    assert max(found.samples_ms) == pytest.approx(1)


def test_a_device_without_shapes_has_no_such_figure() -> None:
    found = timed(lambda texts: None, 40, 1.0)
    assert found.first_shape_ms.value is None
    assert found.first_shape_ms.reason
