"""bench/instruments/energy.py: energy of scoring beyond an idle machine, and of training."""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.energy_counters import Rapl, made_nvml, on_linux
from worthit.bench.cell import Cell
from worthit.bench.cells.work import Work
from worthit.bench.instruments import energy, meter
from worthit.bench.instruments.cpu_watts import estimate_energy
from worthit.bench.instruments.meter import EnergyWindow
from worthit.bench.saved.record import Figure, measured, unavailable
from worthit.models.lsa import LSA

pytestmark = pytest.mark.usefixtures("bare_machine")


def metered(
    counters: Rapl, monkeypatch: pytest.MonkeyPatch, busy_w: float, *idle_w: float, **given: Any
) -> Any:
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
        lambda texts: drawing(busy_w, 0.5), lambda: None, ["a"] * 10, 5.0, 5.0, **given
    )


@on_linux
def test_net_is_gross_without_idle_power(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 9.8, 10.2)
    assert spent.idle_before_w.value == pytest.approx(9.8, rel=1e-4)
    assert spent.idle_after_w.value == pytest.approx(10.2, rel=1e-4)
    assert (spent.idle_after_w.origin, spent.idle_after_w.unit) == ("measured", "W")
    assert spent.idle_after_w.instrument == "mean power of CPU"
    assert (spent.window_s, spent.comments) == (5.0, 100)
    gross, net = spent.cpu_j_per_comment, spent.cpu_net_j_per_comment
    assert gross.value == pytest.approx(50 * 5 / 100, rel=1e-4)
    assert net.value == pytest.approx(40 * 5 / 100, rel=1e-4)
    assert (net.origin, net.samples) == ("measured", 100)
    assert spent.idle_disagreement == ""
    assert spent.gpu_net_j_per_comment == spent.gpu_j_per_comment
    assert spent.gpu_net_j_per_comment.reason == "the cell runs on the CPU"
    assert "no energy counter of the memory" in spent.ram_net_j_per_comment.reason
    assert (spent.cpu_s_per_comment.origin, spent.cpu_s_per_comment.samples) == ("measured", 100)


