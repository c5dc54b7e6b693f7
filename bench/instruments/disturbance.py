"""Whether other work on the machine disturbed a measurement: counters before and after it.

Descendants of the measuring process count as its own, and so do the threads of its instruments.
Every other process is other work; the benchmark's parent process only waits meanwhile.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

from worthit.bench.instruments import cpu_counters, gpu_neighbours
from worthit.bench.instruments.cpu_counters import Counters
from worthit.bench.saved.record import Disturbance, Figure, measured, significant, unavailable

T = TypeVar("T")

# The system counts the CPU time of the machine in ticks of 10 ms. On an idle machine of two cores, the
# share of other processes read up to 2.4 % in windows of 0.2 s, and up to 1.8 % from 0.5 s on.
_SHORTEST_WINDOW_S = 0.2
# There, a neighbour that wanted a tenth of one core took 3 to 5 % of both, and BERT scored 12 % fewer
# comments; one that wanted a whole core took 40 to 50 %, and BERT scored 6 to 14 times fewer.
_OTHERS_PERCENT = 3.0
# One busy core of many has to count: it holds up all threads that wait for each other.
_OTHERS_CORES = 0.8
_UNCOUNTED = "this system does not count it"
#: units of figures that depend on what else the machine does; sizes do not
_TIMED_UNITS = ("s", "ms", "core-ms", "comments/s", "J", "W")


class Limit(NamedTuple):
    """What an undisturbed measurement may show of a signal."""

    most: Callable[[float], float]  # by the number of cores
    words: str  # with places for the value and the limit


LIMITS: Mapping[str, Limit] = {
    "others": Limit(
        lambda cores: min(_OTHERS_PERCENT, 100 * _OTHERS_CORES / cores),
        "other processes used {} % of the CPU time, limit {} %",
    ),
    "steal": Limit(lambda cores: 1.0, "the hypervisor took {} % of the CPU time, limit {} %"),
    "waiting": Limit(
        lambda cores: 10.0, "a thread waited for a core for {} % of the time, limit {} %"
    ),
    "throttled": Limit(
        lambda cores: 5.0, "the CPU quota stopped the process in {} % of its periods, limit {} %"
    ),
    "thermal": Limit(
        lambda cores: 1.0, "heat slowed the processor for {} % of the time, limit {} %"
    ),
    "gpu_processes": Limit(lambda cores: 0.0, "other processes on the GPU: {}, limit {}"),
}


class Watch:
    """Watches the machine from now on.

    Args:
        device: on which the measurement runs.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._since_us = gpu_neighbours.now_us()
        self._before = cpu_counters.read()

    def end(self) -> Disturbance:
        """What happened since then."""
        after = cpu_counters.read()
        gpu_processes = gpu_neighbours.count_others(self._device, self._since_us)
        return between(self._before, after, gpu_processes)


def between(before: Counters, after: Counters, gpu_processes: Figure) -> Disturbance:
    """What two readings of the counters say about the time between them."""
    window_s = after.at_s - before.at_s
    cores, others, steal = _cpu_shares(before, after)
    seen = Disturbance(
        window_s=window_s,
        cores=cores,
        others=others,
        steal=steal,
        waiting=_waiting(before, after, others, cores),
        pressure=_share(before.pressure_s, after.pressure_s, window_s, "/proc/pressure/cpu"),
        switches=_switches(before, after),
        throttled=_throttled(before, after),
        thermal=_share(before.thermal_s, after.thermal_s, window_s, "thermal_throttle"),
        gpu_processes=gpu_processes,
        reasons=(),
    )
    reasons = tuple(
        limit.words.format(significant(float(f"{value:.2g}")), significant(most))
        for limit, value, most in _beyond(seen)
    )
    return dataclasses.replace(seen, reasons=reasons)


def quieter(first: Disturbance, second: Disturbance) -> bool:
    """True if the first shows less disturbance: its signals exceed their limits by less."""

    def excess(seen: Disturbance) -> float:
        return sum(value - most for _, value, most in _beyond(seen))

    return excess(first) < excess(second)


