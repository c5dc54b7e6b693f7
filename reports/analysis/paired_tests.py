"""Which models differ by more than chance: every two, on the same test comments.

Accuracies by McNemar's test, ROC AUCs (macro, of more classes than two) by the paired bootstrap,
and p values corrected for how many pairs were looked at. Of several seeds the first stands for its
model: a pair for each two seeds would ask the same question again, and the correction take back
what more trainings show.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr  # of scipy.stats, which takes most of a second to import

from worthit.bench.saved.record import Run
from worthit.reports.analysis import bootstrap, metrics
from worthit.reports.analysis.ranking_curve import Matrix, Vector, mean_defined, one_vs_rest
from worthit.reports.analysis.run_view import by_model
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities

_Which = Sequence[tuple[int, int]]
_Figures = tuple[float, float, float, float]  # difference, low, high, p
_None = tuple[None, None, None, None]


@dataclass(frozen=True)
class Pair:
    """Two cells on the same comments: first minus second, with 95 % intervals.

    p values are two-sided and hold for all pairs of the run together (Holm); intervals are each for
    itself. Figures of ROC AUC are None where a class is missing.
    """

    first: str  # cell names
    second: str
    accuracy_difference: float
    accuracy_low: float
    accuracy_high: float
    accuracy_p: float
    auc_difference: float | None
    auc_low: float | None
    auc_high: float | None
    auc_p: float | None

    @property
    def accuracy_differs(self) -> bool:
        return self.accuracy_p < metrics.ALPHA

    @property
    def auc_differs(self) -> bool:
        return self.auc_p is not None and self.auc_p < metrics.ALPHA

    def turned(self) -> "Pair":
        """The same, second minus first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            accuracy_difference=-self.accuracy_difference,
            accuracy_low=-self.accuracy_high,
            accuracy_high=-self.accuracy_low,
            auc_difference=_minus(self.auc_difference),
            auc_low=_minus(self.auc_high),
            auc_high=_minus(self.auc_low),
        )


def pairs(run: Run) -> tuple[Pair, ...]:
    """All pairs of models that have quality, in the order of the run; none of fewer than two."""
    cells = [cells[0] for cells in by_model(run).values()]
    scored = [(cell.name, cell.quality.test) for cell in cells if cell.quality is not None]
    return pairs_of(run.data.test.labels, tuple(scored), len(run.data.classes))


@functools.lru_cache(maxsize=4)  # a report, its pictures and its summary all ask
def pairs_of(
    labels: tuple[int, ...], cells: tuple[tuple[str, tuple[float, ...]], ...], kinds: int
) -> tuple[Pair, ...]:
    """All pairs of cells by their names and probabilities of the same comments, as a run keeps them."""
    which = list(itertools.combinations(range(len(cells)), 2))
    if not which or not labels:
        return ()
    times = bootstrap.counts(len(labels))
    scored = [class_names.shaped(scores, kinds) for _, scores in cells]
    by_accuracy = _by_accuracy(times, labels, scored, which)
    by_auc = _by_auc(times, labels, scored, which)
    names = itertools.combinations((name for name, _ in cells), 2)
    return tuple(
        Pair(*two, *accuracy, *auc)
        for two, accuracy, auc in zip(names, by_accuracy, by_auc, strict=True)
    )


def between(pairs: Iterable[Pair], first: str, second: str) -> Pair:
    """The pair of two cells, by name, as first minus second.

    Raises:
        LookupError: they are no pair of these.
    """
    for pair in pairs:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.first, pair.second) == (second, first):
            return pair.turned()
    raise LookupError(f"no pair of {first} and {second}")


def differ(pairs: Iterable[Pair]) -> Callable[[str, str], bool]:
    """Whether two cells' accuracies differ, by their names."""
    apart = {frozenset((pair.first, pair.second)) for pair in pairs if pair.accuracy_differs}
    return lambda first, second: frozenset((first, second)) in apart


def mcnemar_p(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """The two-sided p value of McNemar's test (1947), exact: of comments that only one tells right.

    Args:
        first, second: which comments each model tells right, shape (n,).
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    lower_tail = float(bdtr(min(only_first, only_second), only_first + only_second, 0.5))
    return min(1.0, 2 * lower_tail)


def bootstrap_p(difference: float, replicates: Vector) -> float:
    """The two-sided p value of a difference, from its standard error in resamples.

    Normal, as in pROC (Robin et al. 2011): counting resamples beyond 0 could not get below
    2 / resamples, which a correction for many pairs would lift above any level.
    """
    error = float(np.nanstd(replicates))
    if error < 1e-6:  # no more than float32 tells apart: then resamples show no less than this
        return 1.0 if abs(difference) < 1e-6 else 2 / len(replicates)
    return 2 * NormalDist().cdf(-abs(difference) / error)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    left = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order] * left)
    return [float(p) for p in np.minimum(corrected, 1.0)]


def _by_accuracy(
    times: Matrix, labels: Sequence[int], scored: Sequence[Probabilities], which: _Which
) -> list[_Figures]:
    right = np.stack([metrics.called(scores) == np.asarray(labels) for scores in scored])
    drawn = right.astype(times.dtype) @ times / len(labels)
    p_values = holm([mcnemar_p(right[first], right[second]) for first, second in which])
    return [
        (
            float(right[first].mean() - right[second].mean()),
            *_interval(drawn[first] - drawn[second]),
            p,
        )
        for (first, second), p in zip(which, p_values, strict=True)
    ]


def _by_auc(
    times: Matrix, labels: Sequence[int], scored: Sequence[Probabilities], which: _Which
) -> Sequence[_Figures | _None]:
    areas = [area for scores in scored if (area := metrics.roc_auc(scores, labels)) is not None]
    if len(areas) < len(scored):
        return [(None, None, None, None)] * len(which)
    drawn = [
        mean_defined([curve.roc_auc() for curve in one_vs_rest(times, labels, scores)])
        for scores in scored
    ]
    found = [
        (areas[first] - areas[second], drawn[first] - drawn[second]) for first, second in which
    ]
    p_values = holm([bootstrap_p(difference, replicates) for difference, replicates in found])
    return [
        (difference, *_interval(replicates), p)
        for (difference, replicates), p in zip(found, p_values, strict=True)
    ]


def _interval(replicates: Vector) -> tuple[float, float]:
    low, high = np.nanquantile(replicates, (0.025, 0.975))
    return float(low), float(high)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value
