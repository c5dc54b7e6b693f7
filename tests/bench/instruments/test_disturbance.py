"""bench/instruments/disturbance.py: what counters before and after a measurement say about it."""

import dataclasses
from typing import Any

import pytest

from tests import factories, small_runs
from worthit.bench.instruments import disturbance
from worthit.bench.instruments.cpu_counters import Counters, CpuTime
from worthit.bench.saved import record
from worthit.bench.saved.record import Disturbance, Figure, measured, unavailable

NO_GPU = unavailable("processes", "the cell runs on cpu")


def counters(at_s: float, busy_s: float, own_s: float, **changed: Any) -> Counters:
    """A machine of two cores that started at 0 s."""
    base = Counters(
        at_s=at_s, cpu=CpuTime(busy_s, 0.0, 2 * at_s, "/proc/stat"), own_s=own_s, waits_s={1: 0.0},
        pressure_s=0.0, switches=0, quotas={"/group": (0, 0)}, thermal_s=0.0,
    )  # fmt: skip
    return dataclasses.replace(base, **changed)


def after_10_s(busy_s: float = 10.0, own_s: float = 10.0, **changed: Any) -> Disturbance:
    """Ten seconds in which the process used one of two cores, and others the rest of `busy_s`."""
    after = counters(110.0, 100.0 + busy_s, 50.0 + own_s, **changed)
    return disturbance.between(counters(100.0, 100.0, 50.0), after, NO_GPU)


def test_a_quiet_measurement_has_no_reasons() -> None:
    seen = after_10_s(busy_s=10.2, waits_s={1: 9.0, 2: 1.0}, pressure_s=9.0, switches=1_000)
    assert seen.reasons == ()
    assert (seen.window_s, seen.cores) == (10.0, 2)
    assert seen.others.value == pytest.approx(1.0)
    # Its threads waited for each other: others used a core for 0.2 s only.
    assert seen.waiting.value == pytest.approx(2.0)
    assert (seen.pressure.value, seen.switches.value) == (90.0, 100.0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"busy_s": 20.0}, "other processes used 50 % of the CPU time, limit 3 %"),
        ({"busy_s": 10.7}, "other processes used 3.5 % of the CPU time, limit 3 %"),
        (
            {"cpu": CpuTime(110.0, 0.5, 220.0, "/proc/stat")},
            "the hypervisor took 2.5 % of the CPU time, limit 1 %",
        ),
        (
            {"quotas": {"/group": (100, 30), "/": (0, 0)}},
            "the CPU quota stopped the process in 30 % of its periods, limit 5 %",
        ),
        ({"thermal_s": 0.2}, "heat slowed the processor for 2 % of the time, limit 1 %"),
    ],
)
def test_each_signal_beyond_its_limit_is_a_reason(changed: dict[str, Any], reason: str) -> None:
    assert after_10_s(**changed).reasons == (reason,)


def test_a_thread_waits_for_others_only_as_long_as_they_use_a_core() -> None:
    on_64 = {"cpu": CpuTime(164.0, 0.0, 200.0 + 640.0, "/proc/stat"), "own_s": 60.0}
    seen = after_10_s(**on_64, waits_s={1: 9.0, 2: 0.1})
    assert seen.waiting.value == pytest.approx(40.0)  # others used 4 s of CPU time
    assert seen.reasons == ("a thread waited for a core for 40 % of the time, limit 10 %",)
    assert after_10_s(**on_64, waits_s={1: 0.5, 2: 0.1}).reasons == ()


def test_one_busy_core_of_64_counts() -> None:
    seen = after_10_s(cpu=CpuTime(170.0, 0.0, 200.0 + 640.0, "/proc/stat"), own_s=60.0)
    assert seen.reasons == ("other processes used 1.6 % of the CPU time, limit 1.25 %",)


def test_other_processes_on_the_gpu_are_a_reason() -> None:
    before, after = counters(0.0, 0.0, 0.0), counters(10.0, 10.0, 10.0)
    one = measured(1, "processes", "NVML")
    seen = disturbance.between(before, after, one)
    assert seen.reasons == ("other processes on the GPU: 1, limit 0",)


def test_a_short_window_says_nothing_about_others() -> None:
    before, after = counters(10.0, 0.0, 0.0), counters(10.1, 0.2, 0.0, waits_s={1: 0.1})
    seen = disturbance.between(before, after, NO_GPU)
    assert seen.reasons == ()
    assert seen.cores is None
    for figure in (seen.others, seen.steal, seen.waiting):
        assert figure.reason == "it took 0.1 s, shares of CPU time need 0.2 s or more"


def test_signals_that_the_system_does_not_count_are_unavailable() -> None:
    nothing: dict[str, Any] = {
        "cpu": None, "waits_s": None, "pressure_s": None, "switches": None, "quotas": {},
        "thermal_s": None,
    }  # fmt: skip
    before, after = counters(0.0, 0.0, 0.0, **nothing), counters(9.0, 9.0, 0.0, **nothing)
    seen = disturbance.between(before, after, NO_GPU)
    signals = [value for value in vars(seen).values() if isinstance(value, Figure)]
    assert len(signals) == 8
    assert all(signal.value is None and signal.reason for signal in signals)
    assert seen.reasons == ()


def test_a_machine_that_counts_no_steal_still_counts_others() -> None:
    seen = after_10_s(cpu=CpuTime(120.0, None, 220.0, "psutil"))
    assert seen.steal.value is None
    assert len(seen.reasons) == 1


def test_a_disturbance_marks_what_depends_on_time_and_nothing_else() -> None:
    seen = factories.disturbance("a reason", "another")
    cell = small_runs.cell()
    assert cell.latency is not None
    assert cell.throughput is not None
    assert cell.training is not None
    latency = disturbance.flag(cell.latency, seen, apart=record.BEFORE_FIRST_ANSWER)
    assert latency.disturbance == seen
    assert latency.p50_ms.disturbed == "a reason; another"
    assert latency.p99_ms == cell.latency.p99_ms  # unavailable
    assert not latency.cold_start_s.disturbed
    (rate,) = disturbance.flag(cell.throughput, seen).batches
    assert rate.comments_per_s.disturbed == "a reason; another"
    training = disturbance.flag(cell.training, seen)
    assert training.train_s.disturbed
    assert not training.disk_mb.disturbed
    assert training.memory == cell.training.memory


def test_a_quiet_measurement_is_only_recorded() -> None:
    seen, throughput = factories.disturbance(), factories.throughput(5)
    assert disturbance.flag(throughput, seen) == dataclasses.replace(throughput, disturbance=seen)


def test_the_quieter_of_two_is_less_beyond_its_limits() -> None:
    quiet, little, much = after_10_s(), after_10_s(busy_s=11.0), after_10_s(busy_s=20.0)
    assert disturbance.quieter(little, much)
    assert disturbance.quieter(quiet, little)
    assert not disturbance.quieter(much, little)
    assert not disturbance.quieter(quiet, quiet)
