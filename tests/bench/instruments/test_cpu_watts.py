"""bench/instruments/cpu_watts.py: a linear estimate, only where nothing is metered."""

import dataclasses
import os

import pytest

from worthit.bench.instruments.cpu_watts import estimate_energy
from worthit.bench.saved.record import Figure, measured, unavailable

CPU_S = measured(12.0, "s", "CPU time", samples=640)
NO_COUNTER = unavailable("J", "there is no counter")


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


def test_the_estimate_is_the_share_of_full_power_by_cpu_time_and_shows_its_formula() -> None:
    estimate = estimate_energy(NO_COUNTER, CPU_S, 65.0)
    assert estimate.value == pytest.approx(65.0 * 12.0 / 8)
    assert (estimate.origin, estimate.unit, estimate.samples) == ("estimated", "J", 640)
    assert estimate.instrument == "65 W (--cpu-watts) × CPU time / 8 logical processors"
    assert estimate.reason == f"an estimate, not metered: {estimate.instrument}"


def test_twice_the_cpu_time_costs_twice_as_much() -> None:
    twice = dataclasses.replace(CPU_S, value=24.0)
    one, two = (estimate_energy(NO_COUNTER, spent, 65.0).value for spent in (CPU_S, twice))
    assert one is not None
    assert two == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("metered", "cpu_s", "watts"),
    [
        (measured(3.0, "J", "RAPL"), CPU_S, 65.0),
        (NO_COUNTER, CPU_S, None),
        (unavailable("J", "not tuned"), unavailable("s", "not tuned"), 65.0),
    ],
)
def test_what_is_metered_or_unknown_stays_so(
    metered: Figure, cpu_s: Figure, watts: float | None
) -> None:
    assert estimate_energy(metered, cpu_s, watts) == metered


def test_the_estimate_of_a_cached_time_is_a_cached_estimate() -> None:
    cached = dataclasses.replace(CPU_S, origin="cached", was="measured")
    estimate = estimate_energy(NO_COUNTER, cached, 65.0)
    assert (estimate.origin, estimate.was) == ("cached", "estimated")
