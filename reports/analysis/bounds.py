"""Figures of a cell with the bounds between which they are known, so that claims respect them.

- A median latency has its 95 % interval and a p99 its two bounds, over comments and the time of the
  measurement (`worthit.bench.instruments.quantiles`), widened by the noise of the machine.
- Accuracy has its 95 % interval over the test comments.
- Other times, rates and measured energy are known up to the noise of the machine, if it was measured.
- Peak memory is known up to `MEMORY_OFF`. Sizes on disk are exact.
- Estimates may be 40 % off.
- The energy of a training that is too short to meter follows from its time and the power of scoring.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from worthit.bench.instruments import quantiles
from worthit.bench.saved.record import NOT_TUNED, CellRecord, Figure, Origin, Run, unavailable
from worthit.reports.analysis import run_view
from worthit.reports.analysis.run_view import missing

ESTIMATES_OFF = 0.4
#: the ratio less 1 by which two readings of one memory peak may differ: identical runs differed by
#: up to 13 %
MEMORY_OFF = 0.15


@dataclass(frozen=True)
class Bounded:
    """A figure between `low` and `high`, both NaN when it is unavailable."""

    figure: Figure
    low: float
    high: float
    measured_part: bool = True  # False if it consists of estimates only
    nothing: bool = False  # a true zero: there is no such cost

    @property
    def value(self) -> float | None:
        return self.figure.value

    @property
    def estimated(self) -> bool:
        return "estimated" in (self.figure.origin, self.figure.was)

    def below(self, other: "Bounded") -> bool:
        """True if it is less whatever the true values are; False if one is unavailable."""
        return self.high < other.low

    def times(self, factor: float, unit: str) -> "Bounded":
        """The figure times a factor of 0 or more."""
        value = None if self.figure.value is None else self.figure.value * factor
        figure = replace(self.figure, value=value, unit=unit)
        return replace(self, figure=figure, low=self.low * factor, high=self.high * factor)


def absent(unit: str, reason: str) -> Bounded:
    return Bounded(unavailable(unit, reason), math.nan, math.nan, False)


def nothing(unit: str) -> Bounded:
    """A cost that does not exist, such as the training of a model that is not trained."""
    return Bounded(Figure(0.0, unit, "measured", "by nature", 0), 0.0, 0.0, nothing=True)


def within(figure: Figure, noise: float = 0.0) -> Bounded:
    """A figure with the bounds that its origin implies.

    Args:
        noise: the ratio less 1 by which two readings of the same quantity may differ.
    """
    if figure.value is None:
        return absent(figure.unit, figure.reason)
    if "estimated" in (figure.origin, figure.was):
        low, high = figure.value * (1 - ESTIMATES_OFF), figure.value * (1 + ESTIMATES_OFF)
        return Bounded(figure, low, high, measured_part=False)
    root = math.sqrt(1 + noise)  # two readings differ from a ratio of 1 + noise on
    return Bounded(figure, figure.value / root, figure.value * root)


def total(parts: Sequence[Bounded], unit: str) -> Bounded:
    """The sum; estimated, cached or unavailable if a part is."""
    for part in parts:
        if part.value is None:
            return absent(unit, part.figure.reason)
    if all(part.nothing for part in parts):
        return nothing(unit)
    origins = {origin for part in parts for origin in (part.figure.origin, part.figure.was)}
    value = sum(part.value or 0.0 for part in parts)
    reason = next((part.figure.reason for part in parts if part.figure.reason), "")
    origin: Origin = "estimated" if "estimated" in origins else "measured"
    figure = Figure(value, unit, origin, "a sum", reason=reason)
    if "cached" in origins:
        figure = replace(figure, origin="cached", was=figure.origin)
    return Bounded(
        figure,
        sum(part.low for part in parts),
        sum(part.high for part in parts),
        "estimated" not in origins or any(part.measured_part and part.value for part in parts),
    )


def noise(run: Run) -> float:
    """The machine's noise as a ratio less 1; 0 if it was not measured."""
    return (run.noise.value or 0.0) / 100


def test_accuracy(run: Run, cell: CellRecord) -> Bounded:
    if cell.quality is None:
        return absent("", missing(cell, "quality"))
    share = run_view.accuracy(run, cell)
    if share is None:
        return absent("", "there are no test comments")
    figure = Figure(share.value, "", "measured", "test comments", share.comments)
    return Bounded(figure, share.low, share.high)


def training_s(run: Run, cell: CellRecord) -> Bounded:
    seconds = run_view.figure(cell, "training.train_s")
    return nothing("s") if seconds.reason == NOT_TUNED else within(seconds, noise(run))


