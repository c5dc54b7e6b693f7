"""bench/instruments/meter.py: codecarbon's readers on counters that the tests advance."""

import inspect
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codecarbon import OfflineEmissionsTracker
from codecarbon.core import cpu, gpu, hardware_cache
from codecarbon.emissions_tracker import BaseEmissionsTracker
from codecarbon.external.scheduler import PeriodicScheduler

from tests.energy_counters import RANGE_J, Nvml, Rapl, made_nvml, on_linux, uuid
from worthit.bench.instruments import codecarbon_counters, gpu_cards
from worthit.bench.instruments.gpu_cards import CellCard
from worthit.bench.instruments.meter import EnergyWindow, Meter

pytestmark = pytest.mark.usefixtures("bare_machine")


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[[float | None], Nvml]:
    """Makes one card with this reading, and torch compute on it."""

    def made(spent_j: float | None) -> Nvml:
        monkeypatch.setattr(gpu_cards, "cell_card", lambda: CellCard(uuid(0), None))
        return made_nvml(monkeypatch, spent_j)

    return made


def over(action: Callable[[], None], device: str = "cpu") -> EnergyWindow:
    return Meter(device).over(action)


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
    one = Meter("cpu")
    regular = one._counters._tracker._scheduler

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
def test_without_permission_there_is_no_figure_and_the_reason_names_the_remedy(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    rapl(100.0)
    access = os.access  # root may read whatever the mode says
    monkeypatch.setattr(
        os, "access", lambda path, mode: "energy_uj" not in str(path) and access(path, mode)
    )
    figure = over(lambda: None).joules["CPU"]
    assert figure.value is None
    assert "reading RAPL of package-0 is not permitted; run as root" in figure.reason
    assert "read permission on /sys/class/powercap/intel-rapl" in figure.reason


@on_linux
def test_one_unreadable_package_leaves_no_partial_sum(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = rapl(100.0, 500.0)
    monkeypatch.setattr(os, "access", lambda path, mode: "intel-rapl:1" not in str(path))
    figure = over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value is None
    assert "reading RAPL of package-1 is not permitted; run as root" in figure.reason


@pytest.mark.parametrize("has_load", [True, False])
def test_without_a_counter_there_is_no_figure_whatever_codecarbon_assumes(
    monkeypatch: pytest.MonkeyPatch, has_load: bool
) -> None:
    monkeypatch.setattr(cpu, "is_psutil_available", lambda: has_load)
    one = Meter("cpu")
    mode = one._counters._part("CPU")._mode
    assert mode == ("cpu_load" if has_load else "constant")
    spent = one.over(lambda: None)
    assert "there is no energy counter of the processor (RAPL)" in spent.joules["CPU"].reason
    assert "there is no energy counter of the memory" in spent.joules["RAM"].reason
    assert {figure.value for figure in spent.joules.values()} == {None}


def test_cpu_time_counts_threads_and_child_processes_without_any_counter() -> None:
    def work() -> None:
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        program = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", program], check=True)
        for thread in threads:
            thread.join()

    def busy() -> None:
        while time.thread_time() < 0.2:
            pass

    spent = over(work)
    assert (spent.cpu_s.origin, spent.cpu_s.unit) == ("measured", "s")
    assert spent.cpu_s.value is not None
    assert 0.65 < spent.cpu_s.value < 1.5


def test_nvml_is_measured(nvml: Callable[[float | None], Nvml]) -> None:
    counter = nvml(1_000.0)

    figure = over(lambda: counter.spend(50.0), "cuda").joules["GPU"]
    assert (figure.origin, figure.instrument) == ("measured", "codecarbon: NVML")
    assert figure.value == pytest.approx(50.0, rel=1e-4)


def test_an_nvml_counter_that_does_not_advance_gives_no_figure(
    nvml: Callable[[float | None], Nvml],
) -> None:
    nvml(1_000.0)
    figure = over(lambda: None, "cuda").joules["GPU"]
    assert figure.value is None
    assert "NVML did not advance" in figure.reason


@pytest.mark.parametrize(("start_j", "end_j"), [(None, None), (1_000.0, 10.0)])
def test_gpu_power_without_a_usable_counter_is_an_estimate(
    nvml: Callable[[float | None], Nvml], start_j: float | None, end_j: float | None
) -> None:
    counter = nvml(start_j)

    def work() -> None:
        counter.spent_j = [end_j]
        time.sleep(0.1)

    started = time.perf_counter()
    figure = over(work, "cuda").joules["GPU"]
    longest_s = time.perf_counter() - started  # a busy machine sleeps longer
    assert figure.origin == "estimated"
    assert "without an energy counter" in figure.instrument
    assert figure.value is not None
    assert 100 * 0.09 < figure.value < 100 * longest_s


def test_no_gpu_and_a_missing_driver_are_not_zero(
    nvml: Callable[[float | None], Nvml], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "there is no GPU that codecarbon can meter"
    assert over(lambda: None, "cuda").joules["GPU"].reason == reason
    assert over(lambda: None).idle_gpu.reason == reason
    hardware_cache.clear_cache()
    nvml(1_000.0)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", False)
    assert over(lambda: None, "cuda").joules["GPU"].reason == reason


def test_an_error_in_codecarbon_loses_the_figures_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    one = Meter("cpu")
    monkeypatch.setattr(one._counters._tracker, "stop_task", lambda: 1 / 0)
    spent = one.over(lambda: done.append(1))
    assert done == [1]
    for figure in spent.joules.values():
        assert figure.reason == "codecarbon failed (ZeroDivisionError: division by zero)"
    assert one._counters._tracker._scheduler_monitor_power._stopped
    monkeypatch.setattr(codecarbon_counters, "_tracker", lambda gpu_ids: 1 / 0)
    assert over(lambda: done.append(2)).joules["RAM"].value is None
    assert done == [1, 2]


def test_a_timer_that_fires_while_it_is_stopped_ends() -> None:
    for _ in range(50):
        scheduler = PeriodicScheduler(0.0005, lambda: None)
        scheduler.start()
        time.sleep(0.0005)
        codecarbon_counters._stop(scheduler)
        assert (scheduler._stopped, scheduler._timer.is_alive()) == (True, False)


@on_linux
def test_a_window_ends_when_the_work_in_it_fails(rapl: Callable[..., Rapl]) -> None:
    counters = rapl(100.0)
    one = Meter("cpu")
    with pytest.raises(ZeroDivisionError):
        one.over(lambda: counters.spend(1 / 0))
    assert one._counters._tracker._scheduler_monitor_power._stopped
    counters.spend(3.0)
    figure = one.over(lambda: counters.spend(7.0)).joules["CPU"]
    assert figure.value == pytest.approx(7.0, rel=1e-4)


def _parameters() -> list[str]:
    """Every setting of codecarbon that a user's variables or files could give."""
    trackers = (OfflineEmissionsTracker, BaseEmissionsTracker)
    names = {name for one in trackers for name in inspect.signature(one.__init__).parameters}
    return sorted(names - {"self", "args", "kwargs"})


def _settings(tracker: Any) -> dict[str, Any]:
    """What the constructor of codecarbon settled."""
    plain = str | int | float | list | dict | None
    found = {name: value for name, value in vars(tracker).items() if isinstance(value, plain)}
    return {name: value for name, value in found.items() if name != "_last_measured_time"}


HOSTILE = {
    "pue": "3", "tracking_mode": "process", "force_cpu_power": "500", "force_mode_cpu_load": "true",
    "rapl_include_dram": "true", "rapl_prefer_psys": "true", "gpu_ids": "1",
    "measure_power_secs": "1000", "output_methods": "csv", "log_level": "debug",
    "allow_multiple_runs": "false",
}  # fmt: skip


@pytest.fixture(params=["variables", "home", "folder", "unreadable"])
def hostile(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], None]:
    """Sets each setting of codecarbon to something that changes figures, in one place."""
    settings = dict.fromkeys(_parameters(), "7") | HOSTILE
    text = "\n".join(["[codecarbon]", *(f"{name}={value}" for name, value in settings.items())])
    folders = {name: tmp_path / name for name in ("home", "folder")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setenv("HOME", str(folders["home"]))
    monkeypatch.setenv("USERPROFILE", str(folders["home"]))
    monkeypatch.chdir(folders["folder"])

    def attack() -> None:
        if request.param == "variables":
            for name, value in settings.items():
                monkeypatch.setenv(f"CODECARBON_{name.upper()}", value)
        elif request.param == "unreadable":
            (folders["folder"] / ".codecarbon.config").write_text("pue=3")
        else:
            (folders[request.param] / ".codecarbon.config").write_text(text)

    return attack


def test_no_variable_or_file_of_the_user_changes_a_setting_of_codecarbon(
    hostile: Callable[[], None],
) -> None:
    before = _settings(codecarbon_counters._tracker([0]))
    assert before["_pue"] == 1.0
    hostile()
    assert _settings(codecarbon_counters._tracker([0])) == before
    exposed = OfflineEmissionsTracker(country_iso_code="USA", allow_multiple_runs=True)
    assert getattr(exposed, "_pue", None) != 1.0  # else the test proves nothing


@on_linux
def test_no_variable_or_file_of_the_user_changes_a_figure(
    hostile: Callable[[], None], rapl: Callable[..., Rapl], nvml: Callable[[float | None], Nvml]
) -> None:
    processor, card = rapl(100.0), nvml(1_000.0)
    hostile()

    def work() -> None:
        processor.spend(7.0)
        card.spend(50.0)

    spent = over(work, "cuda")
    assert spent.joules["CPU"].value == pytest.approx(7.0, rel=1e-4)
    assert spent.joules["CPU"].instrument == "codecarbon: RAPL"
    assert spent.joules["GPU"].value == pytest.approx(50.0, rel=1e-4)
