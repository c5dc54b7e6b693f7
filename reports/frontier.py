"""Which models are worth each of their costs: the Pareto frontier of accuracy, one cost at a time.

Nothing is claimed that the run does not support. One model is cheaper than another if the bounds
of their costs (`worthit.reports.bounds`) do not overlap, and better if a paired test on the same
comments tells their accuracies apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from worthit.bench.record import CellRecord, Run
from worthit.reports import bounds, prices, quality
from worthit.reports.bounds import Bounded
from worthit.reports.columns import Footnotes, missing, name, percent
from worthit.reports.tables import listed, tabulated

Differ = Callable[[str, str], bool]  # of two cells' names: whether their accuracies differ

Kind = Literal[
    "frontier",  # each cheaper one is worse
    "dominated",  # one is cheaper and better
    "same accuracy",  # one is cheaper, and accuracies cannot be told apart
    "same cost",  # one is better, and costs cannot be told apart
    "guessing",  # not shown to beat always answering what most comments are
    "not ranked",  # the cost is known, but for some only as an estimate
    "unknown",  # cost or accuracy is unavailable
]


@dataclass(frozen=True)
class Cost:
    heading: str
    axis: str
    of: Callable[[Run, CellRecord], Bounded]


@dataclass(frozen=True)
class Point:
    """A cell at one cost."""

    cell: str  # its name in the record
    label: str  # and in reports
    cost: Bounded
    accuracy: quality.Share | None
    kind: Kind
    by: str = ""  # the label of the one that is cheaper or better
    reason: str = ""  # why its standing is unknown


@dataclass(frozen=True)
class Frontier:
    cost: Cost
    points: tuple[Point, ...]  # in the order of the run's cells

    @property
    def ranked(self) -> bool:
        return all(point.kind != "not ranked" for point in self.points)


_COSTS = (
    Cost("training", "training, s", bounds.training_s),
    Cost("latency p50", "latency p50, ms", bounds.latency_p50_ms),
    Cost("throughput", "compute at best batch size, ms/comment", bounds.compute_ms),
    Cost("peak memory", "peak memory, MB", bounds.peak_mb),
    Cost("energy", "energy of CPU and GPU, J/comment", bounds.energy_j),
)
_MONEY = Cost("price", "price of a million comments", prices.scoring)


def frontiers(run: Run, differ: Differ) -> tuple[Frontier, ...]:
    """One for each cost; that of money only where the run was told prices."""
    costs = (*_COSTS, _MONEY) if prices.prices(run).own else _COSTS
    return tuple(_frontier(run, cost, differ) for cost in costs)


@dataclass(frozen=True)
class _Rival:
    cell: CellRecord
    cost: Bounded
    accuracy: quality.Share


def _frontier(run: Run, cost: Cost, differ: Differ) -> Frontier:
    costs = {cell.name: cost.of(run, cell) for cell in run.cells}
    shares = {cell.name: _accuracy(run, cell) for cell in run.cells}
    rivals = [
        _Rival(cell, costs[cell.name], share)
        for cell in run.cells
        if (share := shares[cell.name]) is not None and costs[cell.name].value is not None
    ]
    ranked = all(rival.cost.measured_part for rival in rivals)
    points = []
    for cell in run.cells:
        mine = next((rival for rival in rivals if rival.cell is cell), None)
        kind: Kind = "unknown"
        by, reason = "", ""
        if mine is None:
            reason = costs[cell.name].figure.reason or missing(cell, "quality")
        elif not ranked:
            kind = "not ranked"
        else:
            kind, found = _standing(mine, rivals, differ, _guessing(run))
            by = name(run, found.cell) if found else ""
        points.append(
            Point(cell.name, name(run, cell), costs[cell.name], shares[cell.name], kind, by, reason)
        )
    return Frontier(cost, tuple(points))


def _standing(
    mine: _Rival, rivals: Sequence[_Rival], differ: Differ, guessing: float
) -> tuple[Kind, _Rival | None]:
    """Where one stands among all, and who is to blame: the cheapest that is."""
    if mine.accuracy.low <= guessing:
        return "guessing", None
    others = sorted(
        (rival for rival in rivals if rival is not mine),
        key=lambda rival: rival.cost.figure.value or 0,
    )
    cheaper = [rival for rival in others if rival.cost.below(mine.cost)]
    better = [
        rival
        for rival in others
        if rival.accuracy.value > mine.accuracy.value and differ(rival.cell.name, mine.cell.name)
    ]
    alike = [rival for rival in others if not differ(rival.cell.name, mine.cell.name)]
    for rival in cheaper:
        if rival in better:
            return "dominated", rival
    for rival in cheaper:
        if rival in alike:
            return "same accuracy", rival
    for rival in better:
        if not mine.cost.below(rival.cost):
            return "same cost", rival
    return "frontier", None


def _accuracy(run: Run, cell: CellRecord) -> quality.Share | None:
    if cell.quality is None:
        return None
    return quality.accuracy(cell.quality.test, run.data.test.labels)


def _guessing(run: Run) -> float:
    """The accuracy of always answering what most test comments are, at no cost at all."""
    toxic = sum(run.data.test.labels) / max(len(run.data.test.labels), 1)
    return max(toxic, 1 - toxic)


def section(run: Run, differ: Differ) -> list[str]:
    """A table of standings and how to read it; one line where there is nothing to compare."""
    found = frontiers(run, differ)
    if len([cell for cell in run.cells if cell.quality is not None]) < 2:
        return ["With fewer than two models measured there is nothing to compare."]
    notes = Footnotes()
    body = [
        [points[0].label, *(_entry(point, notes) for point in points)]
        for points in zip(*(frontier.points for frontier in found), strict=True)
    ]
    table = tabulated(["model", *(frontier.cost.heading for frontier in found)], body)
    return [_about(run, found), table, *listed(notes.lines())]


def _entry(point: Point, notes: Footnotes) -> str:
    texts: dict[Kind, str] = {
        "frontier": "**frontier**",
        "dominated": f"dominated by {point.by}",
        "same accuracy": f"≈ cheaper {point.by}",
        "same cost": f"costs as better {point.by}",
        "guessing": "≈ guessing",
    }
    if point.kind == "not ranked":
        return f"not ranked {notes.mark('estimates alone rank nobody')}"
    return texts.get(point.kind) or f"n/a {notes.mark(point.reason)}"


def _about(run: Run, found: Sequence[Frontier]) -> str:
    kinds = {point.kind for frontier in found for point in frontier.points}
    texts: dict[Kind, str] = {
        "frontier": "**frontier**: every cheaper model is less accurate",
        "dominated": "dominated by X: X is cheaper and more accurate",
        "same accuracy": "≈ cheaper X: X is cheaper, and this run cannot tell their accuracies apart",
        "same cost": "costs as better X: the costs cannot be told apart, and X is more accurate",
        "guessing": "≈ guessing: not shown to beat always answering what most comments are, which "
        f"is right for {percent(_guessing(run))} and costs nothing",
    }
    noise = bounds.noise(run) * 100
    within = f"more than the machine's noise, {noise:.3g} %" if noise else (
        "any difference, as this machine's noise was not measured"
    )  # fmt: skip
    estimates = (
        " Costs that are estimates in part are taken to be known to ±40 % of that part."
        if any(
            point.cost.estimated
            for frontier in found
            if frontier.ranked
            for point in frontier.points
        )
        else ""
    )
    return (
        f"Accuracy against one cost at a time. {'; '.join(texts[kind] for kind in texts if kind in kinds)}. "
        "More or less accurate is said only where a paired test on the same comments supports it. "
        "Cheaper is, for a median latency, beyond both 95 % intervals where they were taken; for other times, "
        f"rates and energy, {within}; for memory, any difference.{estimates}"
    )