def training_j(run: Run, cell: CellRecord) -> Bounded:
    """Energy of CPU and GPU, gross; an estimate if the training was too short to meter."""
    if run_view.figure(cell, "training.train_s").reason == NOT_TUNED:
        return nothing("J")
    metered = _cpu_and_gpu(run, cell, "training.cpu_j", "training.gpu_j")
    return metered if metered.value is not None else _training_j_by_power(run, cell, metered)


def _training_j_by_power(run: Run, cell: CellRecord, unmetered: Bounded) -> Bounded:
    """Training time at the power of scoring.

    Training may keep more cores busy than scoring, but hardly draws more than the cell with the
    highest power: the upper bound uses that one.
    """
    seconds, power = training_s(run, cell).figure, scoring_w(run, cell)
    if seconds.value is None or power.value is None:
        return unmetered
    same_device = [scoring_w(run, other) for other in run.cells if other.device == cell.device]
    most_w = max(other.value for other in same_device if other.value is not None)
    figure = Figure(
        power.value * seconds.value,
        "J",
        "estimated",
        f"training time at the power of scoring; {power.figure.instrument}",
        reason="the energy of this training was not metered; it is its time at the power of scoring",
    )
    if seconds.origin == "cached":
        figure = replace(figure, origin="cached", was="estimated")
    low = (1 - ESTIMATES_OFF) * power.value * seconds.value
    high = (1 + ESTIMATES_OFF) * most_w * seconds.value
    return Bounded(figure, low, high, power.measured_part)


def latency_p50_ms(run: Run, cell: CellRecord) -> Bounded:
    found = within(run_view.figure(cell, "latency.p50_ms"), noise(run))
    if cell.latency is None or cell.latency.p50_low_ms is None or cell.latency.p50_high_ms is None:
        return found
    return _also_between(found, cell.latency.p50_low_ms, cell.latency.p50_high_ms)


def latency_p99_ms(run: Run, cell: CellRecord) -> Bounded:
    """Between a lower and an upper confidence limit over comments and time, 95 % each."""
    found = within(run_view.figure(cell, "latency.p99_ms"), noise(run))
    if cell.latency is None or found.value is None:
        return found
    known = quantiles.bounds(cell.latency.samples_ms, cell.latency.comments, 99, 0.95)
    return found if known is None else _also_between(found, *known)


def _also_between(found: Bounded, low: float, high: float) -> Bounded:
    """Bounds that also hold for an independent cause: their logarithms add by their squares."""
    if found.value is None:
        return found
    below = math.hypot(math.log(found.value / found.low), math.log(found.value / low))
    above = math.hypot(math.log(found.high / found.value), math.log(high / found.value))
    return replace(found, low=found.value * math.exp(-below), high=found.value * math.exp(above))


def comments_per_s(run: Run, cell: CellRecord) -> Bounded:
    return within(run_view.figure(cell, "throughput.best.comments_per_s"), noise(run))


def compute_ms(run: Run, cell: CellRecord) -> Bounded:
    """Machine time per comment in batches: 1,000 / the best comments/s."""
    rate = comments_per_s(run, cell)
    if not rate.value:
        return absent("ms", rate.figure.reason or "no comment was scored in the time limit")
    figure = replace(rate.figure, value=1e3 / rate.value, unit="ms")
    return Bounded(figure, 1e3 / rate.high, 1e3 / rate.low, rate.measured_part)


def peak_mb(run: Run, cell: CellRecord) -> Bounded:
    return within(run_view.figure(cell, "memory.peak_mb"), MEMORY_OFF)


def energy_j(run: Run, cell: CellRecord) -> Bounded:
    """Energy per comment of CPU and GPU, gross."""
    return _cpu_and_gpu(run, cell, "energy.cpu_j_per_comment", "energy.gpu_j_per_comment")


def scoring_w(run: Run, cell: CellRecord) -> Bounded:
    """Mean power of CPU and GPU while scoring, gross."""
    joules = energy_j(run, cell)
    if cell.energy is None or joules.value is None:
        return absent("W", joules.figure.reason)
    return joules.times(cell.energy.comments / cell.energy.window_s, "W")


def _cpu_and_gpu(run: Run, cell: CellRecord, *paths: str) -> Bounded:
    """CPU plus GPU; the CPU alone for a CPU cell without a metered GPU."""
    cpu, gpu = (run_view.figure(cell, path) for path in paths)
    parts = [cpu] if cell.device == "cpu" and gpu.value is None else [cpu, gpu]
    return total([within(part, noise(run)) for part in parts], "J")
