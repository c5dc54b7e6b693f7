"""Which cell of one run stands beside which of another, and what may be compared of them.

The first run given is the base. A cell of a later run stands beside the base's cell of the same
model, device and seed. Where the base did not run it on that device, it stands beside the first one
of the same model and seed that the base has: so a run on CUDA meets one on the CPU, and a run with
both devices gets a row for each.
"""

import dataclasses
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from worthit.bench.saved.record import CellRecord, Data, Figure, Run, unavailable
from worthit.datasets.errors import RunError
from worthit.reports.analysis.run_view import missing, test_scores
from worthit.reports.compare.differences import Scored


@dataclass(frozen=True)
class Side:
    """One of the runs that are compared."""

    letter: str  # for short: A is the base
    name: str
    run: Run


@dataclass(frozen=True)
class Pair:
    """A cell of a later run beside its counterpart in the base."""

    base_run: Run
    base: CellRecord
    side: Side
    later: CellRecord

    @property
    def one_device(self) -> bool:
        return self.base.device == self.later.device


@dataclass(frozen=True)
class Metric:
    """A figure of the record, by its path, as it is compared."""

    heading: str
    path: str
    better: Literal["lower", "higher"] = "lower"
    scale: float = 1.0
    latency_quantile: float | None = None  # which of the latency samples it is, if it is one
    #: whether the check for regressions looks at it, and what a difference must exceed to count:
    #: the limit, or where that is more the noise of the machines, or `worthit.reports.analysis.bounds.MEMORY_OFF`
    checked: Literal["no", "beyond noise", "beyond repeats"] = "no"


LATENCY_P50 = Metric("latency p50, ms", "latency.p50_ms", latency_quantile=0.5)

#: Tails and estimates are shown, not checked. Times and energy of one sample differ from the next by
#: the machine's noise; memory by how far it repeats, on a processor: on accelerators that has not been
#: measured, and is taken to be no better.
METRICS = (
    LATENCY_P50,
    Metric("latency p99, ms", "latency.p99_ms", latency_quantile=0.99),
    Metric("training, s", "training.train_s", checked="beyond noise"),
    Metric("throughput, comments/s", "throughput.best.comments_per_s", "higher",
           checked="beyond noise"),
    Metric("peak memory, MB", "memory.peak_mb", checked="beyond repeats"),
    Metric("accelerator memory, MB", "memory.accelerator_peak_mb", checked="beyond repeats"),
    Metric("CPU energy, mJ/comment", "energy.cpu_j_per_comment", scale=1e3,
           checked="beyond noise"),
    Metric("GPU energy, mJ/comment", "energy.gpu_j_per_comment", scale=1e3,
           checked="beyond noise"),
)  # fmt: skip


def pairs(sides: Sequence[Side]) -> list[Pair]:
    """Every cell of the later runs with its counterpart, in the base's order of models.

    Raises:
        RunError: no cell of any later run has one.
    """
    base, *later = sides
    found = [
        Pair(base.run, counterpart, side, cell)
        for side in later
        for cell in side.run.cells
        if (counterpart := _counterpart(base.run, cell)) is not None
    ]
    if not found:
        had = "; ".join(
            f"{side.name} has {', '.join(cell.name for cell in side.run.cells) or 'none'}"
            for side in sides
        )
        raise RunError(f"these runs have no model and seed in common: {had}")
    order = [cell.name for cell in base.run.cells]
    return sorted(found, key=lambda pair: order.index(pair.base.name))


def _counterpart(base: Run, cell: CellRecord) -> CellRecord | None:
    same = [other for other in base.cells if (other.model, other.seed) == (cell.model, cell.seed)]
    on_its_device = [other for other in same if other.device == cell.device]
    return next(iter(on_its_device or same), None)


def alone(sides: Sequence[Side], paired: Sequence[Pair]) -> Iterator[str]:
    """The cells that stand beside none, in words."""
    base, *later = sides
    for side in later:
        own = [pair for pair in paired if pair.side == side]
        met = {pair.base.name for pair in own}, {pair.later.name for pair in own}
        for holder, known, other in ((base, met[0], side), (side, met[1], base)):
            names = [cell.name for cell in holder.run.cells if cell.name not in known]
            if names:
                yield f"{', '.join(names)}: in {holder.letter}, not in {other.letter}"


def figure(cell: CellRecord, metric: Metric) -> Figure:
    """The metric's figure, unavailable with the reason where its part of the record is."""
    part_name, _, inside = metric.path.partition(".")
    part = getattr(cell, part_name)
    if part is None:
        return unavailable("", missing(cell, part_name))
    found: Figure = operator.attrgetter(inside)(part)
    if found.value is None:
        return found
    return dataclasses.replace(found, value=found.value * metric.scale)


def ratio(base: Figure, later: Figure) -> Figure:
    """Later / base: estimated or cached if either is, unavailable if either is.

    Energy that a counter measured over energy that a model estimated would compare instruments, so
    there is no ratio of the two.
    """
    for held in (base, later):
        if held.value is None:
            return unavailable("", held.reason)
    if not base.value or later.value is None:
        return unavailable("", "nothing is a multiple of 0")
    estimated = ["estimated" in (held.origin, held.was) for held in (base, later)]
    if any(estimated) != all(estimated):
        return unavailable(
            "", "one is measured and one estimated: their ratio would compare instruments"
        )
    cached = any(held.origin == "cached" for held in (base, later))
    was: Literal["estimated", "measured"] = "estimated" if any(estimated) else "measured"
    return Figure(
        later.value / base.value,
        "",
        "cached" if cached else was,
        "ratio",
        was=was if cached else None,
    )


def scored(pair: Pair) -> tuple[Scored, Scored, str] | None:
    """What both cells scored, and why it is not the same task; if it is, in the base's order.

    None where either was not scored.
    """
    if pair.base.quality is None or pair.later.quality is None:
        return None
    before, after = pair.base_run.data, pair.side.run.data
    reason = unpaired(before, after)
    place = {comment: row for row, comment in enumerate(after.test.ids)}
    rows = list(range(len(after.test.ids))) if reason else [place[own] for own in before.test.ids]
    return (
        Scored(test_scores(pair.base_run, pair.base.quality), np.asarray(before.test.labels)),
        Scored(
            test_scores(pair.side.run, pair.later.quality)[rows],
            np.asarray(after.test.labels)[rows],
        ),
        reason,
    )


def unpaired(before: Data, after: Data) -> str:
    """Why two runs do not test on the same comments for the same thing; empty if they do."""
    if before.classes != after.classes:
        return "other classes in each run, so not paired"
    labels = [dict(zip(data.test.ids, data.test.labels, strict=True)) for data in (before, after)]
    numbers = {len(ids) for ids in (*labels, before.test.ids, after.test.ids)}
    if len(numbers) > 1 or labels[0].keys() != labels[1].keys():
        return "other test comments in each run, so not paired"
    if labels[0] != labels[1]:
        return "other labels of the same test comments, so not paired"
    return ""
