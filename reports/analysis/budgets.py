"""Who keeps within limits that were set: on time, memory, energy, size and accuracy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import CellRecord, Figure, Run, significant
from worthit.reports import options
from worthit.reports.analysis import bounds
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.run_view import missing, name, test_accuracy
from worthit.reports.text.format import Footnotes, written
from worthit.reports.text.tables import listed, tabulated

Verdict = Literal["fits", "borderline", "misses", "unknown"]
_WORST_FIRST: tuple[Verdict, ...] = ("misses", "unknown", "borderline", "fits")


@dataclass(frozen=True)
class Fit:
    """How one figure of one cell lies to its limit."""

    key: str
    limit: float
    found: Bounded
    verdict: Verdict
    margin: float  # share of the limit that is left, negative beyond it; NaN if unknown


def _accuracy(run: Run, cell: CellRecord) -> Bounded:
    if cell.quality is None:
        return bounds.absent("", missing(cell, "quality"))
    share = test_accuracy(run, cell)
    if share is None:
        return bounds.absent("", "there are no test comments")
    figure = Figure(share.value, "", "measured", "test comments", share.comments)
    return Bounded(figure, share.low, share.high)


#: key of `options.LIMITS` → the figure it limits
_FIGURES: dict[str, Callable[[Run, CellRecord], Bounded]] = {
    "latency_ms": bounds.latency_p99_ms,
    "latency_p50_ms": bounds.latency_p50_ms,
    "throughput_per_s": bounds.comments_per_s,
    "memory_mb": bounds.peak_mb,
    "energy_j": bounds.energy_j,
    "train_s": bounds.training_s,
    "disk_mb": bounds.disk_mb,
    "accuracy": _accuracy,
}


def fits(run: Run, cell: CellRecord) -> tuple[Fit, ...]:
    """Each limit of the run's budget, in the order given; none without a budget.

    Raises:
        OptionError: the run's budget makes no sense.
    """
    given = run.options.get(options.BUDGET.flag)
    limits = options.budget(given) if given else {}
    return tuple(_fit(key, limit, _FIGURES[key](run, cell)) for key, limit in limits.items())


def overall(found: tuple[Fit, ...]) -> Verdict:
    """Of all limits together: as good as the worst."""
    return next(verdict for verdict in _WORST_FIRST if any(fit.verdict == verdict for fit in found))


def _fit(key: str, limit: float, found: Bounded) -> Fit:
    if found.value is None:
        return Fit(key, limit, found, "unknown", math.nan)
    sign = -1 if key in options.AT_LEAST else 1  # so that less is better
    best, worst = sorted((sign * found.low, sign * found.high))
    verdict: Verdict = "borderline"
    if worst <= sign * limit:
        verdict = "fits"
    elif best > sign * limit:
        verdict = "misses"
    return Fit(key, limit, found, verdict, sign * (limit - found.value) / limit)


def section(run: Run) -> list[str]:
    """Who keeps within which limit, and by how much; nothing without a budget."""
    by_cell = {cell.name: fits(run, cell) for cell in run.cells}
    limits = next(iter(by_cell.values()), ())
    if not limits:
        return []
    notes = Footnotes()
    body = [
        [
            name(run, cell),
            overall(by_cell[cell.name]),
            *(_entry(fit, notes) for fit in by_cell[cell.name]),
        ]
        for cell in run.cells
    ]
    signs = {fit.key: "≥" if fit.key in options.AT_LEAST else "≤" for fit in limits}
    headings = [f"{fit.key} {signs[fit.key]} {fit.limit:g}" for fit in limits]
    return [
        "Who keeps within the budget, and by how much of each limit. Borderline: the limit lies within "
        "the bounds of the figure (95 % of latency and accuracy, the machine's noise for other times, "
        f"rates and measured energy, the {100 * bounds.MEMORY_OFF:g} % within which memory repeats, ±40 % "
        "for estimates). Unknown never counts as kept.",
        tabulated(["model", "in all", *headings], body, left=2 + len(headings)),
        *listed(notes.lines()),
    ]


def _entry(fit: Fit, notes: Footnotes) -> str:
    if fit.found.value is None:
        return f"unknown {notes.mark(fit.found.figure.reason)}"
    if fit.found.nothing:
        return "fits, none"
    figure = written(fit.found.figure, notes)
    if fit.verdict == "borderline":
        return (
            f"borderline, {figure} ({significant(fit.found.low)} to {significant(fit.found.high)})"
        )
    side = "left" if fit.margin >= 0 else "short" if fit.key in options.AT_LEAST else "over"
    return f"{fit.verdict}, {figure} ({significant(abs(fit.margin) * 100)} % {side})"
