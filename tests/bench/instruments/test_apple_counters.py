"""bench/instruments/apple_counters.py with a fake of zeus-apple-silicon."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from worthit.bench.instruments import machine
from worthit.bench.instruments.meter import Meter


class Monitor:
    """AppleEnergyMonitor of zeus-apple-silicon 1.0: windows by label, energy in whole mJ."""

    def __init__(self, spent: dict[str, int | None]) -> None:
        self._spent = spent
        self.windows: list[str] = []

    def begin_window(self, label: str) -> None:
        if label in self.windows:
            raise RuntimeError(f"window {label} is active")
        self.windows.append(label)

    def end_window(self, label: str) -> Any:
        self.windows.remove(label)
        return SimpleNamespace(**self._spent)


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Monitor]:
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: True)

    def made(**spent: int | None) -> Monitor:
        monitor = Monitor({"cpu_total_mj": 8_000, "dram_mj": 500, "gpu_mj": 3_000} | spent)
        library = ModuleType("zeus_apple_silicon")
        library.AppleEnergyMonitor = lambda: monitor  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "zeus_apple_silicon", library)
        return monitor

    return made


def test_each_component_is_measured_in_joules(apple: Callable[..., Monitor]) -> None:
    monitor = apple()
    spent = Meter("mps").over(lambda: None)
    assert {name: figure.value for name, figure in spent.joules.items()} == {
        "CPU": 8.0, "RAM": 0.5, "GPU": 3.0,
    }  # fmt: skip
    assert {figure.origin for figure in spent.joules.values()} == {"measured"}
    assert spent.joules["GPU"].instrument == "zeus-apple-silicon: IOReport"
    assert spent.idle_gpu.reason == "the cell uses the GPU"
    assert monitor.windows == []


def test_the_gpu_is_idle_while_a_model_computes_on_the_cpu(apple: Callable[..., Monitor]) -> None:
    apple()
    spent = Meter("cpu").over(lambda: None)
    assert spent.joules["GPU"].reason == "the cell runs on the CPU"
    assert spent.idle_gpu.value == 3.0


@pytest.mark.parametrize(
    ("millijoules", "reason"),
    [
        (None, "zeus-apple-silicon reports no cpu_total_mj on this machine"),
        (0, "a counter of IOReport did not advance during the window"),
    ],
)
def test_what_the_chip_does_not_report_is_not_zero(
    apple: Callable[..., Monitor], millijoules: int | None, reason: str
) -> None:
    apple(cpu_total_mj=millijoules)
    spent = Meter("cpu").over(lambda: None)
    assert spent.joules["CPU"].reason == reason
    assert spent.joules["RAM"].value == 0.5


def test_without_the_library_the_reason_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_apple_silicon", lambda: True)
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)  # import fails
    spent = Meter("mps").over(lambda: None)
    for figure in spent.joules.values():
        assert figure.reason == "needs the extra: pip install 'worthit[apple]'"
    assert spent.cpu_s.value is not None


def test_an_error_of_the_library_loses_the_figures_and_not_the_work(
    apple: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = apple()
    one = Meter("cpu")
    monkeypatch.setattr(monitor, "end_window", lambda label: 1 / 0)
    done: list[int] = []
    spent = one.over(lambda: done.append(1))
    assert done == [1]
    reason = "zeus-apple-silicon failed (ZeroDivisionError: division by zero)"
    assert {figure.reason for figure in spent.joules.values()} == {reason}
