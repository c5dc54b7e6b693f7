"""Which models are worth each of their costs: the Pareto frontier of accuracy, one cost at a time.

Of several labels it is that of the figure that decides (`task.ranking`).

A model is cheaper than another if the bounds of their costs (`bounds`) do not overlap, for compute by
the rules of `costs`. It is more accurate if a paired test on the same comments is significant. Of several
seeds, the first has the costs; accuracies are means over seeds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from worthit.bench.saved.record import CellRecord, Run, measured
from worthit.reports.analysis import bounds, costs, leads, task
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.cascade import AccuracyStanding, Cascade, CascadeTest
from worthit.reports.analysis.figure_spec import FigureSpec, Values
from worthit.reports.analysis.run_view import by_model, first_seeds, name
from worthit.reports.statistics import metrics

Differ = Callable[[str, str], bool]  # of two cell names: True if accuracies differ significantly

Standing = Literal[
    "frontier",  # every cheaper model is less accurate
    "dominated",  # another is cheaper and more accurate
    "same accuracy",  # another is cheaper, and the accuracies do not differ significantly
    "same cost",  # another is more accurate, and the costs do not differ
    "guessing",  # not shown to beat a constant answer
    "not ranked",  # the cost of some model is an estimate
    "disturbed",  # so was the measurement of the cost: the model is not ranked, and no rival
    "unknown",  # cost or accuracy is unavailable, or not comparable across devices
]

CascadeStanding = (
    AccuracyStanding  # "replaces": at a lower cost
    | Literal[
        "more expensive",  # than the expensive model
        "same cost",  # as the expensive model
        "disturbed",  # so was the measurement of either model's cost
    ]
)


@dataclass(frozen=True)
class Point:
    """A cell at one cost."""

    cell: str  # its name in the record
    label: str  # its name in reports
    cost: Bounded
    accuracy: Bounded
    tested: str  # name of the model's first cell, which the paired tests compare
    tested_accuracy: float
    beats_guessing: bool  # shown to, whatever the cost
    standing: Standing
    by: str = ""  # label of the model that is cheaper or more accurate
    reason: str = ""  # why the standing is unknown

    @property
    def is_known(self) -> bool:
        return self.accuracy.value is not None and self.cost.value is not None


@dataclass(frozen=True)
class CascadePoint:
    """A cascade at one cost, compared with its own two models only."""

    label: str
    cheap: str  # labels of its models
    expensive: str
    cost: Bounded
    accuracy: metrics.Share
    standing: CascadeStanding

    @property
    def pays(self) -> bool:
        """True if it can replace the expensive model at a lower cost."""
        return self.standing == "replaces"


@dataclass(frozen=True)
class Frontier:
    figure: FigureSpec  # the cost
    points: tuple[Point, ...]  # in the order of the run's cells
    cascades: tuple[CascadePoint, ...] = ()

    @property
    def ranked(self) -> bool:
        return all(point.standing != "not ranked" for point in self.points)


def frontiers(
    run: Run,
    specs: Iterable[FigureSpec],
    values: Values,
    differ: Differ,
    cascades: Sequence[CascadeTest] = (),
) -> tuple[Frontier, ...]:
    """One frontier for each cost.

    Args:
        specs: of the costs.
        values: with accuracy and all costs of all cells.
    """
    return tuple(_frontier(run, spec, values, differ, cascades) for spec in specs)


def _frontier(
    run: Run, spec: FigureSpec, values: Values, differ: Differ, cascades: Sequence[CascadeTest]
) -> Frontier:
    points = [_point(run, cell, spec, values) for cell in first_seeds(run)]
    points = [
        replace(point, standing="disturbed") if point.is_known and point.cost.disturbed else point
        for point in points
    ]
    known = [point for point in points if point.is_known and not point.cost.disturbed]
    ranked = not any(point.cost.estimated for point in known)

    def is_cheaper(point: Point, other: Point) -> bool:
        if spec.key == costs.KEY:
            return costs.is_cheaper(values, point.cell, other.cell)
        return point.cost.below(other.cost)

    def compares(point: Point, other: Point) -> bool:
        return spec.key != costs.KEY or costs.compares(values, point.cell, other.cell)

    ranking = {
        point.cell: _rank(point, known, differ, is_cheaper, compares)
        if ranked
        else replace(point, standing="not ranked")
        for point in known
    }
    return Frontier(
        spec,
        tuple(ranking.get(point.cell, point) for point in points),
        tuple(_cascade_point(run, test, spec, values) for test in cascades),
    )


def _cascade_point(run: Run, test: CascadeTest, spec: FigureSpec, values: Values) -> CascadePoint:
    cascade = test.cascade
    cheap, expensive = name(run, cascade.cheap), name(run, cascade.expensive)
    cost = _cascade_cost(run, cascade, spec, values)
    pairs = _with_expensive(run, cascade, spec, values)

    def standing() -> CascadeStanding:
        if test.standing != "replaces":
            return test.standing
        if any(part.disturbed for pair in pairs for part in pair):
            return "disturbed"
        if all(own.below(alone) for own, alone in pairs):
            return "replaces"
        return "more expensive" if all(alone.below(own) for own, alone in pairs) else "same cost"

    label = f"{cheap} → {expensive}"
    return CascadePoint(label, cheap, expensive, cost, cascade.accuracy, standing())


def _with_expensive(
    run: Run, cascade: Cascade, spec: FigureSpec, values: Values
) -> tuple[costs.Scale, ...]:
    """The costs of a cascade and of its expensive model, on each scale on which they compare."""
    cheap, expensive = cascade.cheap.name, cascade.expensive.name
    if spec.key == costs.KEY:
        return costs.cascade_scales(values, cheap, expensive, cascade.passed_share)
    return ((_cascade_cost(run, cascade, spec, values), values[expensive, spec.key]),)


def _cascade_cost(run: Run, cascade: Cascade, spec: FigureSpec, values: Values) -> Bounded:
    """By the rule in the table of figures; comments that are passed on count as long as the others."""
    cheap = values[cascade.cheap.name, spec.key]
    expensive = values[cascade.expensive.name, spec.key]
    unit = cheap.figure.unit
    if spec.cascade == "sum":
        return bounds.total([cheap, expensive], unit)
    if spec.cascade in ("per comment", "compute"):
        return bounds.total([cheap, expensive.times(cascade.passed_share, unit)], unit)
    if spec.cascade == "latency":
        return _latency_p50_ms(run, cascade, cheap, expensive)
    return bounds.absent(unit, "two models in one process were not measured")


def _latency_p50_ms(run: Run, cascade: Cascade, cheap: Bounded, expensive: Bounded) -> Bounded:
    """The median over the cheap model's latencies and those of both models in sequence.

    It is known, in relation, no better than the less well known of both models.
    """
    if cheap.value is None or expensive.value is None:
        return bounds.total([cheap, expensive], "ms")
    assert cascade.cheap.latency is not None
    assert cascade.expensive.latency is not None
    alone = np.asarray(cascade.cheap.latency.samples_ms)
    passed = cheap.value + np.asarray(cascade.expensive.latency.samples_ms)
    weights = np.concatenate(
        [
            np.full(len(alone), (1 - cascade.passed_share) / len(alone)),
            np.full(len(passed), cascade.passed_share / len(passed)),
        ]
    )
    both = np.concatenate([alone, passed])
    order = np.argsort(both)
    middle = int(np.searchsorted(weights[order].cumsum(), 0.5))
    median = float(both[order][min(middle, len(both) - 1)])
    figure = replace(
        measured(median, "ms", "latencies of both models"),
        disturbed=cheap.figure.disturbed or expensive.figure.disturbed,
    )
    if figure.disturbed:
        return bounds.within(figure)
    low = min(one.low / one.value for one in (cheap, expensive) if one.value)
    high = max(one.high / one.value for one in (cheap, expensive) if one.value)
    return Bounded(figure, low * median, high * median)


def _point(run: Run, cell: CellRecord, spec: FigureSpec, values: Values) -> Point:
    """A point without its standing."""
    ranked = task.of(run).ranked
    cost, share = values[cell.name, spec.key], values[cell.name, ranked]
    reason = cost.figure.reason or share.figure.reason
    first = next((cells[0] for cells in by_model(run).values() if cell in cells), cell)
    return Point(
        cell.name,
        name(run, cell),
        cost,
        share,
        first.name,
        values[first.name, ranked].value or 0.0,
        values[cell.name, "deciding"].low > leads.guessing(run),
        "unknown",
        reason=reason,
    )


def _rank(
    point: Point,
    known: Sequence[Point],
    differ: Differ,
    is_cheaper: Callable[[Point, Point], bool],
    compares: Callable[[Point, Point], bool],
) -> Point:
    """The point with its standing, and the cheapest model that decides it."""
    if not point.beats_guessing:
        return replace(point, standing="guessing")
    others = sorted(
        (other for other in known if other.tested != point.tested),
        key=lambda other: other.cost.figure.value or 0.0,
    )
    cheaper = [other for other in others if is_cheaper(other, point)]
    different = [other for other in others if differ(other.tested, point.tested)]
    better = [other for other in different if other.tested_accuracy > point.tested_accuracy]
    same_cost = [
        other
        for other in others
        if not is_cheaper(point, other) and not is_cheaper(other, point) and compares(point, other)
    ]
    reasons: tuple[tuple[Standing, list[Point]], ...] = (
        ("dominated", [other for other in cheaper if other in better]),
        ("same accuracy", [other for other in cheaper if other not in different]),
        ("same cost", [other for other in same_cost if other in better]),
    )
    for standing, deciding in reasons:
        if deciding:
            return replace(point, standing=standing, by=deciding[0].label)
    for other in others:
        if not compares(point, other) and (other in better or other not in different):
            reason = f"{other.label} ran on another device, and no price compares the costs"
            return replace(point, standing="unknown", reason=reason)
    return replace(point, standing="frontier")
