"""Checks the instruments on known quantities, with one verdict for each."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worthit.bench.instruments import machine, memory
from worthit.bench.instruments.disturbance import LIMITS, Watch
from worthit.bench.instruments.latency import measure_latency
from worthit.bench.instruments.machine_noise import NOISY_PERCENT, measure_noise
from worthit.bench.instruments.meter import Meter
from worthit.bench.saved import run_file
from worthit.bench.saved.record import Disturbance, Figure, Run, significant, unavailable
from worthit.datasets.errors import CellError, DeviceError

CheckResult = Literal["ok", "off", "skipped"]

_SLEEP_S, _SLEEPS, _SLEEP_OFF = 0.05, 21, 0.01
_ALLOCATION_OFF = 0.02
_CALLS, _OVERHEAD_US = 3_000, 1.0
_HARNESS_SHARE = 0.05
_NOISE_S = 2.0
_WINDOW_S = 5.0  # of energy: NVML's counters tick every 100 ms
_SETTLE_S = 2.0  # clocks and fans slow down after a burn
_BURN_W, _BURN_SHARE = 1.0, 0.2  # least power of a burn beyond idle: watts, share of idle
_ZERO_SHARE = 0.1  # most power of zero work, as a share of the burn
_LATENCY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Check:
    """One row in the table of `worthit doctor`."""

    name: str
    expected: str
    value: str
    verdict: CheckResult
    remark: str = ""


def examine(runs_folder: Path) -> Iterator[Check]:
    """Check every instrument, in about half a minute; the machine should be idle.

    Args:
        runs_folder: the newest saved run shows how much time the benchmark itself takes.
    """
    yield sleep_check(_median_ms(lambda texts: time.sleep(_SLEEP_S), _SLEEPS))
    yield _allocation("known allocation", "cpu")
    yield from _cpu_energy_checks()
    yield from _gpu_checks()
    yield overhead_check(_median_ms(lambda texts: None, _CALLS) * 1e3)
    yield share_check(_newest_run(runs_folder))
    watch = Watch("cpu")
    yield noise_check(measure_noise(_NOISE_S))
    yield quiet_check(watch.end())


def sleep_check(slept_ms: float) -> Check:
    """A sleep of 50 ms, timed like a model's call, takes 50 ms."""
    asked_ms = _SLEEP_S * 1e3
    return Check(
        "known sleep",
        f"{significant(asked_ms)} ms ± {_SLEEP_OFF:.0%}",
        f"{slept_ms:.2f} ms",
        _verdict(abs(slept_ms / asked_ms - 1) <= _SLEEP_OFF),
        f"median of {_SLEEPS}",
    )


def allocation_check(name: str, growth: Figure) -> Check:
    """An allocation of 256 MB raises the peak by 256 MB."""
    expected = f"{memory.ALLOCATION_MB} MB ± {_ALLOCATION_OFF:.0%}"
    if growth.value is None:
        return Check(name, expected, "n/a", "skipped", growth.reason)
    within = abs(growth.value / memory.ALLOCATION_MB - 1) <= _ALLOCATION_OFF
    return Check(name, expected, f"{growth.value:.1f} MB", _verdict(within), growth.instrument)


def energy_checks(
    component: str, idle_w: float, burn_w: float, zero_w: float, provenance: Figure
) -> tuple[Check, Check]:
    """A burn draws power beyond idle, and zero work does not.

    Args:
        component: `CPU` or `GPU`.
        idle_w: gross power before, in W.
        burn_w, zero_w: power beyond idle during the burn and without work, in W.
        provenance: any figure of this component; unavailable if it cannot be metered.
    """
    names = f"{component} burn", f"{component} zero work"
    if provenance.value is None:
        burn, zero = (Check(name, "", "n/a", "skipped", provenance.reason) for name in names)
        return burn, zero
    remark = f"{provenance.origin}, {provenance.instrument}; idle is {idle_w:.2f} W"
    least_w, most_w = max(_BURN_W, idle_w * _BURN_SHARE), max(burn_w, 0) * _ZERO_SHARE
    return (
        Check(
            names[0],
            f"≥ {least_w:.2f} W beyond idle",
            f"{burn_w:.2f} W",
            _verdict(burn_w >= least_w),
            remark,
        ),
        Check(
            names[1],
            f"0 ± {most_w:.2f} W beyond idle",
            f"{zero_w:.2f} W",
            _verdict(abs(zero_w) <= most_w),
            f"up to {_ZERO_SHARE:.0%} of the burn",
        ),
    )


def overhead_check(overhead_us: float) -> Check:
    """Timing a call that does nothing adds less than a microsecond to its sample."""
    return Check(
        "overhead per call",
        f"< {significant(_OVERHEAD_US)} µs in a sample",
        f"{overhead_us:.2f} µs",
        _verdict(overhead_us < _OVERHEAD_US),
        f"median of {_CALLS:,} calls that do nothing",
    )


