"""What a row of the table of figures says: where a figure is read from, and which tables show it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

from worthit.bench.saved.record import CellRecord, Figure, Run, significant
from worthit.reports.analysis import bounds, run_view
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.text import class_names

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


@dataclass(frozen=True)
class FigureSpec:
    """One figure of a cell: where it is read from, and which tables show it."""

    key: str  # unique
    read: Read  # in the unit of the headings
    bounds: Bound | None = None  # between which it is known; None: those that its origin implies
    _: KW_ONLY
    heading: str = ""  # in the results, in `compare` and on the page; a comma separates the unit
    of_labels: str = ""  # the same for several labels, if it differs
    of_bounds: str = ""  # the same of `bounds`, if they include more; the page shows these
    number: Callable[[float], str] = significant  # how tables write the value
    results: bool = False  # whether the results table has this column
    optional: bool = False  # tables show it only if some cell has a value
    interval: bool = False  # whether that column shows the bounds
    brief: str = ""  # heading in the table for a terminal of 80 columns; empty: not there
    repeat: str = ""  # heading in the table of repeated runs; empty: not there
    detail: tuple[str, str] | None = None  # (section, heading) of the table that shows it in detail
    better: Literal["lower", "higher"] = "lower"
    limit: Limit | None = None  # of `--budget`
    frontier: tuple[str, str] | None = None  # (heading, axis) as a cost; None: not ranked
    #: how the figure of a cascade follows from those of its two models
    cascade: Literal["not measured", "sum", "per comment", "compute", "latency"] = "not measured"
    compared: bool = False  # whether `compare` has a table of it
    quantile: float | None = None  # of single-comment latencies, if it is one
    #: what a difference must exceed to be checked for regressions: the limit, or where that is more
    #: the noise of the machines, or how far memory repeats (`bounds.MEMORY_OFF`)
    regression: Literal["not checked", "beyond noise", "beyond repeats"] = "not checked"

    def headed(self, run: Run) -> str:
        """The heading in tables of this run."""
        return self.of_labels if self.of_labels and class_names.of_labels(run) else self.heading

    def has_column(self, run: Run) -> bool:
        """Whether tables of this run show the figure at all."""
        return not self.optional or any(
            self.read(run, cell).value is not None for cell in run.cells
        )

    def bounded(self, run: Run, cell: CellRecord) -> Bounded:
        return (self.bounds or within(self.read))(run, cell)


def within(read: Read) -> Bound:
    """Bounds that the figure's origin implies."""
    return lambda run, cell: bounds.within(read(run, cell))


def at(path: str, *, scale: float = 1.0) -> Read:
    """Reads a figure of the record by its path: `latency.p50_ms`."""

    def read(run: Run, cell: CellRecord) -> Figure:
        figure = run_view.figure(cell, path)
        return figure if figure.value is None else replace(figure, value=figure.value * scale)

    return read
