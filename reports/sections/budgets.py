"""The section on a budget: which models stay within which limits, and by how much."""

from worthit.bench.saved.record import significant
from worthit.reports.analysis import budgets
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.budgets import Fit
from worthit.reports.analysis.run_view import first_seeds, name
from worthit.reports.sections.glossary import link
from worthit.reports.text.format import Footnotes, joined, written
from worthit.reports.text.tables import table


def section(analysis: Analysis) -> list[str]:
    """Each model against each limit; nothing without a budget."""
    if not analysis.options.limits:
        return []
    run, fits, notes = analysis.run, analysis.fits, Footnotes()
    body = [
        [
            name(run, cell),
            budgets.overall(fits[cell.name]),
            *(_entry(fit, notes) for fit in fits[cell.name]),
        ]
        for cell in first_seeds(run)
    ]
    limits = [
        f"{fit.key} {'≥' if fit.at_least else '≤'} {fit.limit:.10g}"
        for fit in fits[run.cells[0].name]
    ]
    headings = ["model", "in all", *limits]
    return [
        "## Budget",
        _conclusion(body),
        *table("Each model and limit", headings, body, notes, left=len(headings)),
    ]


def _conclusion(body: list[list[str]]) -> str:
    within, borderline = (
        [model for model, overall, *_ in body if overall == kind] for kind in ("fits", "borderline")
    )
    text = f"Within the whole budget: {joined(within or ['no model'])}."
    if borderline:
        text += f" {link('borderline', 'Borderline')}: {joined(borderline)}."
    return f"{text} In brackets: the part of the limit that is left, or the {link('borderline', 'bounds')}."


def _entry(fit: Fit, notes: Footnotes) -> str:
    if fit.figure.value is None:
        return notes.marked("unknown", fit.figure.figure.reason)
    if fit.figure.disturbed:
        return f"unknown, {written(fit.figure.figure, notes)}"
    if fit.figure.nothing:
        return "fits, none"
    figure = written(fit.figure.figure, notes)
    if fit.kind == "unknown":
        return notes.marked(f"unknown, {figure}", "an estimate never decides whether a limit holds")
    if fit.kind == "borderline":
        low, high = significant(fit.figure.low), significant(fit.figure.high)
        return f"borderline, {figure} ({low} to {high})"
    side = "left" if fit.margin >= 0 else "short" if fit.at_least else "over"
    return f"{fit.kind}, {figure} ({significant(abs(fit.margin) * 100)} % {side})"
