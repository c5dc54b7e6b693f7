"""Which models are worth each of their costs: the Pareto frontier of accuracy, one cost at a time.

Nothing is claimed that the run does not support. One model is cheaper than another if the bounds
of their costs (`worthit.reports.analysis.bounds`) do not overlap, and better if a paired test on the same
comments tells their accuracies apart. Of several seeds the first is tested, and stands for all of
its model; each has costs of its own, and none is a rival of another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from worthit.bench.saved.record import CellRecord, Run
from worthit.reports.analysis import bounds, cascade_costs, metrics, prices
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.cascade import Cascade, Tested
from worthit.reports.analysis.run_view import by_model, missing, name, test_accuracy
from worthit.reports.text.format import Footnotes, percent
from worthit.reports.text.tables import listed, tabulated

_ESTIMATES = "estimated from rated power and load; estimates alone rank nobody"

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
    of_cascade: Callable[[Run, Cascade], Bounded]


@dataclass(frozen=True)
class Point:
    """A cell at one cost."""

    cell: str  # its name in the record
    label: str  # and in reports
    cost: Bounded
    accuracy: metrics.Share | None
    tested: str  # the name of its model's first cell, of which the paired tests are
    tested_accuracy: float
    beats_guessing: bool  # shown to, whatever the cost
    kind: Kind
    by: str = ""  # the label of the one that is cheaper or better
    reason: str = ""  # why its standing is unknown


@dataclass(frozen=True)
class CascadePoint:
    """A cascade at one cost, held against its own two models, which it was tested with."""

    label: str
    dear: str  # the label of its dear model
    cost: Bounded
    accuracy: metrics.Share
    standing: str
    pays: bool  # whether it may stand in for the dear model, and surely costs less


@dataclass(frozen=True)
class Frontier:
    cost: Cost
    points: tuple[Point, ...]  # in the order of the run's cells
    cascades: tuple[CascadePoint, ...] = ()

    @property
    def ranked(self) -> bool:
        return all(point.kind != "not ranked" for point in self.points)


def _energy_mj(run: Run, cell: CellRecord) -> Bounded:
    return bounds.energy_j(run, cell).times(1e3, "mJ")


_COSTS = (
    Cost("training", "training, s", bounds.training_s, cascade_costs.training_s),
    Cost("latency p50", "latency p50, ms", bounds.latency_p50_ms, cascade_costs.latency_p50_ms),
    Cost(
        "throughput",
        "compute of a batch, ms/comment",
        bounds.compute_ms,
        cascade_costs.by_comment(bounds.compute_ms),
    ),
    Cost("peak memory", "peak memory, MB", bounds.peak_mb, cascade_costs.peak_mb),
    Cost("energy", "energy, mJ/comment", _energy_mj, cascade_costs.by_comment(_energy_mj)),
)
_MONEY = Cost(
    "price",
    "price of scoring a million",
    prices.scoring,
    cascade_costs.by_comment(prices.scoring),
)


def frontiers(run: Run, differ: Differ, cascades: Sequence[Tested] = ()) -> tuple[Frontier, ...]:
    """One for each cost; that of money only where the run was told prices.

    Args:
        cascades: of `worthit.reports.analysis.cascade.chosen`.
    """
    costs = (*_COSTS, _MONEY) if prices.prices(run).own else _COSTS
    return tuple(_frontier(run, cost, differ, cascades) for cost in costs)


def _frontier(run: Run, cost: Cost, differ: Differ, cascades: Sequence[Tested]) -> Frontier:
    points = [_point(run, cell, cost) for cell in run.cells]
    known = [point for point in points if point.accuracy and point.cost.value is not None]
    ranked = all(point.cost.measured_part for point in known)
    judged = {
        point.cell: _judged(point, known, differ) if ranked else replace(point, kind="not ranked")
        for point in known
    }
    return Frontier(
        cost,
        tuple(judged.get(point.cell, point) for point in points),
        tuple(_cascade(run, tested, cost) for tested in cascades),
    )


def _cascade(run: Run, tested: Tested, cost: Cost) -> CascadePoint:
    cascade = tested.cascade
    cheap, dear = name(run, cascade.cheap), name(run, cascade.dear)
    found, alone = cost.of_cascade(run, cascade), cost.of(run, cascade.dear)
    pays = tested.replaces and found.below(alone) and found.measured_part
    if tested.loses:
        standing = f"less accurate than {dear}"
    elif not tested.replaces:
        standing = f"≈ cheaper {cheap}"
    elif pays:
        standing = f"**in place of {dear}**"
    else:
        standing = f"dearer than {dear}" if alone.below(found) else f"costs as {dear}"
    return CascadePoint(f"{cheap} → {dear}", dear, found, cascade.accuracy, standing, pays)


def _point(run: Run, cell: CellRecord, cost: Cost) -> Point:
    """Not judged yet."""
    found = cost.of(run, cell)
    share = test_accuracy(run, cell)
    reason = found.figure.reason or ("" if share else missing(cell, "quality"))
    beats = share is not None and share.low > metrics.guessing(run.data.test.labels)
    first = next((cells[0] for cells in by_model(run).values() if cell in cells), cell)
    tested = test_accuracy(run, first)
    lead = tested.value if tested else 0.0
    return Point(
        cell.name, name(run, cell), found, share, first.name, lead, beats, "unknown", reason=reason
    )  # fmt: skip


def _judged(point: Point, known: Sequence[Point], differ: Differ) -> Point:
    """With its standing among all, and whom it owes it to: the cheapest who would do."""
    if not point.beats_guessing:
        return replace(point, kind="guessing")
    others = sorted(
        (other for other in known if other.tested != point.tested),
        key=lambda other: other.cost.figure.value or 0.0,
    )
    cheaper = [other for other in others if other.cost.below(point.cost)]
    apart = [other for other in others if differ(other.tested, point.tested)]
    better = [other for other in apart if other.tested_accuracy > point.tested_accuracy]
    not_dearer = [other for other in others if not point.cost.below(other.cost)]
    reasons: tuple[tuple[Kind, list[Point]], ...] = (
        ("dominated", [other for other in cheaper if other in better]),
        ("same accuracy", [other for other in cheaper if other not in apart]),
        ("same cost", [other for other in not_dearer if other in better]),
    )
    for kind, owed_to in reasons:
        if owed_to:
            return replace(point, kind=kind, by=owed_to[0].label)
    return replace(point, kind="frontier")


def section(run: Run, differ: Differ, cascades: Sequence[Tested] = ()) -> list[str]:
    """A table of standings and how to read it; one line where there is nothing to compare.

    Args:
        cascades: of `worthit.reports.analysis.cascade.chosen`.
    """
    found = frontiers(run, differ, cascades)
    if len([cell for cell in run.cells if cell.quality is not None]) < 2:
        return ["With fewer than two models measured there is nothing to compare."]
    notes = Footnotes()
    body = [
        [points[0].label, *(_entry(point, notes) for point in points)]
        for points in zip(*(frontier.points for frontier in found), strict=True)
    ]
    body += [
        [relays[0].label, *(_cascade_entry(relay, notes) for relay in relays)]
        for relays in zip(*(frontier.cascades for frontier in found), strict=True)
    ]
    headings = ["model", *(frontier.cost.heading for frontier in found)]
    table = tabulated(headings, body, left=len(headings))
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
        return f"not ranked {notes.mark(_ESTIMATES)}"
    return texts.get(point.kind) or f"n/a {notes.mark(point.reason)}"


def _cascade_entry(point: CascadePoint, notes: Footnotes) -> str:
    if point.cost.value is None:
        return f"n/a {notes.mark(point.cost.figure.reason)}"
    return point.standing if point.cost.measured_part else f"not ranked {notes.mark(_ESTIMATES)}"


def _about(run: Run, found: Sequence[Frontier]) -> str:
    kinds = {point.kind for frontier in found for point in frontier.points}
    texts: dict[Kind, str] = {
        "frontier": "**frontier**: every cheaper model is less accurate",
        "dominated": "dominated by X: X is cheaper and more accurate",
        "same accuracy": "≈ cheaper X: X is cheaper, and this run cannot tell their accuracies apart",
        "same cost": "costs as better X: the costs cannot be told apart, and X is more accurate",
        "guessing": "≈ guessing: not shown to beat always answering what most comments are, which "
        f"is right for {percent(metrics.guessing(run.data.test.labels))} and costs nothing",
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
    seeds = (
        " Of several seeds the first is tested, for all of its model."
        if any(len(cells) > 1 for cells in by_model(run).values())
        else ""
    )
    cascades = (
        " A cascade (X → Y, see below) is held against its own two models only: **in place of Y** "
        "costs less than Y and is not shown to be less accurate."
        if found[0].cascades
        else ""
    )
    return (
        f"Accuracy against one cost at a time. {'; '.join(texts[kind] for kind in texts if kind in kinds)}. "
        "More or less accurate is said only where a paired test on the same comments supports it. "
        "Cheaper is, for a median latency, beyond both 95 % intervals where they were taken; for other times, "
        f"rates and energy, {within}; for memory, more than the {100 * bounds.MEMORY_OFF:g} % within which it "
        f"repeats.{estimates}{seeds}{cascades}"
    )
