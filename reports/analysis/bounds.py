"""Figures of a cell with the bounds between which they are known, so that claims respect them.

- A median latency has its 95 % interval and a p99 its two bounds, over comments and the time of the
  measurement (`worthit.bench.instruments.quantiles`), widened by the noise of the machine.
- Accuracy has its 95 % interval over the test comments, and over the trainings if there are several.
- Other times, rates and measured energy are known up to the noise of the machine, if it was measured.
- Peak memory is known up to `MEMORY_OFF`. Sizes on disk are exact.
- How far an estimate is off is unknown: it has no upper bound, and nothing is ranked by it.
- A figure that other work on the machine disturbed has no bounds, so nothing is claimed of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from worthit.bench.instruments import quantiles
from worthit.bench.saved.record import NOT_TUNED, CellRecord, Figure, Origin, Run, unavailable
from worthit.reports.analysis import run_view
from worthit.reports.analysis.run_view import missing
from worthit.reports.statistics import metrics
from worthit.reports.statistics.trainings import Spread, one_comment

#: the ratio less 1 by which two readings of one memory peak may differ: identical runs differed by
#: up to 13 %
MEMORY_OFF = 0.15
#: core-seconds that an accelerator-second is taken to cost at least and at most, without prices. By
#: cloud prices of 2025, an NVIDIA T4 costs as much as 7 cores with 4 GB each, an H100 as 50 to 250.
CORES_PER_ACCELERATOR = (5.0, 500.0)


@dataclass(frozen=True)
class Bounded:
    """A figure between `low` and `high`, both NaN when it is unavailable."""

    figure: Figure
    low: float
    high: float
    nothing: bool = False  # a true zero: there is no such cost

    @property
    def value(self) -> float | None:
        return self.figure.value

    @property
    def estimated(self) -> bool:
        """True if a part of it is an estimate."""
        return "estimated" in (self.figure.origin, self.figure.was)

    @property
    def disturbed(self) -> bool:
        return bool(self.figure.disturbed)

    def below(self, other: "Bounded") -> bool:
        """True if it is less whatever the true values are; False if one is unavailable."""
        return self.high < other.low

    def times(self, factor: float, unit: str) -> "Bounded":
        """The figure times a factor of 0 or more."""
        value = None if self.figure.value is None else self.figure.value * factor
        figure = replace(self.figure, value=value, unit=unit)
        high = self.high * factor if factor else 0.0  # that of an estimate is infinite
        return replace(self, figure=figure, low=self.low * factor, high=high)


def absent(unit: str, reason: str) -> Bounded:
    return Bounded(unavailable(unit, reason), math.nan, math.nan)


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
    if figure.disturbed or "estimated" in (figure.origin, figure.was):
        return Bounded(figure, 0.0, math.inf)
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
    disturbed = next((part.figure.disturbed for part in parts if part.disturbed), "")
    figure = Figure(value, unit, origin, "a sum", reason=reason, disturbed=disturbed)
    if "cached" in origins:
        figure = replace(figure, origin="cached", was=figure.origin)
    return Bounded(
        figure,
        sum(part.low for part in parts),
        sum(part.high for part in parts),
    )


def per_correct(cost: Bounded, accuracy: Bounded) -> Bounded:
    """What one correct decision costs, from the cost of a decision and the share of correct ones."""
    if accuracy.value is None:
        return absent(cost.figure.unit, accuracy.figure.reason)
    if cost.value is None or cost.nothing:
        return cost
    if accuracy.value == 0:
        return absent(cost.figure.unit, "no test comment was classified correctly")
    high = cost.high / accuracy.low if accuracy.low else math.inf
    figure = replace(cost.figure, value=cost.value / accuracy.value)
    return Bounded(figure, cost.low / accuracy.high, high)


def noise(run: Run) -> float:
    """The machine's noise as a ratio less 1; 0 if it was not measured."""
    return (run.noise.value or 0.0) / 100


def test_accuracy(run: Run, cell: CellRecord) -> Bounded:
    """The mean over the model's trainings, with a Wilson interval that also covers them."""
    if cell.quality is None:
        return absent("", missing(cell, "quality"))
    trained = run_view.trainings(run, cell)
    shares = [share for one in trained if (share := run_view.accuracy(run, one)) is not None]
    if not shares:
        return absent("", "there are no test comments")
    values = [share.value for share in shares]
    mean, comments = sum(values) / len(values), shares[0].comments
    share = metrics.wilson(mean, comments)
    by = Spread.of(mean * (1 - mean) / comments + one_comment(comments), [values]).stretch
    low, high = max(mean - by * (mean - share.low), 0.0), min(mean + by * (share.high - mean), 1.0)
    figure = Figure(mean, "", "measured", "test comments", comments)
    return Bounded(run_view.scored(figure, cell), low, high)


