"""Which models differ significantly: every pair, on the same test comments.

An exploratory table: the verdict tests only what it asks (`worthit.reports.analysis.leads`). The
differences in accuracy and ROC AUC (macro for more than two classes) are those of the means over
seeds; interval and p value follow from the same variance over comments and trainings
(`worthit.reports.analysis.trainings`). The p values are corrected for the number of pairs (Holm).
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr  # scipy.stats takes 0.4 s to import

from worthit.bench.saved.record import Run
from worthit.reports.analysis import leads, metrics
from worthit.reports.analysis.bootstrap import interval
from worthit.reports.analysis.leads import Lead
from worthit.reports.analysis.ranking_curve import Matrix, Vector
from worthit.reports.analysis.run_view import by_model
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities


@dataclass(frozen=True)
class Difference:
    """The difference of two figures, with its 95 % interval and two-sided p value."""

    value: float
    low: float
    high: float
    p: float

    @property
    def is_significant(self) -> bool:
        return self.p < metrics.ALPHA

    def __neg__(self) -> "Difference":
        return Difference(-self.value, -self.high, -self.low, self.p)


@dataclass(frozen=True)
class Pair:
    """Two cells on the same comments: first minus second.

    The p values are corrected for all pairs of the run (Holm); the intervals are not.
    """

    first: str  # cell names
    second: str
    accuracy: Difference
    auc: Difference | None  # None if a class is missing

    def reversed(self) -> "Pair":
        """The same pair, second minus first."""
        auc = None if self.auc is None else -self.auc
        return Pair(self.second, self.first, -self.accuracy, auc)


def pairs(run: Run, resamples: Matrix) -> tuple[Pair, ...]:
    """All pairs of models with scores, in the order of the run; the first cell names its model.

    Args:
        resamples: of the test comments, see `bootstrap.counts`.
    """
    scored = {
        cells[0].name: [cell.quality.test for cell in cells if cell.quality is not None]
        for cells in by_model(run).values()
    }
    return pairs_of(run.data.test.labels, scored, len(run.data.classes), resamples)


def pairs_of(
    labels: Sequence[int],
    scores: Mapping[str, Sequence[tuple[float, ...]]],
    classes: int,
    resamples: Matrix,
) -> tuple[Pair, ...]:
    """All pairs of models.

    Args:
        labels: class indices, shape (n,).
        scores: cell name → of each training, the probabilities of the same n comments, as a run
            saves them.
        classes: number of classes.
        resamples: of the n comments, see `bootstrap.counts`.
    """
    if len(scores) < 2 or not labels:
        return ()
    shaped = [[class_names.shaped(one, classes) for one in flat] for flat in scores.values()]
    by_accuracy = _by_accuracy(labels, shaped)
    by_auc = _by_auc(resamples, labels, shaped)
    names = itertools.combinations(scores, 2)
    return tuple(
        Pair(*both, accuracy, auc)
        for both, accuracy, auc in zip(names, by_accuracy, by_auc, strict=True)
    )


def between(pairs: Iterable[Pair], first: str, second: str) -> Pair:
    """The pair of two cells, by name, as first minus second.

    Raises:
        LookupError: there is no such pair.
    """
    for pair in pairs:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.first, pair.second) == (second, first):
            return pair.reversed()
    raise LookupError(f"no pair of {first} and {second}")


def differ(pairs: Iterable[Pair]) -> Callable[[str, str], bool]:
    """A function of two cell names: True if their accuracies differ significantly."""
    different = {
        frozenset((pair.first, pair.second)) for pair in pairs if pair.accuracy.is_significant
    }
    return lambda first, second: frozenset((first, second)) in different


def mcnemar_p(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """The two-sided p value of McNemar's exact test (McNemar 1947).

    statsmodels has it, and Holm's correction; importing them takes 0.6 s.

    Args:
        first, second: whether each model classifies each comment correctly, shape (n,).
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    lower_tail = float(bdtr(min(only_first, only_second), only_first + only_second, 0.5))
    return min(1.0, 2 * lower_tail)


def bootstrap_difference(difference: float, replicates: Vector) -> Difference:
    """A difference with the interval and the p value of its replicates, shape (resamples,)."""
    p = bootstrap_p(difference, replicates)
    return Difference(difference, *interval(replicates), p)


def bootstrap_p(difference: float, replicates: Vector) -> float:
    """The two-sided p value of a difference, from its standard error over resamples.

    Normal, as in pROC (Robin et al. 2011). Counting resamples beyond 0 cannot give less than
    2 / resamples, which a correction for many pairs would lift above any level.
    """
    error = float(np.nanstd(replicates))
    if error < 1e-6:  # float32 resolves no less
        return 1.0 if abs(difference) < 1e-6 else 2 / len(replicates)
    return 2 * NormalDist().cdf(-abs(difference) / error)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    left = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order] * left)
    return [float(p) for p in np.minimum(corrected, 1.0)]


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Differences with p values corrected for their number (Holm)."""
    p_values = holm([difference.p for difference in differences])
    return [replace(one, p=p) for one, p in zip(differences, p_values, strict=True)]


def _by_accuracy(
    labels: Sequence[int], models: Sequence[Sequence[Probabilities]]
) -> list[Difference]:
    correct = [leads.correct(labels, trainings) for trainings in models]
    return corrected([_of(leads.of_accuracy(*both)) for both in itertools.combinations(correct, 2)])


def _by_auc(
    resamples: Matrix, labels: Sequence[int], models: Sequence[Sequence[Probabilities]]
) -> Sequence[Difference | None]:
    both = list(itertools.combinations(range(len(models)), 2))
    if len(set(labels)) < 2:
        return [None] * len(both)
    areas = [
        np.asarray([metrics.roc_auc(one, labels) for one in trainings], float)
        for trainings in models
    ]
    drawn = [
        np.mean([metrics.roc_aucs(resamples, labels, one) for one in trainings], axis=0)
        for trainings in models
    ]
    return corrected(
        [_of(leads.of_figures((areas[i], areas[j]), (drawn[i], drawn[j]), labels)) for i, j in both]
    )


def _of(lead: Lead) -> Difference:
    return Difference(lead.value, lead.low, lead.high, lead.spread.p(lead.value))
