"""bench/instruments/energy.py: energy of scoring beyond an idle machine, and of training."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.energy_counters import Rapl, on_linux
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.bench.instruments import energy, meter
from worthit.bench.instruments.meter import EnergyWindow
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.datasets import prepare
from worthit.datasets.splits.protocol import Protocol

pytestmark = pytest.mark.usefixtures("bare_machine")


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
    for module in (energy, meter):
        monkeypatch.setattr(module, "time", clock)
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
def test_idle_windows_that_disagree_are_reported(
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
def test_an_idle_window_without_a_reading_leaves_gross_energy(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 10.0, 0.0)
    assert spent.cpu_j_per_comment.origin == "measured"
    assert "did not advance" in spent.cpu_net_j_per_comment.reason
    assert spent.idle_before_w.origin == "measured"
    assert spent.idle_disagreement == ""


def idle(cpu_j: float, cpu_origin: Any, ram_j: float, gpu_j: float) -> EnergyWindow:
    return EnergyWindow(
        {
            "CPU": Figure(cpu_j, "J", cpu_origin, "codecarbon: of the CPU"),
            "RAM": Figure(ram_j, "J", "estimated", meter._RAM_CONSTANT),
            "GPU": measured(gpu_j, "J", "codecarbon: NVML"),
        },
        seconds=5.0,
    )


def test_idle_power_adds_up_measurements_and_no_estimates() -> None:
    both = energy._idle_w(idle(50.0, "measured", 25.0, 100.0))
    assert (both.value, both.origin, both.instrument) == (30.0, "measured", "codecarbon: CPU + GPU")
    assert energy._idle_w(idle(50.0, "estimated", 25.0, 100.0)).value == 20.0
    blind = idle(50.0, "estimated", 25.0, 100.0)
    without_gpu = EnergyWindow({**blind.joules, "GPU": unavailable("J", "no GPU")}, blind.seconds)
    alone = energy._idle_w(without_gpu)
    assert (alone.value, alone.origin) == (10.0, "estimated")
    assert alone.instrument == "codecarbon: of the CPU"


def test_disagreement_names_every_changed_component_and_no_constant() -> None:
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
    monkeypatch.setattr(meter, "_SHORTEST_WINDOW_S", 0.0)
    cell = Cell("lsa", "cpu", 0, split)
    new, again = trained(cell), trained(cell)
    assert new.cpu_j.origin == "estimated"
    assert new.cpu_j.value > 0
    assert (again.cpu_j.origin, again.cpu_j.was) == ("cached", "estimated")
    assert again.cpu_j.value == new.cpu_j.value
    assert again.gpu_j.reason == "no GPU that codecarbon can meter"


def test_a_short_training_has_no_energy(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_SHORTEST_WINDOW_S", 500.0)
    training = trained(Cell("lsa", "cpu", 0, split))
    assert training.cpu_j.reason.endswith("s, energy needs 500 s or more")
    assert training.gpu_j.reason == "no GPU that codecarbon can meter"


def test_a_model_that_is_not_tuned_has_no_training_energy(split: str, tiny_llama: Path) -> None:
    cell = Cell("llama-zero-shot", "cpu", 0, split, settings={"checkpoint": str(tiny_llama)})
    training = trained(cell)
    assert {training.cpu_j.reason, training.ram_j.reason, training.gpu_j.reason} == {"not tuned"}
