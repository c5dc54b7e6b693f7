"""Whether two models' accuracies differ, on the same test comments."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from worthit.bench.record import Run
from worthit.reports.quality import THRESHOLD


@dataclass(frozen=True)
class Difference:
    """In accuracy, the first less the second, with a 95 % interval."""

    value: float
    low: float
    high: float
    p: float = 1.0

    @property
    def significant(self) -> bool:
        return self.p < 0.05


Compare = Callable[[str, str], Difference]


def differences(run: Run) -> Compare:
    """By names of cells; exact McNemar tests (1947), Holm-corrected over all pairs (1979).

    The interval is Agresti and Min's for matched pairs (2005).
    """
    labels = np.asarray(run.data.test.labels)
    right = {
        cell.name: (np.asarray(cell.quality.test) >= THRESHOLD) == labels
        for cell in run.cells
        if cell.quality is not None
    }
    found = {
        pair: _difference(*(right[one] for one in pair))
        for pair in itertools.combinations(right, 2)
    }
    corrected: dict[tuple[str, str], Difference] = {}
    least = 0.0
    for rank, (pair, one) in enumerate(sorted(found.items(), key=lambda item: item[1].p)):
        least = max(least, min(1.0, one.p * (len(found) - rank)))
        corrected[pair] = Difference(one.value, one.low, one.high, least)
        corrected[pair[::-1]] = Difference(-one.value, -one.high, -one.low, least)
    return lambda first, second: corrected[first, second]


def differ(run: Run) -> Callable[[str, str], bool]:
    """By names of cells: whether the test tells their accuracies apart."""
    compare = differences(run)
    return lambda first, second: compare(first, second).significant


def _difference(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Difference:
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart, comments = only_first + only_second, len(first)
    p = binomtest(only_first, apart).pvalue if apart else 1.0
    b, c, n = only_first + 0.5, only_second + 0.5, comments + 2
    middle, half = (b - c) / n, 1.96 * sqrt((b + c) - (b - c) ** 2 / n) / n
    return Difference(
        (only_first - only_second) / max(comments, 1), middle - half, middle + half, float(p)
    )
