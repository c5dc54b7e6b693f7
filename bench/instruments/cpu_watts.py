"""Energy of the processor where it has no counter: CPU time at watts that the user gives."""

import dataclasses
import os

from worthit.bench.saved.record import Figure


def estimate_energy(metered: Figure, cpu_s: Figure, cpu_watts: float | None) -> Figure:
    """The metered energy in J; without it an estimate by CPU time, if the user gives the watts.

    The estimate is linear: `cpu_watts` of all processors at full load, times CPU time, over the number
    of logical processors. It knows neither idle power nor clock rates.

    Args:
        cpu_s: CPU time in s of the same work.
        cpu_watts: of all processors together at full load.
    """
    if metered.value is not None or cpu_s.value is None or cpu_watts is None:
        return metered
    cores = os.cpu_count() or 1
    formula = f"{cpu_watts:g} W (--cpu-watts) × CPU time / {cores} logical processors"
    estimate = Figure(
        cpu_watts * cpu_s.value / cores,
        "J",
        "estimated",
        formula,
        cpu_s.samples,
        reason=f"an estimate, not metered: {formula}",
        disturbed=cpu_s.disturbed,
    )
    if cpu_s.origin == "cached":
        estimate = dataclasses.replace(estimate, origin="cached", was="estimated")
    return estimate
