"""bench/energy.py: codecarbon's own readers over counters that we move by hand."""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from codecarbon.core import cpu, gpu, gpu_nvidia, hardware_cache, resource_tracker
from codecarbon.external import hardware

from worthit.bench import energy, machine
from worthit.bench.cell import Cell
from worthit.bench.record import Figure, measured, unavailable
from worthit.bench.work import Work
from worthit.datasets import prepare
from worthit.datasets.protocol import Protocol

RANGE_J = 65_712.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="codecarbon reads RAPL on Linux only")


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No counter but those a test makes, whatever this machine has."""
    for module in (hardware, resource_tracker):
        monkeypatch.setattr(module, "detect_cpu_model", lambda: "a CPU")
    monkeypatch.setattr(cpu, "is_rapl_available", lambda: False)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)
    monkeypatch.setattr(gpu, "is_rocm_system", lambda: False)
    monkeypatch.setattr(gpu, "AMDSMI_AVAILABLE", False)
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: False)
    hardware_cache.clear_cache()
    yield
    hardware_cache.clear_cache()


class Rapl:
    """A powercap folder as Linux lays it out, one package each for some joules already counted."""

    def __init__(self, folder: Path, *start_j: float) -> None:
        self.folder = folder
        self.total_j = list(start_j)
        (folder / "intel-rapl").mkdir(parents=True)
        for number in range(len(start_j)):
            package = folder / f"intel-rapl:{number}"
            package.mkdir()
            (folder / "intel-rapl" / package.name).symlink_to(package)
            (package / "name").write_text(f"package-{number}\n")
            (package / "max_energy_range_uj").write_text(f"{RANGE_J * 1e6:.0f}\n")
            self.spend(0.0, number)

    def spend(self, joules: float, package: int = 0) -> None:
        self.total_j[package] += joules
        counted = self.total_j[package] % RANGE_J
        (self.folder / f"intel-rapl:{package}" / "energy_uj").write_text(f"{counted * 1e6:.0f}\n")

    def forget_range(self, package: int) -> None:
        (self.folder / f"intel-rapl:{package}" / "max_energy_range_uj").unlink()


@pytest.fixture
def rapl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Rapl]:
    def made(*start_j: float) -> Rapl:
        counters = Rapl(tmp_path / "powercap", *start_j)
        folder = str(counters.folder)
        available = functools.partial(is_rapl_available, rapl_dir=folder)
        monkeypatch.setattr(cpu, "is_rapl_available", available)
        reader = hardware.IntelRAPL
        monkeypatch.setattr(
            hardware, "IntelRAPL", lambda **given: reader(**given | {"rapl_dir": folder})
        )
        monkeypatch.setattr(energy, "_POWERCAP", counters.folder)
        return counters

    return made


is_rapl_available = cpu.is_rapl_available


class Nvml:
    """As much of pynvml as codecarbon calls, for one GPU."""

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


def over(action: Callable[[], None]) -> energy.Spent:
    return energy.Meter().over(action)


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
    assert "RAPL stood still or went backwards" in figure.reason


@on_linux
def test_a_counter_that_wraps_twice_is_read_in_between(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(0.0)
    meter = energy.Meter()
    regular = meter._tracker._scheduler

    def work() -> None:
        assert not regular._stopped
        assert regular.interval == 30
        for _ in range(3):
            counters.spend(0.8 * RANGE_J)
            regular.function()
        counters.spend(1.0)

    figure = meter.over(work).joules["CPU"]
    assert regular._stopped
    assert figure.value == pytest.approx(2.4 * RANGE_J + 1, rel=1e-4)


@on_linux
@pytest.mark.parametrize("standing", [(0,), (0, 1), (1,)])
def test_a_rapl_counter_that_stands_still_gives_no_figure(
    rapl: Callable[..., Rapl], standing: tuple[int, ...]
) -> None:
    counters = rapl(100.0, 500.0)

    def work() -> None:
        for package in {0, 1} - set(standing):
            counters.spend(5.0, package)

    figure = over(work).joules["CPU"]
    assert figure.value is None
    assert "RAPL stood still" in figure.reason


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
def test_one_package_that_may_not_be_read_leaves_no_partial_sum(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = rapl(100.0, 500.0)
    monkeypatch.setattr(energy.os, "access", lambda path, mode: "intel-rapl:1" not in str(path))
    figure = over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value is None
    assert "RAPL of package-1 may not be read; run as root" in figure.reason


def test_without_counters_there_is_nothing_to_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)
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


def test_an_nvml_counter_that_stands_still_gives_no_figure(
    nvml: Callable[[float | None], Nvml],
) -> None:
    nvml(1_000.0)
    figure = over(lambda: None).joules["GPU"]
    assert figure.value is None
    assert "NVML stood still" in figure.reason


@pytest.mark.parametrize(("start_j", "end_j"), [(None, None), (1_000.0, 10.0)])
def test_gpu_power_without_a_usable_counter_is_an_estimate(
    nvml: Callable[[float | None], Nvml], start_j: float | None, end_j: float | None
) -> None:
    counter = nvml(start_j)

    def work() -> None:
        counter.spent_j = end_j
        time.sleep(0.1)

    figure = over(work).joules["GPU"]
    assert figure.origin == "estimated"
    assert "want of an energy counter" in figure.instrument
    assert figure.value == pytest.approx(100 * 0.1, rel=0.5)


def test_no_gpu_and_a_mute_driver_are_not_zero(
    nvml: Callable[[float | None], Nvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert over(lambda: None).joules["GPU"].reason == "no GPU that codecarbon can meter"
    hardware_cache.clear_cache()
    nvml(1_000.0)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", False)
    assert over(lambda: None).joules["GPU"].reason == "no GPU that codecarbon can meter"


def test_apple_silicon_gets_no_figure_that_is_known_to_be_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: True)
    monkeypatch.setattr(resource_tracker, "is_linux_os", lambda: False)
    monkeypatch.setattr(resource_tracker, "is_mac_os", lambda: True)
    monkeypatch.setattr(resource_tracker, "detect_cpu_model", lambda: "Apple M2")
    meter = energy.Meter()
    spent = meter.over(lambda: None)
    assert meter._part("CPU")._is_generic_tdp  # once this fails, codecarbon's path may be right
    assert "generic 85 W" in spent.joules["CPU"].reason
    assert "does not meter Apple GPUs" in spent.joules["GPU"].reason
    assert spent.joules["RAM"].origin == "estimated"


def test_a_constant_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "is_psutil_available", lambda: False)
    figure = over(lambda: None).joules["CPU"]
    assert (figure.origin, figure.instrument) == ("estimated", energy._CPU_CONSTANT)


def test_what_goes_wrong_in_codecarbon_costs_the_figures_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    meter = energy.Meter()
    monkeypatch.setattr(meter._tracker, "stop_task", lambda: 1 / 0)
    spent = meter.over(lambda: done.append(1))
    assert done == [1]
    for figure in spent.joules.values():
        assert figure.reason == "codecarbon failed (ZeroDivisionError: division by zero)"
    monkeypatch.setattr(energy, "_tracker", lambda: 1 / 0)
    assert over(lambda: done.append(2)).joules["RAM"].value is None
    assert done == [1, 2]


@on_linux
def test_a_window_ends_when_the_work_in_it_fails(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(100.0)
    meter = energy.Meter()
    with pytest.raises(ZeroDivisionError):
        meter.over(lambda: counters.spend(1 / 0))
    assert meter._tracker._scheduler_monitor_power._stopped
    counters.spend(3.0)
    figure = meter.over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value == pytest.approx(7.0, rel=1e-4)


def metered(counters: Rapl, monkeypatch: pytest.MonkeyPatch, busy_w: float, *idle_w: float) -> Any:
    """`measure_energy` on a machine that draws these watts when busy, idle before, idle after."""
    idle_powers, now_s = iter(idle_w), 0.0

    def drawing(watts: float, seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        counters.spend(watts * seconds)

    clock = SimpleNamespace(
        perf_counter=lambda: now_s, sleep=lambda s: drawing(next(idle_powers), s)
    )
    monkeypatch.setattr(energy, "time", clock)
    return energy.measure_energy(
        lambda texts: drawing(busy_w, 0.5), lambda: None, ["a"] * 10, 5.0, 5.0
    )


@on_linux
def test_net_is_gross_without_idle_power(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 9.8, 10.2)
    assert spent.idle_before_w.value == pytest.approx(9.8, rel=1e-4)
    assert spent.idle_after_w.value == pytest.approx(10.2, rel=1e-4)
    assert (spent.idle_after_w.origin, spent.idle_after_w.unit) == ("measured", "W")
    assert spent.idle_after_w.instrument == "codecarbon: CPU"
    assert (spent.window_s, spent.comments) == (5.0, 100)
    gross, net = spent.cpu_j_per_comment, spent.cpu_net_j_per_comment
    assert gross.value == pytest.approx(50 * 5 / 100, rel=1e-4)
    assert net.value == pytest.approx(40 * 5 / 100, rel=1e-4)
    assert (net.origin, net.samples) == ("measured", 100)
    assert spent.idle_disagreement == ""
    assert spent.gpu_net_j_per_comment == spent.gpu_j_per_comment
    assert spent.gpu_net_j_per_comment.reason == "no GPU that codecarbon can meter"
    assert "constant" in spent.ram_net_j_per_comment.reason


@on_linux
def test_idle_windows_that_disagree_are_told(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 10.0, 12.0)
    assert spent.idle_disagreement == "CPU idled at 10 W before and 12 W after"
    assert spent.cpu_net_j_per_comment.value == pytest.approx(39 * 5 / 100, rel=1e-4)


@on_linux
def test_nothing_above_idle_is_not_a_negative_energy(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 5.0, 10.0, 10.0)
    assert spent.cpu_j_per_comment.value > 0
    assert spent.cpu_net_j_per_comment.reason == "it took no more power than when idle"


@on_linux
def test_an_idle_window_without_a_reading_leaves_gross_alone(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 10.0, 0.0)
    assert spent.cpu_j_per_comment.origin == "measured"
    assert "stood still" in spent.cpu_net_j_per_comment.reason
    assert spent.idle_before_w.origin == "measured"
    assert spent.idle_disagreement == ""


def idle(cpu_j: float, cpu_origin: Any, ram_j: float, gpu_j: float) -> energy.Spent:
    return energy.Spent(
        {
            "CPU": Figure(cpu_j, "J", cpu_origin, "codecarbon: of the CPU"),
            "RAM": Figure(ram_j, "J", "estimated", energy._RAM_CONSTANT),
            "GPU": measured(gpu_j, "J", "codecarbon: NVML"),
        },
        seconds=5.0,
    )


def test_idle_power_adds_up_what_is_measured_and_no_estimates() -> None:
    both = energy._idle_w(idle(50.0, "measured", 25.0, 100.0))
    assert (both.value, both.origin, both.instrument) == (30.0, "measured", "codecarbon: CPU + GPU")
    assert energy._idle_w(idle(50.0, "estimated", 25.0, 100.0)).value == 20.0
    blind = idle(50.0, "estimated", 25.0, 100.0)
    without_gpu = energy.Spent({**blind.joules, "GPU": unavailable("J", "no GPU")}, blind.seconds)
    alone = energy._idle_w(without_gpu)
    assert (alone.value, alone.origin) == (10.0, "estimated")
    assert alone.instrument == "codecarbon: of the CPU"


def test_disagreement_names_every_component_that_moved_and_no_constant() -> None:
    before = idle(50.0, "estimated", 25.0, 100.0)
    assert energy._disagreement(before, idle(52.0, "estimated", 50.0, 105.0)) == ""
    words = energy._disagreement(before, idle(60.0, "estimated", 25.0, 80.0))
    assert (
        words == "CPU idled at 10 W before and 12 W after; GPU idled at 20 W before and 16 W after"
    )


@pytest.fixture
def split() -> str:
    return prepare.prepare("synthetic:600", Protocol()).key


def trained(cell: Cell) -> Any:
    work = Work(cell, lambda done, total: None)
    work.setup()
    return work.train()


def test_a_training_is_metered_and_an_estimate_stays_one_when_cached(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "_SHORTEST_WINDOW_S", 0.0)
    cell = Cell("lsa", "cpu", 0, split)
    new, again = trained(cell), trained(cell)
    assert new.cpu_j.origin == "estimated"
    assert new.cpu_j.value > 0
    assert (again.cpu_j.origin, again.cpu_j.was) == ("cached", "estimated")
    assert again.cpu_j.value == new.cpu_j.value
    assert again.gpu_j.reason == "no GPU that codecarbon can meter"


def test_a_short_training_has_no_energy(split: str) -> None:
    training = trained(Cell("lsa", "cpu", 0, split))
    assert training.train_s.value < 5
    assert training.cpu_j.reason.endswith("s, energy needs 5 s or more")
    assert training.gpu_j.reason == "no GPU that codecarbon can meter"


def test_what_is_not_tuned_has_no_energy_of_training(split: str, tiny_llama: Path) -> None:
    cell = Cell("llama-zero-shot", "cpu", 0, split, settings={"checkpoint": str(tiny_llama)})
    training = trained(cell)
    assert {training.cpu_j.reason, training.ram_j.reason, training.gpu_j.reason} == {"not tuned"}
