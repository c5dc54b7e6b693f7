"""Reports of saved runs, and the tables in them."""

from collections.abc import Mapping

from worthit.bench.saved import record
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.sections import report
from worthit.reports.verdict import rules


def render(run: record.Run, pictures: Mapping[str, str] | None = None) -> str:
    """The whole report of a run."""
    analysis = Analysis.of(run)
    return report.render(analysis, rules.decide(analysis), pictures or {})


def brief(run: record.Run) -> str:
    """The report of a run for the terminal."""
    analysis = Analysis.of(run)
    return report.brief(analysis, rules.decide(analysis))


def section(run: record.Run, heading: str) -> str:
    """One section of the report, without its heading."""
    return render(run).split(f"\n## {heading}\n\n")[1].split("\n\n## ")[0]


def row(text: str, begins: str) -> list[str]:
    """The entries of the only table row that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} ")]
    return [entry.strip() for entry in line.split("|")[1:-1]]


def entries(text: str, heading: str) -> list[list[str]]:
    """The body of the first table with this heading."""
    table = next(part for part in text.split("\n\n") if part.startswith("|") and heading in part)
    return [[entry.strip() for entry in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