def share_check(run: Run | None) -> Check:
    """A run spends nearly all its time on training and measuring.

    Args:
        run: a complete run; None if there is none.
    """
    name, expected = "overhead per run", f"< {_HARNESS_SHARE:.0%} of a run"
    if run is None:
        reason = "there is no complete run; measure one with: worthit run"
        return Check(name, expected, "n/a", "skipped", reason)
    share = 1 - sum(cell.measured_s for cell in run.cells) / run.wall_s
    remark = f"run {run.run_id}, {run.wall_s:.0f} s: starting processes, loading, data, noise"
    return Check(name, expected, f"{share:.1%}", _verdict(share < _HARNESS_SHARE), remark)


def noise_check(noise: Figure) -> Check:
    """This machine computes steadily enough to compare times."""
    assert noise.value is not None
    return Check(
        "noise of this machine",
        f"< {significant(NOISY_PERCENT)} %",
        f"{noise.value:.1f} %",
        _verdict(noise.value < NOISY_PERCENT),
        noise.instrument,
    )


def quiet_check(seen: Disturbance) -> Check:
    """No other work disturbs this machine, by the signals that every measurement watches."""
    name, expected = "other work", "within all limits"
    if seen.reasons:
        return Check(name, expected, "too much", "off", "; ".join(seen.reasons))
    if seen.others.value is None:
        return Check(name, expected, "n/a", "skipped", seen.others.reason)
    unknown = [name for name in LIMITS if getattr(seen, name).value is None]
    remark = "of the CPU time" + f"; not counted here: {', '.join(unknown)}" * bool(unknown)
    return Check(name, expected, f"{seen.others.value:.1f} %", "ok", remark.replace("_", " "))


def _verdict(is_ok: bool) -> CheckResult:
    return "ok" if is_ok else "off"


def _median_ms(score: Callable[[Any], None], samples: int) -> float:
    not_asked = unavailable("s", "not asked for")
    timed = measure_latency(
        score, lambda: None, [""] * samples, _LATENCY_LIMIT_S, 0.0, lambda: not_asked
    )
    return float(np.median(timed.samples_ms))


def _allocation(name: str, device: str) -> Check:
    try:
        return allocation_check(name, memory.measure_known_allocation(device))
    except CellError as error:
        return _broken(name, str(error))


def _cpu_energy_checks() -> tuple[Check, Check]:
    square = np.ones((512, 512))
    return _metered("CPU", Meter("cpu"), lambda: square @ square)  # on all cores


def _gpu_checks() -> Iterator[Check]:
    """Memory and energy of an NVIDIA GPU, or why they are skipped."""
    reason = "there is no NVIDIA GPU"
    if "cuda" in machine.present_devices():
        from worthit.models.hardware import devices

        try:
            devices.require("cuda")
            yield _allocation("GPU allocation", "cuda")
            yield from _gpu_energy_checks()
            return
        except DeviceError as error:
            reason = str(error)
    yield allocation_check("GPU allocation", unavailable("MB", reason))
    yield from energy_checks("GPU", 0.0, 0.0, 0.0, unavailable("J", reason))


def _gpu_energy_checks() -> tuple[Check, Check]:
    import torch

    square = torch.ones(4096, 4096, device="cuda")

    def multiply() -> None:
        square @ square
        torch.cuda.synchronize()

    multiply()  # the context raises the idle power of a GPU
    return _metered("GPU", Meter("cuda"), multiply)


def _metered(component: str, meter: Meter, work: Callable[[], object]) -> tuple[Check, Check]:
    """Meter an idle window, one of repeated work and one without."""

    def burn() -> None:
        end = time.perf_counter() + _WINDOW_S
        while time.perf_counter() < end:
            work()

    windows = [meter.over(lambda: time.sleep(_WINDOW_S)), meter.over(burn)]
    time.sleep(_SETTLE_S)
    windows.append(meter.over(lambda: time.sleep(_WINDOW_S)))
    if meter.broken:
        burn_check, zero_check = (
            _broken(f"{component} {kind}", meter.broken) for kind in ("burn", "zero work")
        )
        return burn_check, zero_check
    figures = [window.joules[component] for window in windows]
    for figure in figures:
        if figure.value is None:
            return energy_checks(component, 0.0, 0.0, 0.0, figure)
    idle_w, burn_w, zero_w = (
        (figure.value or 0.0) / window.seconds
        for figure, window in zip(figures, windows, strict=True)
    )
    return energy_checks(component, idle_w, burn_w - idle_w, zero_w - idle_w, figures[0])


def _broken(name: str, reason: str) -> Check:
    return Check(name, "an answer", "none", "off", reason)


def _newest_run(folder: Path) -> Run | None:
    files = sorted(folder.glob("*.json"), reverse=True)  # names begin with the time
    # Cells on a cluster run at the same time, so their times are no share of the run's.
    here = (run for _, run in run_file.readable(files) if "cluster_nodes" not in run.machine)
    return next((run for run in here if run.complete), None)
