"""The instruments measure themselves: known quantities in, a verdict on each figure out.

As a program, `python -m worthit.bench.instruments.doctor DEVICE`, it is the fresh process in which a known
allocation is measured; it prints the figure as JSON.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from worthit.bench.instruments import machine
from worthit.bench.instruments.energy import Meter
from worthit.bench.instruments.latency import measure_latency
from worthit.bench.instruments.machine_noise import NOISY_PERCENT, measure_noise
from worthit.bench.instruments.memory import peak_memory, resident_bytes
from worthit.bench.saved import run_file
from worthit.bench.saved.record import Figure, Memory, Run, measured, significant, unavailable
from worthit.datasets.errors import CellError, DeviceError, RunError

Verdict = Literal["ok", "off", "skipped"]

_SLEEP_S, _SLEEPS, _SLEEP_OFF = 0.05, 21, 0.01
_ALLOCATION_MB, _ALLOCATION_OFF = 256, 0.02
_CALLS, _OVERHEAD_US = 3_000, 1.0
_HARNESS_SHARE = 0.05
_NOISE_S = 2.0
_WINDOW_S = 5.0  # of energy: counters tick every 100 ms, codecarbon's estimate every second
_SETTLE_S = 2.0  # clocks and fans come down, before zero work is to show nothing
_BURN_W, _BURN_SHARE = 1.0, 0.2  # what a burn draws at least beyond idle: watts, share of idle
_ZERO_SHARE = 0.1  # of the burn's, that zero work may seem to draw
_PROCESS_LIMIT_S = 120.0


@dataclass(frozen=True)
class Check:
    """One instrument's row in the table of `worthit doctor`."""

    name: str
    expected: str
    found: str
    verdict: Verdict
    remark: str = ""


def examine(runs_folder: Path) -> Iterator[Check]:
    """Check every instrument, in about half a minute; the machine should have nothing else to do.

    Args:
        runs_folder: with saved runs, of which the newest tells the harness's share of the time.
    """
    yield sleep_check(_slept_ms())
    yield _allocation("known allocation", "cpu")
    yield from _cpu_energy_checks()
    yield from _gpu_checks()
    yield overhead_check(_overhead_us())
    yield share_check(_newest_run(runs_folder))
    yield noise_check(measure_noise(_NOISE_S))


def sleep_check(found_ms: float) -> Check:
    """Whether a sleep of 50 ms, timed as a model's call is, took that long."""
    asked_ms = _SLEEP_S * 1e3
    return Check(
        "known sleep",
        f"{significant(asked_ms)} ms ± {_SLEEP_OFF:.0%}",
        f"{found_ms:.2f} ms",
        _verdict(abs(found_ms / asked_ms - 1) <= _SLEEP_OFF),
        f"median of {_SLEEPS}",
    )


def allocation_check(name: str, found: Figure) -> Check:
    """Whether 256 MB more in use raised the peak by as much."""
    expected = f"{_ALLOCATION_MB} MB ± {_ALLOCATION_OFF:.0%}"
    if found.value is None:
        return Check(name, expected, "n/a", "skipped", found.reason)
    within = abs(found.value / _ALLOCATION_MB - 1) <= _ALLOCATION_OFF
    return Check(name, expected, f"{found.value:.1f} MB", _verdict(within), found.instrument)


