"""Which models stay within the limits of `--budget`: on time, memory, energy, size and accuracy."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from worthit.bench.saved.record import CellRecord
from worthit.reports.analysis import figures
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.figure_spec import FigureSpec, Values

FitKind = Literal["fits", "borderline", "misses", "unknown"]
_WORST_FIRST: tuple[FitKind, ...] = ("misses", "unknown", "borderline", "fits")


@dataclass(frozen=True)
class Fit:
    """How one figure of one cell compares with its limit."""

    key: str
    limit: float
    figure: Bounded  # in the unit of the limit
    kind: FitKind
    margin: float  # share of the limit that is left, negative beyond it; NaN if unknown
    at_least: bool  # False: at most


def fits(cell: CellRecord, limits: Mapping[str, float], values: Values) -> tuple[Fit, ...]:
    """Each limit of a budget, in the order given."""
    specs = figures.by_limit()
    return tuple(
        _fit(key, limit, specs[key], values[cell.name, specs[key].key])
        for key, limit in limits.items()
    )


def overall(fits: Iterable[Fit]) -> FitKind:
    """All limits together: as good as the worst."""
    kinds = {fit.kind for fit in fits}
    return next(kind for kind in _WORST_FIRST if kind in kinds)


def _fit(key: str, limit: float, spec: FigureSpec, figure: Bounded) -> Fit:
    assert spec.limit is not None
    at_least = spec.better == "higher"
    if spec.limit.scale != 1:
        figure = figure.times(spec.limit.scale, "")
    if figure.value is None or figure.estimated or figure.disturbed:
        return Fit(key, limit, figure, "unknown", math.nan, at_least)
    sign = -1 if at_least else 1  # so that less is better
    best, worst = sorted((sign * figure.low, sign * figure.high))
    kind: FitKind = "borderline"
    if worst <= sign * limit:
        kind = "fits"
    elif best > sign * limit:
        kind = "misses"
    return Fit(key, limit, figure, kind, sign * (limit - figure.value) / limit, at_least)
