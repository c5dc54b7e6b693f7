"""The results table of reports and of the README, and a brief one for a terminal of 80 columns."""

from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.reports.analysis import figures, leads, task
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.figure_spec import FigureSpec
from worthit.reports.analysis.run_view import first_seeds, name
from worthit.reports.statistics import metrics
from worthit.reports.text import class_names
from worthit.reports.text.format import Footnotes, percent, shared_by, with_reason, written
from worthit.reports.text.tables import listed, tabulated

#: key of the table of figures → figure of several labels
_OF_LABELS = {"macro_f1": metrics.LABEL_F1, "micro_f1": metrics.MICRO_F1}


def table(analysis: Analysis) -> list[str]:
    """One row per model and device, in the order in which they ran, and the majority class; footnotes."""
    run, notes = analysis.run, Footnotes()
    columns = [spec for spec in figures.FIGURES if spec.results and spec.has_column(run)]
    body = [
        [name(run, cell), *(_entry(analysis, cell, spec, notes) for spec in columns)]
        for cell in first_seeds(run)
    ]
    if run.data.test.ids:
        known = {
            key: percent(leads.of_constant(run, measure))
            for key, measure in {"accuracy": task.of(run).correct, **_OF_LABELS}.items()
            if measure in task.of(run).decisions
        }
        body.append([class_names.constant(run), *(known.get(spec.key, "") for spec in columns)])
    headings = ["model", *(spec.headed(run) for spec in columns)]
    return [tabulated(headings, body), *listed(notes.lines())]


def brief_rows(run: Run, notes: Footnotes) -> tuple[list[str], list[list[str]]]:
    """Headings and body of as many figures as 80 columns hold."""
    columns = [spec for spec in figures.FIGURES if spec.brief and spec.has_column(run)]
    body = [
        [
            name(run, cell),
            *(_plain(written(spec.read(run, cell), notes, spec.number)) for spec in columns),
        ]
        for cell in first_seeds(run)
    ]
    return ["model", *(spec.brief for spec in columns)], body


def _entry(analysis: Analysis, cell: CellRecord, spec: FigureSpec, notes: Footnotes) -> str:
    bounded = analysis.values.get((cell.name, spec.key))
    if not spec.interval or bounded is None:
        text = written(spec.read(analysis.run, cell), notes, spec.number)
        if spec.key == "training_s" and cell.training is not None:
            return notes.marked(text, shared_by(cell.training.processes))
        return text
    text = written(bounded.figure, notes, spec.number)
    if bounded.value is None:
        return text
    return f"{text} ({spec.number(bounded.low)} to {spec.number(bounded.high)})"


def _plain(entry: str) -> str:
    return entry.replace("*", "").replace(" (cached)", " c").replace(" (disturbed)", " d")


def figure_table(run: Run, part: str, section: str | tuple[str, ...] = "") -> str:
    """The figures of one part of the record in detail, with the instruments they were read from.

    The instruments stand below the table if they are the same for all models, else in each row.

    Args:
        part: of a cell's record, such as `latency`.
        section: in `FigureSpec.detail`; that of the part by default.
    """
    sections = section or part
    specs = [
        spec
        for spec in figures.FIGURES
        if spec.detail and spec.detail[0] in sections and spec.has_column(run)
    ]
    notes = Footnotes()
    body: list[list[str]] = []
    instruments: list[dict[str, int]] = []  # instrument → the most samples behind a figure
    for cell in first_seeds(run):
        if getattr(cell, part) is not None:
            found = [spec.read(run, cell) for spec in specs]
            body.append([name(run, cell), *(with_reason(figure, notes) for figure in found)])
            instruments.append(_samples(found))
    headings = ["model", *(spec.detail[1] for spec in specs if spec.detail)]
    below = notes.lines()
    known = [row for row in instruments if row]
    if all(set(row) == set(known[0]) for row in known):
        shared = {what: [row[what] for row in known] for what in next(iter(known), ())}
        if shared:
            below.append(f"read from: {_described(shared)}")
    else:
        headings.append("read from")
        for row, of_row in zip(body, instruments, strict=True):
            row.append(_described({what: [most] for what, most in of_row.items()}))
    return "\n\n".join([tabulated(headings, body), *listed(below)])


def _samples(found: list[Figure]) -> dict[str, int]:
    most: dict[str, int] = {}
    for figure in found:
        if figure.instrument:
            most[figure.instrument] = max(figure.samples, most.get(figure.instrument, 0))
    return most


def _described(samples: dict[str, list[int]]) -> str:
    """Each instrument, with the number of samples behind its figures if there are several."""
    return "; ".join(f"{what}{_count(min(n), max(n))}" for what, n in samples.items())


def _count(least: int, most: int) -> str:
    if most < 2:
        return ""
    return f" (n = {most:,})" if least == most else f" (n = {least:,} to {most:,})"
