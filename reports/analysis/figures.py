"""The table of figures: one row for each figure that reports show, limit, rank or compare.

A new figure is one field of the record and one row here. The results table, the brief table,
`compare`, `repeat`, budgets, the frontier and the detail tables read this table.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from worthit.bench.saved.record import CellRecord, Figure, Run, significant, unavailable
from worthit.reports.analysis import bounds, metrics, run_view
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.text.format import percent

#: figures with their bounds, by cell name and key
Values = Mapping[tuple[str, str], Bounded]

Read = Callable[[Run, CellRecord], Figure]
Bound = Callable[[Run, CellRecord], Bounded]


@dataclass(frozen=True)
class Limit:
    """A key of `--budget`."""

    key: str
    about: str
    most: float = math.inf  # largest value that makes sense
    scale: float = 1.0  # from the unit of the figure to that of the limit


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """One figure of a cell: where it is read from, and which tables show it.

    Attributes:
        key: unique name.
        read: the figure of a cell, in the unit of the headings.
        bounds: the same with the bounds between which it is known; None for the default of `read`.
        heading: in the results table and in `compare`; a comma separates the unit.
        number: how tables write its value.
        results: whether the results table has this column.
        interval: whether that column shows the bounds.
        brief: heading in the table for a terminal of 80 columns; empty if it is not there.
        repeat: heading in the table of repeated runs; empty if it is not there.
        detail: (section, heading) of the table that shows it in detail.
        better: which direction is better.
        limit: how `--budget` limits it; None if it cannot.
        frontier: (heading, axis) as a cost of the frontier; None if it is not ranked.
        cascade: how the figure of a cascade follows from those of its two models.
        compared: whether `compare` has a table of it.
        quantile: which quantile of single-comment latencies it is, if it is one.
        regression: what a difference must exceed to be checked for regressions: the limit, or where
            that is more the noise of the machines, or how far memory repeats (`bounds.MEMORY_OFF`).
    """

    key: str
    read: Read
    bounds: Bound | None = None
    heading: str = ""
    number: Callable[[float], str] = significant
    results: bool = False
    interval: bool = False
    brief: str = ""
    repeat: str = ""
    detail: tuple[str, str] | None = None
    better: Literal["lower", "higher"] = "lower"
    limit: Limit | None = None
    frontier: tuple[str, str] | None = None
    cascade: Literal["not measured", "sum", "per comment", "latency"] = "not measured"
    compared: bool = False
    quantile: float | None = None
    regression: Literal["not checked", "beyond noise", "beyond repeats"] = "not checked"

    def bounded(self, run: Run, cell: CellRecord) -> Bounded:
        return (
            bounds.within(self.read(run, cell)) if self.bounds is None else self.bounds(run, cell)
        )


def at(path: str, *, scale: float = 1.0) -> Read:
    """Reads a figure of the record by its path: `latency.p50_ms`."""
    part_name, _, inside = path.partition(".")

    def read(run: Run, cell: CellRecord) -> Figure:
        part = getattr(cell, part_name)
        if part is None:
            return unavailable("", run_view.missing(cell, part_name))
        figure: Figure = operator.attrgetter(inside)(part)
        return figure if figure.value is None else replace(figure, value=figure.value * scale)

    return read


def _value(bound: Bound) -> Read:
    return lambda run, cell: bound(run, cell).figure


def _train_accuracy(run: Run, cell: CellRecord) -> Figure:
    if cell.quality is None:
        return unavailable("", run_view.missing(cell, "quality"))
    if cell.training is not None and cell.training.train_s.value is None:
        return unavailable("", cell.training.train_s.reason)
    share = run_view.accuracy(run, cell, "train")
    if share is None:
        return unavailable("", "there are no training comments")
    return Figure(share.value, "", "measured", "training comments", share.comments)


def _roc_auc(run: Run, cell: CellRecord) -> Figure:
    if cell.quality is None:
        return unavailable("", run_view.missing(cell, "quality"))
    area = metrics.roc_auc(run_view.scores(run, cell), run.data.test.labels)
    if area is None:
        return unavailable("", metrics.ROC_AUC.undefined)
    return Figure(area, "", "measured", "test comments", len(run.data.test.labels))


def _energy_mj(run: Run, cell: CellRecord) -> Bounded:
    return bounds.energy_j(run, cell).times(1e3, "mJ")


FIGURES = (
    FigureSpec(
        key="train_accuracy",
        read=_train_accuracy,
        heading="train acc",
        number=percent,
        results=True,
        better="higher",
    ),
    FigureSpec(
        key="accuracy",
        read=_value(bounds.test_accuracy),
        bounds=bounds.test_accuracy,
        heading="test acc (95 % interval)",
        number=percent,
        results=True,
        interval=True,
        brief="test",
        better="higher",
        limit=Limit("accuracy", "test accuracy, from 0 to 1", most=1.0),
    ),
    FigureSpec(
        key="roc_auc",
        read=_roc_auc,
        heading="ROC AUC",
        number="{:.3f}".format,
        results=True,
        brief="AUC",
        better="higher",
    ),
    FigureSpec(
        key="training_s",
        read=at("training.train_s"),
        bounds=bounds.training_s,
        heading="training, s",
        results=True,
        brief="train s",
        repeat="train",
        limit=Limit("train_s", "training, s"),
        frontier=("training", "training, s"),
        cascade="sum",
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        key="cold_start_s", read=at("latency.cold_start_s"), detail=("latency", "cold start, s")
    ),
    FigureSpec(key="load_s", read=at("latency.load_s"), detail=("latency", "of it load, s")),
    FigureSpec(
        key="first_call_ms", read=at("latency.first_call_ms"), detail=("latency", "first call, ms")
    ),
    FigureSpec(
        key="latency_p50_ms",
        read=at("latency.p50_ms"),
        bounds=bounds.latency_p50_ms,
        heading="latency p50, ms",
        results=True,
        brief="p50 ms",
        repeat="p50",
        detail=("latency", "p50, ms"),
        limit=Limit("latency_p50_ms", "median latency of one comment, ms"),
        frontier=("latency p50", "latency p50, ms"),
        cascade="latency",
        compared=True,
        quantile=0.5,
    ),
    FigureSpec(key="latency_p90_ms", read=at("latency.p90_ms"), detail=("latency", "p90, ms")),
    FigureSpec(
        key="latency_p99_ms",
        read=at("latency.p99_ms"),
        bounds=bounds.latency_p99_ms,
        heading="latency p99, ms",
        results=True,
        repeat="p99",
        detail=("latency", "p99, ms"),
        limit=Limit("latency_ms", "p99 latency of one comment, ms"),
        compared=True,
        quantile=0.99,
    ),
    FigureSpec(
        key="comments_per_s",
        read=at("throughput.best.comments_per_s"),
        bounds=bounds.comments_per_s,
        heading="throughput, comments/s",
        results=True,
        brief="per s",
        repeat="rate",
        better="higher",
        limit=Limit("throughput_per_s", "comments/s at the best batch size"),
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        key="compute_ms",
        read=_value(bounds.compute_ms),
        bounds=bounds.compute_ms,
        frontier=("throughput", "compute of a batch, ms/comment"),
        cascade="per comment",
    ),
    FigureSpec(
        key="peak_mb",
        read=at("memory.peak_mb"),
        bounds=bounds.peak_mb,
        heading="peak memory, MB",
        results=True,
        brief="MB",
        repeat="memory",
        detail=("memory", "peak, MB"),
        limit=Limit("memory_mb", "peak memory, MB"),
        frontier=("peak memory", "peak memory, MB"),
        compared=True,
        regression="beyond repeats",
    ),
    FigureSpec(
        key="baseline_mb",
        read=at("memory.baseline_mb"),
        detail=("memory", "of it before the model"),
    ),
    FigureSpec(
        key="anonymous_mb", read=at("memory.anonymous_mb"), detail=("memory", "anonymous after")
    ),
    FigureSpec(
        key="file_backed_mb",
        read=at("memory.file_backed_mb"),
        detail=("memory", "file-backed after"),
    ),
    FigureSpec(
        key="accelerator_peak_mb",
        read=at("memory.accelerator_peak_mb"),
        heading="accelerator memory, MB",
        detail=("accelerator", "accelerator: tensors"),
        compared=True,
        regression="beyond repeats",
    ),
    FigureSpec(
        key="accelerator_reserved_mb",
        read=at("memory.accelerator_reserved_mb"),
        detail=("accelerator", "reserved"),
    ),
    FigureSpec(
        key="accelerator_used_mb",
        read=at("memory.accelerator_used_mb"),
        detail=("accelerator", "device in use"),
    ),
    FigureSpec(
        key="energy_mj",
        read=_value(_energy_mj),
        bounds=_energy_mj,
        limit=Limit("energy_j", "energy of CPU and GPU, J/comment", scale=1e-3),
        frontier=("energy", "energy, mJ/comment"),
        cascade="per comment",
    ),
    FigureSpec(
        key="cpu_energy_mj",
        read=at("energy.cpu_j_per_comment", scale=1e3),
        heading="CPU energy, mJ/comment",
        results=True,
        brief="mJ",
        repeat="CPU J",
        compared=True,
        regression="beyond noise",
    ),
    FigureSpec(
        key="gpu_energy_mj",
        read=at("energy.gpu_j_per_comment", scale=1e3),
        heading="GPU energy, mJ/comment",
        results=True,
        compared=True,
        regression="beyond noise",
    ),
    *(
        FigureSpec(key=path, read=at(f"energy.{path}"), detail=("energy", heading))
        for path, heading in {
            "cpu_j_per_comment": "CPU, J/comment",
            "cpu_net_j_per_comment": "CPU, net",
            "ram_j_per_comment": "RAM, J/comment",
            "ram_net_j_per_comment": "RAM, net",
            "gpu_j_per_comment": "GPU, J/comment",
            "gpu_net_j_per_comment": "GPU, net",
            "idle_before_w": "idle before, W",
            "idle_after_w": "idle after, W",
        }.items()
    ),
    *(
        FigureSpec(
            key=f"training_{path}", read=at(f"training.{path}"), detail=("training", heading)
        )
        for path, heading in {"cpu_j": "CPU, J", "ram_j": "RAM, J", "gpu_j": "GPU, J"}.items()
    ),
    FigureSpec(
        key="disk_mb",
        read=at("training.disk_mb"),
        bounds=bounds.disk_mb,
        limit=Limit("disk_mb", "trained model on disk, MB"),
    ),
)


def values(run: Run, specs: Iterable[FigureSpec]) -> Values:
    """The figures of all cells of a run, with their bounds."""
    return {(cell.name, spec.key): spec.bounded(run, cell) for spec in specs for cell in run.cells}


def by_limit() -> dict[str, FigureSpec]:
    """Key of `--budget` → the figure it limits."""
    return {spec.limit.key: spec for spec in FIGURES if spec.limit is not None}
