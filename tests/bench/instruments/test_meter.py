"""bench/instruments/meter.py: codecarbon's readers on counters that the tests advance."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from codecarbon.core import cpu, gpu, gpu_nvidia, hardware_cache, resource_tracker

from tests.energy_counters import RANGE_J, Rapl, on_linux
from worthit.bench.instruments import machine, meter
from worthit.bench.instruments.meter import EnergyWindow, Meter

pytestmark = pytest.mark.usefixtures("bare_machine")


class Nvml:
    """The part of pynvml that codecarbon calls, for one GPU."""

    NVMLError = RuntimeError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, spent_j: float | None) -> None:
        self.spent_j = spent_j

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        answers = {
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetName": "a GPU",
            "nvmlDeviceGetUUID": "GPU-1",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=1, free=1, used=0),
            "nvmlDeviceGetPowerUsage": 100_000,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0),
        }
        return lambda *_: answers.get(name)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> float:  # noqa: N802
        if self.spent_j is None:
            raise self.NVMLError("not supported")
        return self.spent_j * 1e3


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[[float | None], Nvml]:
    def made(spent_j: float | None) -> Nvml:
        counter = Nvml(spent_j)
        monkeypatch.setattr(gpu, "is_nvidia_system", lambda: True)
        monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", True)
        monkeypatch.setattr(gpu_nvidia, "pynvml", counter)
        return counter

    return made


def over(action: Callable[[], None]) -> EnergyWindow:
    return Meter().over(action)


@on_linux
def test_rapl_is_measured(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(100.0)
    figure = over(lambda: counters.spend(7.0)).joules["CPU"]
    assert (figure.origin, figure.instrument) == ("measured", "codecarbon: RAPL")
    assert figure.value == pytest.approx(7.0, rel=1e-4)


@on_linux
def test_both_packages_count_and_one_may_wrap(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(RANGE_J - 2.0, 500.0)

    def work() -> None:
        counters.spend(5.0, 0)
        counters.spend(20.0, 1)

    assert over(work).joules["CPU"].value == pytest.approx(25.0, rel=1e-4)


@on_linux
def test_a_wrap_of_unknown_range_gives_no_figure(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(RANGE_J - 2.0, 500.0)
    counters.forget_range(0)

    def work() -> None:
        counters.spend(5.0, 0)
        counters.spend(20.0, 1)

    figure = over(work).joules["CPU"]
    assert figure.value is None
    assert "RAPL did not advance" in figure.reason


@on_linux
def test_a_counter_that_wraps_twice_is_read_in_between(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(0.0)
    one = Meter()
    regular = one._tracker._scheduler

    def work() -> None:
        assert not regular._stopped
        assert regular.interval == 30
        for _ in range(3):
            counters.spend(0.8 * RANGE_J)
            regular.function()
        counters.spend(1.0)

    figure = one.over(work).joules["CPU"]
    assert regular._stopped
    assert figure.value == pytest.approx(2.4 * RANGE_J + 1, rel=1e-4)


@on_linux
@pytest.mark.parametrize("stopped", [(0,), (0, 1), (1,)])
def test_a_rapl_counter_that_does_not_advance_gives_no_figure(
    rapl: Callable[..., Rapl], stopped: tuple[int, ...]
) -> None:
    counters = rapl(100.0, 500.0)

    def work() -> None:
        for package in {0, 1} - set(stopped):
            counters.spend(5.0, package)

    figure = over(work).joules["CPU"]
    assert figure.value is None
    assert "RAPL did not advance" in figure.reason


@on_linux
def test_without_permission_an_estimate_names_the_remedy(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    rapl(100.0)
    access = os.access  # root may read whatever the mode says
    monkeypatch.setattr(
        os, "access", lambda path, mode: "energy_uj" not in str(path) and access(path, mode)
    )
    figure = over(lambda: None).joules["CPU"]
    assert figure.origin == "estimated"
    assert figure.instrument == "codecarbon: modelled from rated power and load"
    assert "run as root" in figure.reason
    assert "read permission on /sys/class/powercap/intel-rapl" in figure.reason


@on_linux
def test_one_unreadable_package_leaves_no_partial_sum(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = rapl(100.0, 500.0)
    monkeypatch.setattr(meter.os, "access", lambda path, mode: "intel-rapl:1" not in str(path))
    figure = over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value is None
    assert "reading RAPL of package-1 is not permitted; run as root" in figure.reason


def test_without_counters_there_is_nothing_to_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(meter, "_POWERCAP", tmp_path)
    spent = over(lambda: None)
    assert spent.joules["CPU"].origin == "estimated"
    assert spent.joules["CPU"].reason == ""
    assert spent.joules["RAM"].origin == "estimated"


def test_nvml_is_measured(nvml: Callable[[float | None], Nvml]) -> None:
    counter = nvml(1_000.0)

    def work() -> None:
        assert counter.spent_j is not None
        counter.spent_j += 50.0

    figure = over(work).joules["GPU"]
    assert (figure.origin, figure.instrument) == ("measured", "codecarbon: NVML")
    assert figure.value == pytest.approx(50.0, rel=1e-4)


def test_an_nvml_counter_that_does_not_advance_gives_no_figure(
    nvml: Callable[[float | None], Nvml],
) -> None:
    nvml(1_000.0)
    figure = over(lambda: None).joules["GPU"]
    assert figure.value is None
    assert "NVML did not advance" in figure.reason


@pytest.mark.parametrize(("start_j", "end_j"), [(None, None), (1_000.0, 10.0)])
def test_gpu_power_without_a_usable_counter_is_an_estimate(
    nvml: Callable[[float | None], Nvml], start_j: float | None, end_j: float | None
) -> None:
    counter = nvml(start_j)

    def work() -> None:
        counter.spent_j = end_j
        time.sleep(0.1)

    started = time.perf_counter()
    figure = over(work).joules["GPU"]
    longest_s = time.perf_counter() - started  # a busy machine sleeps longer
    assert figure.origin == "estimated"
    assert "without an energy counter" in figure.instrument
    assert figure.value is not None
    assert 100 * 0.09 < figure.value < 100 * longest_s


def test_no_gpu_and_a_missing_driver_are_not_zero(
    nvml: Callable[[float | None], Nvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert over(lambda: None).joules["GPU"].reason == "no GPU that codecarbon can meter"
    hardware_cache.clear_cache()
    nvml(1_000.0)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", False)
    assert over(lambda: None).joules["GPU"].reason == "no GPU that codecarbon can meter"


def test_apple_silicon_gets_no_wrong_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: True)
    monkeypatch.setattr(resource_tracker, "is_linux_os", lambda: False)
    monkeypatch.setattr(resource_tracker, "is_mac_os", lambda: True)
    monkeypatch.setattr(resource_tracker, "detect_cpu_model", lambda: "Apple M2")
    one = Meter()
    spent = one.over(lambda: None)
    assert one._part("CPU")._is_generic_tdp  # if this fails, codecarbon may be right now
    assert "generic 85 W" in spent.joules["CPU"].reason
    assert "does not meter Apple GPUs" in spent.joules["GPU"].reason
    assert spent.joules["RAM"].origin == "estimated"


def test_a_constant_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "is_psutil_available", lambda: False)
    figure = over(lambda: None).joules["CPU"]
    assert (figure.origin, figure.instrument) == ("estimated", meter._CPU_CONSTANT)


def test_an_error_in_codecarbon_loses_the_figures_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    one = Meter()
    monkeypatch.setattr(one._tracker, "stop_task", lambda: 1 / 0)
    spent = one.over(lambda: done.append(1))
    assert done == [1]
    for figure in spent.joules.values():
        assert figure.reason == "codecarbon failed (ZeroDivisionError: division by zero)"
    monkeypatch.setattr(meter, "_tracker", lambda: 1 / 0)
    assert over(lambda: done.append(2)).joules["RAM"].value is None
    assert done == [1, 2]


@on_linux
def test_a_window_ends_when_the_work_in_it_fails(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(100.0)
    one = Meter()
    with pytest.raises(ZeroDivisionError):
        one.over(lambda: counters.spend(1 / 0))
    assert one._tracker._scheduler_monitor_power._stopped
    counters.spend(3.0)
    figure = one.over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value == pytest.approx(7.0, rel=1e-4)