def flag(part: T, seen: Disturbance, apart: Collection[str] = ()) -> T:
    """A part of the record with its disturbance, which marks the figures that depend on it.

    Args:
        part: a dataclass with a field `disturbance`.
        apart: fields with figures that were measured at another time.
    """
    reason = "; ".join(seen.reasons)
    changed = {
        name: _marked(value, reason)
        for name, value in vars(part).items()
        if reason and name not in apart
    }
    return dataclasses.replace(part, **changed | {"disturbance": seen})  # type: ignore[type-var]


def _marked(value: Any, reason: str) -> Any:
    if isinstance(value, Figure):
        is_timed = value.value is not None and value.unit in _TIMED_UNITS
        return dataclasses.replace(value, disturbed=reason) if is_timed else value
    if isinstance(value, tuple):
        return tuple(_marked(one, reason) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {name: _marked(part, reason) for name, part in vars(value).items()}
        return dataclasses.replace(value, **parts)
    return value


def _beyond(seen: Disturbance) -> list[tuple[Limit, float, float]]:
    """The signals beyond their limits: limit, value, and the highest value allowed."""
    found = []
    for name, limit in LIMITS.items():
        value, most = getattr(seen, name).value, limit.most(seen.cores or 1.0)
        if value is not None and value > most:
            found.append((limit, value, most))
    return found


def _cpu_shares(before: Counters, after: Counters) -> tuple[int | None, Figure, Figure]:
    """The number of cores, and the shares of their time that others and the hypervisor took."""
    window_s = after.at_s - before.at_s
    if window_s < _SHORTEST_WINDOW_S:
        took, least = f"it took {significant(window_s)} s", f"{_SHORTEST_WINDOW_S:g} s or more"
        short = unavailable("%", f"{took}, shares of CPU time need {least}")
        return None, short, short
    if before.cpu is None or after.cpu is None or after.cpu.total_s <= before.cpu.total_s:
        return None, unavailable("%", _UNCOUNTED), unavailable("%", _UNCOUNTED)
    total_s = after.cpu.total_s - before.cpu.total_s
    others_s = after.cpu.busy_s - before.cpu.busy_s - (after.own_s - before.own_s)
    others = _percent(others_s / total_s, f"{after.cpu.source}, less the time of this process")
    if before.cpu.steal_s is None or after.cpu.steal_s is None:
        steal = unavailable("%", _UNCOUNTED)
    else:
        steal = _percent((after.cpu.steal_s - before.cpu.steal_s) / total_s, after.cpu.source)
    return max(round(total_s / window_s), 1), others, steal


def _waiting(before: Counters, after: Counters, others: Figure, cores: int | None) -> Figure:
    """The longest time of one thread without a core, as far as others can have caused it.

    Threads of one process wait for each other too: on an idle machine, for up to 96 % of the time.
    For others they wait at most as long as those used a core.
    """
    if others.value is None or cores is None:
        return unavailable("%", others.reason)
    if before.waits_s is None or after.waits_s is None:
        return unavailable("%", _UNCOUNTED)
    longest_s = max(
        waited_s - before.waits_s.get(thread, 0.0) for thread, waited_s in after.waits_s.items()
    )
    share = min(longest_s / (after.at_s - before.at_s), cores * others.value / 100)
    return _percent(share, "schedstat of each thread, at most the time of other processes")


def _switches(before: Counters, after: Counters) -> Figure:
    if before.switches is None or after.switches is None:
        return unavailable("1/s", _UNCOUNTED)
    per_s = (after.switches - before.switches) / (after.at_s - before.at_s)
    return measured(per_s, "1/s", "getrusage")


def _throttled(before: Counters, after: Counters) -> Figure:
    """Of the control group that was throttled most."""
    if not after.quotas:
        return unavailable("%", "no control group of this process counts it")
    shares = [0.0]
    for group, (periods, throttled) in after.quotas.items():
        earlier_periods, earlier_throttled = before.quotas.get(group, (0, 0))
        if periods > earlier_periods:
            shares.append((throttled - earlier_throttled) / (periods - earlier_periods))
    return _percent(max(shares), "cpu.stat")


def _share(before: float | None, after: float | None, window_s: float, instrument: str) -> Figure:
    if before is None or after is None:
        return unavailable("%", _UNCOUNTED)
    return _percent((after - before) / window_s, instrument)


def _percent(share: float, instrument: str) -> Figure:
    """Rounding of ticks can make a small share negative."""
    return measured(100 * max(share, 0.0), "%", instrument)