@on_linux
def test_the_idle_card_is_shown_beside_the_energy_of_a_model_on_the_cpu(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters, cards = rapl(100.0), made_nvml(monkeypatch, 1_000.0)
    spend = counters.spend

    def spend_both(joules: float, package: int = 0) -> None:
        spend(joules, package)
        cards.spend(79.0 * joules / 50.0)  # 79 W beside 50 W

    monkeypatch.setattr(counters, "spend", spend_both)
    spent = metered(counters, monkeypatch, 50.0, 10.0, 10.0)
    assert spent.idle_gpu_w.value == pytest.approx(79.0, rel=1e-4)
    assert spent.gpu_j_per_comment.reason == "the cell runs on the CPU"
    assert spent.idle_before_w.value == pytest.approx(10.0, rel=1e-4)


@on_linux
def test_given_watts_are_not_used_where_a_counter_measures(
    rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = metered(rapl(100.0), monkeypatch, 50.0, 10.0, 10.0, cpu_watts=900.0)
    assert spent.cpu_j_per_comment.origin == "measured"


def test_without_a_counter_energy_is_estimated_only_by_the_watts_that_the_user_gives() -> None:
    def spin(texts: Sequence[str]) -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    def spent(cpu_watts: float | None) -> Any:
        return energy.measure_energy(spin, lambda: None, ["a"] * 10, 0.1, 0.05, cpu_watts=cpu_watts)

    assert "no energy counter" in spent(None).cpu_j_per_comment.reason
    estimated = spent(100.0)
    cpu_s, joules = estimated.cpu_s_per_comment.value, estimated.cpu_j_per_comment
    assert joules.origin == "estimated"
    assert joules.value == pytest.approx(100.0 * cpu_s / os.cpu_count())  # type: ignore[operator]
    assert cpu_s >= 0.002
    for unknown in (estimated.cpu_net_j_per_comment, estimated.idle_before_w):
        assert "no energy counter" in unknown.reason


def test_an_estimate_from_disturbed_cpu_time_is_disturbed() -> None:
    cpu_s = dataclasses.replace(measured(2.0, "s", "CPU time"), disturbed="other work")
    assert estimate_energy(unavailable("J", "no counter"), cpu_s, 10.0).disturbed == "other work"


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


def idle(cpu: Figure, gpu_j: float) -> EnergyWindow:
    none = unavailable("J", "no counter")
    joules = {"CPU": cpu, "RAM": none, "GPU": measured(gpu_j, "J", "codecarbon: NVML")}
    return EnergyWindow(joules, none, measured(0.1, "s", "CPU time"), seconds=5.0)


def cpu(joules: float) -> Figure:
    return measured(joules, "J", "codecarbon: RAPL")


def test_idle_power_adds_up_what_is_measured() -> None:
    both = energy._idle_w(idle(cpu(50.0), 100.0))
    assert (both.value, both.origin, both.instrument) == (
        30.0,
        "measured",
        "mean power of CPU + GPU",
    )
    assert energy._idle_w(idle(unavailable("J", "no counter"), 100.0)).value == 20.0
    nothing = idle(unavailable("J", "no counter"), 100.0)
    nothing = dataclasses.replace(
        nothing, joules=dict.fromkeys(nothing.joules, unavailable("J", "no counter"))
    )
    assert energy._idle_w(nothing).reason == "no counter"


def test_disagreement_names_every_changed_component() -> None:
    before = idle(cpu(50.0), 100.0)
    assert energy._disagreement(before, idle(cpu(52.0), 105.0)) == ""
    words = energy._disagreement(before, idle(cpu(60.0), 80.0))
    assert (
        words == "CPU idled at 10 W before and 12 W after; GPU idled at 20 W before and 16 W after"
    )


@pytest.mark.parametrize(
    ("instrument", "seconds", "is_known"),
    [
        ("codecarbon: RAPL", 0.4, False),
        ("codecarbon: RAPL", 0.6, True),
        ("codecarbon: NVML", 4.9, False),
        ("codecarbon: NVML", 5.1, True),
    ],
)
def test_a_window_is_long_enough_for_the_steps_of_its_counter(
    instrument: str, seconds: float, is_known: bool
) -> None:
    window = dataclasses.replace(idle(measured(9.0, "J", instrument), 1.0), seconds=seconds)
    assert (window.long_enough().joules["CPU"].value is not None) == is_known


def trained(cell: Cell) -> Any:
    work = Work(cell, lambda done, total: None)
    work.setup()
    return work.train()


@on_linux
def test_a_training_is_metered_and_its_cpu_time_measured(
    split: str, rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = rapl(100.0)
    monkeypatch.setattr(meter, "_SHORTEST_RAPL_WINDOW_S", 0.0)
    fit = LSA.fit

    def spending(*given: Any) -> Any:
        counters.spend(7.0)
        return fit(*given)

    monkeypatch.setattr(LSA, "fit", spending)
    cell = Cell("lsa", "cpu", 0, split, cpu_watts=100.0)
    new, again = trained(cell), trained(cell)
    assert (new.cpu_j.origin, new.cpu_j.value) == ("measured", pytest.approx(7.0, rel=1e-4))
    assert (new.cpu_s.origin, again.cpu_s.origin) == ("measured", "cached")
    assert new.cpu_s.value > 0
    assert (again.cpu_j.origin, again.cpu_j.was) == ("cached", "measured")
    assert again.gpu_j.reason == "the cell runs on the CPU"


def test_an_estimate_follows_the_watts_of_each_run_even_if_the_training_is_cached(
    split: str,
) -> None:
    first, second = (
        trained(Cell("lsa", "cpu", 0, split, cpu_watts=watts)) for watts in (100.0, 50.0)
    )
    assert first.cpu_j.origin == "estimated"
    assert (second.cpu_j.origin, second.cpu_j.was) == ("cached", "estimated")
    assert second.cpu_j.value == pytest.approx(first.cpu_j.value / 2)
    assert "no energy counter" in trained(Cell("lsa", "cpu", 0, split)).cpu_j.reason


@on_linux
def test_a_short_training_has_no_energy(
    split: str, rapl: Callable[..., Rapl], monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = rapl(100.0)
    monkeypatch.setattr(meter, "_SHORTEST_RAPL_WINDOW_S", 500.0)
    fit = LSA.fit

    def spending(*given: Any) -> Any:
        counters.spend(7.0)
        return fit(*given)

    monkeypatch.setattr(LSA, "fit", spending)
    training = trained(Cell("lsa", "cpu", 0, split))
    assert training.cpu_j.reason.endswith("s, its energy needs 500 s or more")
    assert training.cpu_s.value > 0


def test_a_model_that_is_not_tuned_has_no_training_energy(split: str, tiny_llama: Path) -> None:
    cell = Cell("llama-zero-shot", "cpu", 0, split, settings={"checkpoint": str(tiny_llama)})
    training = trained(cell)
    figures = (training.cpu_s, training.cpu_j, training.ram_j, training.gpu_j)
    assert {figure.reason for figure in figures} == {"not tuned"}
