"""The columns of the results table. A new metric is one field of the record, and one line here."""

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass

from worthit.bench.saved.record import CellRecord, Figure, Run, unavailable
from worthit.reports.analysis import metrics
from worthit.reports.analysis.run_view import missing, name, test_scores
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, percent, percent_with_interval, written

Entry = Callable[[Run, CellRecord, Footnotes], str]


@dataclass(frozen=True)
class Column:
    """A heading, and how to write a cell's entry."""

    heading: str
    entry: Entry


def _figure(path: str, *, scale: float = 1.0) -> Entry:
    """The entry of one figure of the record, by its path: `latency.p50_ms`."""
    part_name, _, inside = path.partition(".")

    def entry(run: Run, cell: CellRecord, notes: Footnotes) -> str:
        part = getattr(cell, part_name)
        if part is None:
            return written(unavailable("", missing(cell, part_name)), notes)
        figure: Figure = operator.attrgetter(inside)(part)
        if figure.value is not None:
            figure = dataclasses.replace(figure, value=figure.value * scale)
        return written(figure, notes)

    return entry


def _accuracy(part: str, *, interval: bool) -> Entry:
    def entry(run: Run, cell: CellRecord, notes: Footnotes) -> str:
        if cell.quality is None:
            return f"n/a {notes.mark(missing(cell, 'quality'))}"
        if part == "train" and cell.training is not None and cell.training.train_s.value is None:
            return f"n/a {notes.mark(cell.training.train_s.reason)}"
        labels = getattr(run.data, part).labels
        scores = class_names.probabilities(run.data, getattr(cell.quality, part))
        found = metrics.accuracy(scores, labels)
        if found is None:
            return "n/a"
        return percent_with_interval(found) if interval else percent(found.value)

    return entry


def _auc(run: Run, cell: CellRecord, notes: Footnotes) -> str:
    if cell.quality is None:
        return f"n/a {notes.mark(missing(cell, 'quality'))}"
    found = metrics.roc_auc(test_scores(run, cell.quality), run.data.test.labels)
    return "n/a" if found is None else f"{found:.3f}"


_test_accuracy = _accuracy("test", interval=False)
_train_s = _figure("training.train_s")
_p50 = _figure("latency.p50_ms")
_p99 = _figure("latency.p99_ms")
_rate = _figure("throughput.best.comments_per_s")
_peak = _figure("memory.peak_mb")
_cpu_energy_mj = _figure("energy.cpu_j_per_comment", scale=1e3)
_gpu_energy_mj = _figure("energy.gpu_j_per_comment", scale=1e3)

#: the results table of reports and of the README
RESULTS = (
    Column("model", name),
    Column("train acc", _accuracy("train", interval=False)),
    Column("test acc (95 % interval)", _accuracy("test", interval=True)),
    Column("ROC AUC", _auc),
    Column("training, s", _train_s),
    Column("latency p50, ms", _p50),
    Column("latency p99, ms", _p99),
    Column("throughput, comments/s", _rate),
    Column("peak memory, MB", _peak),
    Column("CPU energy, mJ/comment", _cpu_energy_mj),
    Column("GPU energy, mJ/comment", _gpu_energy_mj),
)

#: as much of it as 80 columns hold
BRIEF = (
    Column("model", name),
    Column("test", _test_accuracy),
    Column("AUC", _auc),
    Column("train s", _train_s),
    Column("p50 ms", _p50),
    Column("per s", _rate),
    Column("MB", _peak),
    Column("mJ", _cpu_energy_mj),
)


def rows(columns: tuple[Column, ...], run: Run, notes: Footnotes) -> list[list[str]]:
    """One row a cell, in the order in which they ran."""
    return [[column.entry(run, cell, notes) for column in columns] for cell in run.cells]
