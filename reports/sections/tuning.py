"""The section on the search for settings: what it cost, what it changed, and by how much."""

from collections.abc import Sequence

from worthit.bench.saved.record import CellRecord, Tuning
from worthit.reports.analysis.analysis import Analysis
from worthit.reports.analysis.run_view import name
from worthit.reports.text.format import Footnotes, joined, percent, points, written
from worthit.reports.text.tables import table

_WARNING = (
    "The score of the chosen settings is the best of several on the same comments, and so too high on "
    "average: only test figures compare models."
)


def section(analysis: Analysis) -> list[str]:
    """Seconds, trials, changes and validation scores of each model; nothing without a search."""
    run, notes = analysis.run, Footnotes()
    searches = [(cell, cell.tuning) for cell in run.cells if cell.tuning is not None]
    if not searches:
        return []
    body = [
        [
            name(run, cell),
            _changes(tuning),
            written(tuning.search_s, notes),
            f"{tuning.tried:,}",
            f"{tuning.trials:,}",
            f"{tuning.comments:,} of {_trained_on(cell)}" if tuning.comments else "",
            *_scores(tuning),
        ]
        for cell, tuning in searches
    ]
    headings = [
        "model", "change", "search, s", "settings tried", "trainings", "comments of the last",
        "given settings", "chosen settings",
    ]  # fmt: skip
    changed = sum(bool(tuning.chosen) for _, tuning in searches)
    budget_s = searches[0][1].budget_s
    return [
        "## Tuning",
        f"Each model had {budget_s:g} s for a search on {len(run.data.validation.ids):,} validation "
        f"comments (`--tune`), which changed the settings of {changed} of {len(searches)}. Most "
        "settings were tried on a part of the training comments; the last trainings decided: others replaced "
        f"the given ones only if log loss was lower and {_measure(searches)} was not. Later seeds "
        f"use the settings of the first. {_WARNING}{_decided_on_a_part(analysis, searches)}",
        *table("Settings and their validation scores", headings, body, notes, left=2),
    ]


def _decided_on_a_part(analysis: Analysis, searches: Sequence[tuple[CellRecord, Tuning]]) -> str:
    """The models whose settings are not shown to be better with all comments; empty if there are none."""
    models = [
        name(analysis.run, cell)
        for cell, tuning in searches
        if tuning.chosen and cell.training and tuning.comments < cell.training.comments
    ]
    if not models:
        return ""
    return (
        f" Too slow to be tried on all training comments: {joined(models)}; there the settings may be "
        "better or worse than those given."
    )


def _measure(searches: Sequence[tuple[CellRecord, Tuning]]) -> str:
    """The figure that must not fall; every search of a run has the same."""
    return next((tuning.measure for _, tuning in searches if tuning.measure), "the score below")


def _changes(tuning: Tuning) -> str:
    if not tuning.chosen:
        return f"none: {tuning.reason}"
    return ", ".join(
        f"{setting} {tuning.given[setting]} → {value}" for setting, value in tuning.chosen.items()
    )


def _trained_on(cell: CellRecord) -> str:
    return "all" if cell.training is None else f"{cell.training.comments:,}"


def _scores(tuning: Tuning) -> list[str]:
    """Validation scores before and after, the second with the difference."""
    if tuning.given_score is None or tuning.chosen_score is None:
        return ["", ""]
    before = f"{tuning.measure} {percent(tuning.given_score)}"
    if not tuning.chosen:
        return [before, "the same"]
    gain = points(tuning.chosen_score - tuning.given_score)
    return [before, f"{percent(tuning.chosen_score)} ({gain})"]