def training_s(run: Run, cell: CellRecord) -> Bounded:
    seconds = run_view.figure(cell, "training.train_s")
    return nothing("s") if seconds.reason == NOT_TUNED else within(seconds, noise(run))


def training_core_s(run: Run, cell: CellRecord) -> Bounded:
    """CPU time of one training."""
    seconds = run_view.figure(cell, "training.cpu_s")
    return nothing("s") if seconds.reason == NOT_TUNED else within(seconds, noise(run))


def training_device_s(run: Run, cell: CellRecord) -> Bounded:
    """How long one training occupies accelerators, added up; nothing for a cell on the CPU."""
    if cell.device == "cpu":
        return nothing("s")
    processes = cell.training.processes if cell.training else 1
    return training_s(run, cell).times(processes, "s")


def training_j(run: Run, cell: CellRecord) -> Bounded:
    """Energy of CPU and GPU, gross."""
    if run_view.figure(cell, "training.train_s").reason == NOT_TUNED:
        return nothing("J")
    return _cpu_and_gpu(run, cell, "training.cpu_j", "training.gpu_j")


def latency_p50_ms(run: Run, cell: CellRecord) -> Bounded:
    found = within(run_view.figure(cell, "latency.p50_ms"), noise(run))
    if cell.latency is None or found.disturbed:
        return found
    low, high = cell.latency.p50_low_ms, cell.latency.p50_high_ms
    if low is None or high is None:
        return found
    return _also_between(found, low, high)


def latency_p99_ms(run: Run, cell: CellRecord) -> Bounded:
    """Between a lower and an upper confidence limit over comments and time, 95 % each."""
    found = within(run_view.figure(cell, "latency.p99_ms"), noise(run))
    if cell.latency is None or found.value is None or found.disturbed:
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
    """The rate of the whole machine; how far that of a server varies is unknown."""
    rate = run_view.figure(cell, "throughput.machine.comments_per_s")
    if cell.is_endpoint and rate.value is not None:
        return Bounded(rate, 0.0, math.inf)
    return within(rate, noise(run))


def machine_ms(run: Run, cell: CellRecord) -> Bounded:
    """How long a comment occupies the whole machine, in batches."""
    rate = comments_per_s(run, cell)
    if not rate.value:
        return absent("ms", rate.figure.reason or "no comment was scored in the time limit")
    figure = replace(rate.figure, value=1e3 / rate.value, unit="ms")
    high = 1e3 / rate.low if rate.low else math.inf
    return Bounded(figure, 1e3 / rate.high, high)


def core_ms(run: Run, cell: CellRecord) -> Bounded:
    """CPU time per comment, in batches."""
    return within(run_view.figure(cell, "throughput.machine.core_ms"), noise(run))


def device_ms(run: Run, cell: CellRecord) -> Bounded:
    """How long a comment occupies the accelerator, in batches; nothing for a cell on the CPU."""
    return nothing("ms") if cell.device == "cpu" else machine_ms(run, cell)


def compute_ms(run: Run, cell: CellRecord) -> Bounded:
    """CPU time per comment, with accelerator time at what it is worth in CPU time at least and at most."""
    core, device = core_ms(run, cell), device_ms(run, cell)
    if device.nothing:
        return core
    least, most = (
        total([core, device.times(cores, "core-ms")], "core-ms") for cores in CORES_PER_ACCELERATOR
    )
    if least.value is None or most.value is None:
        return least
    middle = math.sqrt(least.value * most.value)  # what is assumed is in the bounds
    return Bounded(replace(least.figure, value=middle), least.low, most.high)


def peak_mb(run: Run, cell: CellRecord) -> Bounded:
    return within(run_view.figure(cell, "memory.peak_mb"), MEMORY_OFF)


def energy_j(run: Run, cell: CellRecord) -> Bounded:
    """Energy per comment of CPU and GPU, gross."""
    return _cpu_and_gpu(run, cell, "energy.cpu_j_per_comment", "energy.gpu_j_per_comment")


def _cpu_and_gpu(run: Run, cell: CellRecord, *paths: str) -> Bounded:
    """CPU plus the GPU that the cell uses."""
    used = paths[:1] if cell.device == "cpu" else paths
    return total([within(run_view.figure(cell, path), noise(run)) for path in used], "J")