def energy_checks(
    component: str, idle_w: float, burn_w: float, zero_w: float, provenance: Figure
) -> tuple[Check, Check]:
    """Whether a burn shows, and zero work does not.

    Args:
        component: `CPU` or `GPU`.
        idle_w: gross power before, in W.
        burn_w, zero_w: power of the two windows beyond idle, in W.
        provenance: any figure of this component's; unavailable if it cannot be metered.
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
            f"{_ZERO_SHARE:.0%} of the burn is allowed",
        ),
    )


def overhead_check(found_us: float) -> Check:
    """Whether timing a call that does nothing adds less than a microsecond to its sample."""
    return Check(
        "overhead per call",
        f"< {significant(_OVERHEAD_US)} µs in a sample",
        f"{found_us:.2f} µs",
        _verdict(found_us < _OVERHEAD_US),
        f"median of {_CALLS:,} calls that do nothing",
    )


def share_check(run: Run | None) -> Check:
    """Whether a run spent nearly all its time training and measuring.

    Args:
        run: complete, and of a worthit that records these seconds; None if there is none.
    """
    name, expected = "neither training nor measuring", f"< {_HARNESS_SHARE:.0%} of a run"
    if run is None:
        reason = "no complete run that tells; measure one with: pytest bench/ --benchmark-only"
        return Check(name, expected, "n/a", "skipped", reason)
    share = 1 - sum(cell.measured_s for cell in run.cells) / run.wall_s
    remark = f"run {run.run_id}, {run.wall_s:.0f} s: processes starting, loading, data, noise"
    return Check(name, expected, f"{share:.1%}", _verdict(share < _HARNESS_SHARE), remark)


def noise_check(noise: Figure) -> Check:
    """Whether this machine computes steadily enough to compare times."""
    assert noise.value is not None
    return Check(
        "noise of this machine",
        f"< {significant(NOISY_PERCENT)} %",
        f"{noise.value:.1f} %",
        _verdict(noise.value < NOISY_PERCENT),
        noise.instrument,
    )


def _verdict(fine: bool) -> Verdict:
    return "ok" if fine else "off"


def _slept_ms() -> float:
    return _median_ms(lambda texts: time.sleep(_SLEEP_S), _SLEEPS)


def _overhead_us() -> float:
    return _median_ms(lambda texts: None, _CALLS) * 1e3


def _median_ms(score: Callable[[Any], None], samples: int) -> float:
    """What the latency instrument says of a score function."""
    not_asked = unavailable("s", "not asked for")
    timed = measure_latency(
        score, lambda: None, [""] * samples, _PROCESS_LIMIT_S, 0.0, lambda: not_asked
    )
    return float(np.median(timed.samples_ms))


def _allocation(name: str, device: str) -> Check:
    try:
        return allocation_check(name, _allocated(device))
    except CellError as error:
        return _broken(name, str(error))


def _allocated(device: str) -> Figure:
    """By how much 256 MB raised the peak in a fresh process, in MB.

    Raises:
        CellError: the process failed, or took too long.
    """
    command = [sys.executable, "-P", "-m", "worthit.bench.instruments.doctor", device]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROCESS_LIMIT_S, check=True
        )
    except subprocess.TimeoutExpired:
        raise CellError(f"the process took longer than {_PROCESS_LIMIT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise CellError(f"the process failed: {lines[-1]}") from None
    return msgspec.json.decode(done.stdout, type=Figure)


def _allocate(device: str) -> Figure:
    """The known allocation itself: the peak with it, less the peak without."""
    baseline_bytes = resident_bytes()
    with peak_memory(device, baseline_bytes) as without:
        pass
    with peak_memory(device, baseline_bytes) as with_it:
        if device == "cpu":
            np.ones(_ALLOCATION_MB * 1_000_000, dtype=np.uint8)
        else:
            import torch

            torch.ones(_ALLOCATION_MB * 1_000_000, dtype=torch.uint8, device=device)
    assert without.memory is not None
    assert with_it.memory is not None
    before, after = (_peak(window, device) for window in (without.memory, with_it.memory))
    if before.value is None or after.value is None:
        return after
    return measured(after.value - before.value, "MB", after.instrument)


def _peak(memory: Memory, device: str) -> Figure:
    return memory.peak_mb if device == "cpu" else memory.accelerator_peak_mb


def _cpu_energy_checks() -> tuple[Check, Check]:
    square = np.ones((512, 512))

    def burn() -> None:
        end = time.perf_counter() + _WINDOW_S
        while time.perf_counter() < end:
            square @ square  # on all cores

    return _metered("CPU", Meter(), burn)


def _gpu_checks() -> Iterator[Check]:
    """The same for an NVIDIA GPU, or why not."""
    reason = "no NVIDIA GPU answers"
    if machine.nvidia_gpus():
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
    square @ square  # an idle GPU with a context draws more than one without
    torch.cuda.synchronize()

    def burn() -> None:
        end = time.perf_counter() + _WINDOW_S
        while time.perf_counter() < end:
            square @ square
            torch.cuda.synchronize()

    return _metered("GPU", Meter(), burn)


def _metered(component: str, meter: Meter, burn: Callable[[], None]) -> tuple[Check, Check]:
    """Meter an idle window, a burn and a window without work."""
    windows = [meter.over(lambda: time.sleep(_WINDOW_S)), meter.over(burn)]
    time.sleep(_SETTLE_S)
    windows.append(meter.over(lambda: time.sleep(_WINDOW_S)))
    if meter.broken:
        burnt, idle = (
            _broken(f"{component} {kind}", meter.broken) for kind in ("burn", "zero work")
        )
        return burnt, idle
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
    """The newest complete run that recorded what its cells spent; None without one."""
    for file in sorted(folder.glob("*.json"), reverse=True):  # names begin with the time
        try:
            run = run_file.load(file)
        except RunError:  # `worthit runs` tells of it
            continue
        if run.complete and any(cell.measured_s for cell in run.cells):
            return run
    return None


if __name__ == "__main__":
    print(msgspec.json.encode(_allocate(sys.argv[1])).decode())
