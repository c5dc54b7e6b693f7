"""Which models differ significantly: every pair, on the same test comments.

An exploratory table: the verdict tests only what it asks (`worthit.reports.analysis.leads`). The
differences in accuracy and ROC AUC (macro for more than two classes) are those of the means over
seeds; interval and p value follow from the same variance over comments and trainings
(`worthit.reports.statistics.trainings`). The p values are corrected for the number of pairs (Holm).
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr  # scipy.stats takes 0.4 s to import

from worthit.bench.saved.record import Run
from worthit.reports.analysis import leads, task
from worthit.reports.analysis.leads import Lead
from worthit.reports.analysis.run_view import by_model, calibrated, scores, truth
from worthit.reports.statistics import metrics
from worthit.reports.statistics.metrics import Measure, Truth
from worthit.reports.statistics.ranking_curve import Matrix
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
    accuracy: Difference  # of several labels, in subset accuracy
    auc: Difference | None  # None if a class is missing
    ranked: Difference | None = None  # in what the frontier ranks, if that is not accuracy

    def reversed(self) -> "Pair":
        """The same pair, second minus first."""
        auc = None if self.auc is None else -self.auc
        ranked = None if self.ranked is None else -self.ranked
        return Pair(self.second, self.first, -self.accuracy, auc, ranked)

    @property
    def leading(self) -> Difference:
        """In what the frontier ranks."""
        return self.accuracy if self.ranked is None else self.ranked


def pairs(run: Run, resamples: Matrix) -> tuple[Pair, ...]:
    """All pairs of models with scores, in the order of the run; the first cell names its model.

    Args:
        resamples: of the test comments, see `bootstrap.counts`.
    """
    models = {cells[0].name: cells for cells in by_model(run).values()}
    scored = {name: [scores(run, cell) for cell in cells] for name, cells in models.items()}
    ranks = {
        name: [scores(run, calibrated(cell)) for cell in cells] for name, cells in models.items()
    }
    found = pairs_of(truth(run), scored, ranks, resamples)
    ranking = task.ranking(run)
    if ranking == task.of(run).correct:
        return found
    by_figure = _by_figure(ranking, resamples, truth(run), list(scored.values()))
    return tuple(
        replace(pair, ranked=ranked) for pair, ranked in zip(found, by_figure, strict=False)
    )


def pairs_of(
    labels: Truth,
    scores: Mapping[str, Sequence[Probabilities]],
    ranks: Mapping[str, Sequence[Probabilities]],
    resamples: Matrix,
) -> tuple[Pair, ...]:
    """All pairs of models.

    Args:
        labels: of n comments, as `metrics` takes them.
        scores: cell name → of each training, the probabilities of the same comments, which answers follow from.
        ranks: the same, which ROC AUC follows from.
        resamples: of the n comments, see `bootstrap.counts`.
    """
    if len(scores) < 2 or not len(labels):
        return ()
    by_accuracy = _by_accuracy(labels, list(scores.values()))
    by_auc = _by_auc(resamples, labels, list(ranks.values()))
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
    """A function of two cell names: True if they differ significantly in what the frontier ranks."""
    different = {
        frozenset((pair.first, pair.second)) for pair in pairs if pair.leading.is_significant
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


def _by_accuracy(labels: Truth, models: Sequence[Sequence[Probabilities]]) -> list[Difference]:
    correct = [leads.correct(labels, trainings) for trainings in models]
    return corrected([_of(leads.of_accuracy(*both)) for both in itertools.combinations(correct, 2)])


def _by_figure(
    measure: Measure,
    resamples: Matrix,
    labels: Truth,
    models: Sequence[Sequence[Probabilities]],
) -> list[Difference]:
    """In a figure; no pairs if it is not defined for these comments."""
    if len(models) < 2 or measure.value(models[0][0], labels) is None:
        return []
    values, drawn = zip(
        *(leads.drawn(measure, resamples, labels, trainings) for trainings in models), strict=True
    )
    both = itertools.combinations(range(len(models)), 2)
    return corrected(
        [
            _of(leads.of_figures((values[i], values[j]), (drawn[i], drawn[j]), labels))
            for i, j in both
        ]
    )


def _by_auc(
    resamples: Matrix, labels: Truth, models: Sequence[Sequence[Probabilities]]
) -> Sequence[Difference | None]:
    both = list(itertools.combinations(range(len(models)), 2))
    if metrics.roc_auc(models[0][0], labels) is None:
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
