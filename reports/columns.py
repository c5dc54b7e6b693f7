"""The columns of the results table. A new metric is one field of the record, and one line here."""

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass

from worthit.bench.record import CellRecord, Figure, Quality, Run, significant, unavailable
from worthit.reports import classes, quality


class Footnotes:
    """Reasons that stand below a table, numbered as they come up, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        return f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]"

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for text, number in self._numbers.items()]


Entry = Callable[[Run, CellRecord, Footnotes], str]


@dataclass(frozen=True)
class Column:
    """A heading, and how to write a cell's entry."""

    heading: str
    entry: Entry


def written(figure: Figure, notes: Footnotes, number: Callable[[float], str] = significant) -> str:
    """A figure as a table shows it, its value written by `number`.

    Measured plain; estimated behind ≈ and in italics; cached with a mark, estimates too; missing as
    n/a with its reason below.
    """
    if figure.value is None:
        return f"n/a {notes.mark(figure.reason)}"
    text = number(figure.value)
    if "estimated" in (figure.origin, figure.was):
        text = f"*≈{text}*"
    return f"{text} (cached)" if figure.origin == "cached" else text


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


def missing(cell: CellRecord, name: str) -> str:
    """Why a part of the record is not there."""
    if cell.skipped:
        return f"{cell.name} was skipped: {cell.skipped}"
    reasons = [reason for reason in cell.failures if reason.startswith((f"{name}:", "training:"))]
    if reasons:
        return f"{cell.name}: {reasons[0]}"
    return "not measured in this run"


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def percent_with_interval(share: quality.Share | None) -> str:
    if share is None:
        return "n/a"
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"


def _accuracy(part: str, *, interval: bool) -> Entry:
    def entry(run: Run, cell: CellRecord, notes: Footnotes) -> str:
        if cell.quality is None:
            return f"n/a {notes.mark(missing(cell, 'quality'))}"
        if part == "train" and cell.training is not None and cell.training.train_s.value is None:
            return f"n/a {notes.mark(cell.training.train_s.reason)}"
        labels = getattr(run.data, part).labels
        scores = classes.probabilities(run.data, getattr(cell.quality, part))
        found = quality.accuracy(scores, labels)
        if found is None:
            return "n/a"
        return percent_with_interval(found) if interval else percent(found.value)

    return entry


def _auc(run: Run, cell: CellRecord, notes: Footnotes) -> str:
    if cell.quality is None:
        return f"n/a {notes.mark(missing(cell, 'quality'))}"
    found = quality.roc_auc(test_scores(run, cell.quality), run.data.test.labels)
    return "n/a" if found is None else f"{found:.3f}"


def name(run: Run, cell: CellRecord, notes: Footnotes | None = None) -> str:
    """The cell's name, without the device where all cells share one."""
    devices = {other.device for other in run.cells}
    shared = f"{cell.model}-{cell.device}"
    return cell.name if len(devices) > 1 else cell.model + cell.name.removeprefix(shared)


def test_scores(run: Run, scored: Quality) -> classes.Probabilities:
    """The probabilities of the test comments."""
    return classes.probabilities(run.data, scored.test)


def test_accuracy(run: Run, cell: CellRecord) -> quality.Share | None:
    """Of a cell on the test set; None where it has no scores."""
    if cell.quality is None:
        return None
    return quality.accuracy(test_scores(run, cell.quality), run.data.test.labels)


def by_model(run: Run) -> dict[str, list[CellRecord]]:
    """The cells that have quality, those that differ by nothing but the seed under one name."""
    models: dict[str, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.quality is not None:
            models.setdefault(name(run, dataclasses.replace(cell, seed=0)), []).append(cell)
    return models


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
