"""Energy and CPU time per comment; energy gross and net of idle power."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from worthit.bench.instruments.cpu_watts import estimate_energy
from worthit.bench.instruments.meter import EnergyWindow, Meter, times
from worthit.bench.instruments.readings import COMPONENTS
from worthit.bench.saved.record import Energy, Figure, significant, unavailable

# A larger difference means other work on the machine, or that it was still cooling down.
_IDLE_TOLERANCE = 0.10


def measure_energy(
    score: Callable[[Sequence[str]], Any],
    synchronize: Callable[[], None],
    texts: Sequence[str],
    window_s: float,
    idle_s: float,
    device: str = "cpu",
    cpu_watts: float | None = None,
) -> Energy:
    """Meter repeated scoring of the same comments, between two idle windows.

    Args:
        score: takes comments, returns host arrays; its model is already loaded.
        synchronize: waits until the device is idle.
        texts: scored in one call, repeated for at least `window_s` seconds.
        window_s, idle_s: lengths of the busy window and of each idle one.
        device: on which the model computes.
        cpu_watts: of all processors at full load; without a counter, they give an estimate.
    """
    meter = Meter(device)
    score(texts)
    synchronize()
    before = meter.over(lambda: time.sleep(idle_s))
    comments = 0

    def burn() -> None:
        nonlocal comments
        end = time.perf_counter() + window_s
        while time.perf_counter() < end:
            score(texts)
            comments += len(texts)
        synchronize()

    busy = meter.over(burn)
    after = meter.over(lambda: time.sleep(idle_s))

    def each(figure: Figure, unit: str = "J") -> Figure:
        if figure.value is None:
            return figure
        return dataclasses.replace(times(figure, 1 / comments, unit), samples=comments)

    gross = {component: each(busy.joules[component]) for component in COMPONENTS}
    cpu_s = each(busy.cpu_s, "s")
    return Energy(
        cpu_s_per_comment=cpu_s,
        cpu_j_per_comment=estimate_energy(gross["CPU"], cpu_s, cpu_watts),
        ram_j_per_comment=gross["RAM"],
        gpu_j_per_comment=gross["GPU"],
        cpu_net_j_per_comment=each(_net("CPU", busy, before, after)),
        ram_net_j_per_comment=each(_net("RAM", busy, before, after)),
        gpu_net_j_per_comment=each(_net("GPU", busy, before, after)),
        idle_before_w=_idle_w(before),
        idle_after_w=_idle_w(after),
        idle_gpu_w=times(busy.idle_gpu, 1 / busy.seconds, "W"),
        idle_disagreement=_disagreement(before, after),
        window_s=busy.seconds,
        comments=comments,
    )


def _net(component: str, busy: EnergyWindow, before: EnergyWindow, after: EnergyWindow) -> Figure:
    """Gross energy less mean idle power over the window, in J; unavailable if any of them is."""
    gross = busy.joules[component]
    for spent in (busy, before, after):
        if spent.joules[component].value is None:
            return spent.joules[component]
    idle_w = sum(spent.watts(component).value or 0.0 for spent in (before, after)) / 2
    net_j = (gross.value or 0.0) - idle_w * busy.seconds
    if net_j <= 0:
        return unavailable("J", "it took no more power than when idle")
    return dataclasses.replace(gross, value=net_j)


def _idle_w(idle: EnergyWindow) -> Figure:
    """Total power in W of the measured components."""
    counted = [name for name in COMPONENTS if idle.joules[name].origin == "measured"]
    if not counted:
        return idle.watts("CPU")
    watts = sum(idle.watts(name).value or 0.0 for name in counted)
    return Figure(watts, "W", "measured", f"mean power of {' + '.join(counted)}")


def _disagreement(before: EnergyWindow, after: EnergyWindow) -> str:
    """A sentence on components whose idle powers disagree; empty if none does."""
    sentences = []
    for component in COMPONENTS:
        first, last = before.watts(component).value, after.watts(component).value
        if first is None or last is None:
            continue
        if abs(last - first) > _IDLE_TOLERANCE * (first + last) / 2:
            sentences.append(
                f"{component} idled at {significant(first)} W before and {significant(last)} W after"
            )
    return "; ".join(sentences)
