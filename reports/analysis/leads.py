"""By how much one model leads another, in the figure that decides, and what the lead is worth.

The figure is that of the objective that the user gave (`--objective`): accuracy, balanced accuracy, F1, or
the cost of errors. Otherwise it is one in which a constant answer has no advantage: accuracy if no class is
rare. With two classes, it is average precision if less than `RARE` of the test comments are positive, and
balanced accuracy if less than `RARE` are negative. With more, it is balanced accuracy if the largest class
has more than twice its equal share. With several labels it is macro F1, in which a rare label counts as much as a
frequent one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.reports.analysis import bounds, error_costs, run_view, task
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.objective import RARE, Objective, class_shares
from worthit.reports.analysis.run_view import scores, truth
from worthit.reports.statistics import bootstrap, metrics
from worthit.reports.statistics.metrics import Measure, Truth
from worthit.reports.statistics.ranking_curve import Matrix, Vector
from worthit.reports.statistics.trainings import Numbers, Spread, of_shares, one_comment
from worthit.reports.text import class_names
from worthit.reports.text.class_names import Probabilities

#: the probability with which the number of comments in `comments_to_decide` decides
POWER = 0.8

Standing = Literal["better", "equivalent", "not better", "worse", "undecided"]


@dataclass(frozen=True)
class Lead:
    """A difference of two models on the same test comments, with its 95 % interval."""

    value: float
    spread: Spread
    comments: int

    @property
    def low(self) -> float:
        return self.value - float(self.spread.reach)

    @property
    def high(self) -> float:
        return self.value + float(self.spread.reach)

    def standing(self, worthwhile: float) -> Standing:
        return standing(self.low, self.high, worthwhile)

    def comments_to_decide(self, worthwhile: float) -> float:
        """How many comments would show that no lead is not worthwhile, and one of twice the size is.

        Each with a probability of `POWER`, if the models differ on the same share of the comments
        as here; infinite if the differences between trainings are too large. A true lead near the
        worthwhile one takes any number of comments.
        """
        normal = NormalDist()
        deviations = normal.inv_cdf(0.975) + normal.inv_cdf(POWER)
        margin = (worthwhile / deviations) ** 2 - float(self.spread.trainings)
        of_one = float(self.spread.comments) * self.comments
        return of_one / margin if margin > 0 else math.inf


def standing(low: float, high: float, worthwhile: float) -> Standing:
    """What an interval of a lead says, compared with the smallest worthwhile lead.

    Equivalence is shown as by two one-sided tests (Schuirmann 1987), a worthwhile lead as by a test
    of superiority by a margin, its absence as by one of non-inferiority (Walker and Nowacki 2011). An
    interval of 95 % decides all of them: each one-sided test has a level of 2.5 %.
    """
    if low >= worthwhile:
        return "better"
    if -worthwhile < low and high < worthwhile:
        return "equivalent"
    if high < 0:
        return "worse"
    return "not better" if high < worthwhile else "undecided"


def measure(run: Run) -> Measure:
    """The figure that decides."""
    objective = Objective.of(run)
    # Thresholds reach the same recall on validation comments, so accuracy compares mostly false alarms.
    if class_names.of_two(run) and not objective.given and 0 < class_shares(run)[1] < RARE:
        return metrics.AVERAGE_PRECISION
    return task.of(run).by_objective[objective.name]


def guessing(run: Run) -> float:
    """The figure that decides, of the best constant answer; for a recall, of the one that reaches it."""
    if Objective.of(run).name == "recall":
        return float(class_shares(run)[1])  # the accuracy of flagging every comment
    return of_constant(run, measure(run))


def of_constant(run: Run, deciding: Measure) -> float:
    """A figure that can decide, of the constant answer that is best by it."""
    if class_names.of_labels(run):
        labels = truth(run)
        return deciding.value(constant_labels(deciding, labels), labels) or 0.0
    shares = class_shares(run)
    if deciding == metrics.SAVED_COST:
        return 0.0
    if deciding == metrics.F1:  # of flagging every comment
        return float(2 * shares[1] / (1 + shares[1]))
    if deciding == metrics.MACRO_F1:
        present = shares[shares > 0]
        return float((2 * present / (1 + present)).max() / len(present))
    if deciding == metrics.AVERAGE_PRECISION:
        return float(shares[1])
    if deciding == metrics.ACCURACY:
        return metrics.majority_accuracy(truth(run))
    return 1 / int(np.count_nonzero(shares))


def deciding(run: Run, cell: CellRecord) -> Bounded:
    """The figure that decides, of one model, with its interval; the mean over its trainings."""
    if cell.quality is None or measure(run) == task.of(run).correct:
        return bounds.test_accuracy(run, cell)
    if measure(run) == metrics.SAVED_COST:
        return error_costs.saved(run, cell)
    found = bounded(run, cell, measure(run))
    return replace(found, figure=run_view.scored(found.figure, cell))


def bounded(run: Run, cell: CellRecord, measure: Measure) -> Bounded:
    """A figure of one model, with its interval; the mean over its trainings."""
    labels = truth(run)
    trainings = [_scores(run, one, measure) for one in run_view.trainings(run, cell)]
    found = bootstrap.estimates(bootstrap.counts(len(labels)), labels, trainings)[measure]
    if found.value is None:
        return bounds.absent("", found.reason)
    figure = Figure(found.value, "", "measured", "test comments", len(labels))
    if found.low is None or found.high is None:  # a score of 0 or a perfect one
        reach = float(Spread.of(of_one(labels), ()).reach)
        return Bounded(figure, max(found.value - reach, 0.0), min(found.value + reach, 1.0))
    return Bounded(figure, found.low, found.high)


def recall(run: Run, cell: CellRecord) -> float | None:
    """Of two classes: the share of the positive test comments that are found; the mean over trainings."""
    positive = truth(run) == 1
    if not positive.any():
        return None
    trained = [metrics.predicted(scores(run, one)) for one in run_view.trainings(run, cell)]
    return float(np.mean([found[positive].mean() for found in trained]))


def lead(
    run: Run, first: Sequence[CellRecord], second: Sequence[CellRecord], resamples: Matrix
) -> Lead:
    """The lead of the first model over the second, each with the trainings that it has.

    Args:
        first, second: cells with scores; the seeds of one model.
        resamples: of the test comments, see `bootstrap.counts`.
    """
    deciding = measure(run)
    if deciding == metrics.SAVED_COST:
        return Lead(*error_costs.lead(run, first, second))
    both = [[_scores(run, cell, deciding) for cell in cells] for cells in (first, second)]
    if deciding == task.of(run).correct:
        return of_accuracy(*(correct(truth(run), trainings) for trainings in both))
    values, resampled = zip(
        *(drawn(deciding, resamples, truth(run), trainings) for trainings in both), strict=True
    )
    return of_figures(values, resampled, truth(run))


def _scores(run: Run, cell: CellRecord, measure: Measure) -> Probabilities:
    return scores(run, run_view.calibrated(cell) if measure in task.of(run).scores else cell)


def drawn(
    measure: Measure, resamples: Matrix, labels: Truth, trainings: Sequence[Probabilities]
) -> tuple[Numbers, Vector]:
    """A figure of one model with each seed, (seeds,), and its mean over seeds in each resample, (resamples,)."""
    values = [measure.value(one, labels) for one in trainings]
    replicates = [metrics.resampled(resamples, labels, one)[measure] for one in trainings]
    return np.asarray(values, float), np.mean(replicates, axis=0)


def correct(labels: Truth, trainings: Sequence[Probabilities]) -> Numbers:
    """Whether each training classifies each comment correctly, shape (seeds, n)."""
    return np.stack([metrics.correct(one, labels) for one in trainings]).astype(np.float64)


def of_accuracy(first: Numbers, second: Numbers) -> Lead:
    """The lead in accuracy, from whether each training is correct on each comment, (seeds, n)."""
    over_comments = of_shares(first.mean(axis=0) - second.mean(axis=0))
    value = float(first.mean() - second.mean())
    spread = Spread.of(over_comments, (first.mean(axis=1), second.mean(axis=1)))
    return Lead(value, spread, first.shape[1])


def of_figures(values: Sequence[Numbers], drawn: Sequence[Vector], labels: Truth) -> Lead:
    """The lead in any figure, of the first of two models.

    Args:
        values: of both models, the figure with each seed, shape (seeds,).
        drawn: of both models, the mean over seeds in each resample of the comments, (resamples,).
        labels: of the comments, as `metrics` takes them.
    """
    first, second = drawn
    over_comments = float(np.nanvar(first - second)) + of_one(labels)
    value = float(values[0].mean() - values[1].mean())
    return Lead(value, Spread.of(over_comments, values), len(labels))


def constant_labels(deciding: Measure, labels: Truth) -> Probabilities:
    """The same set of labels for every comment, the best one by a figure.

    For macro F1 it is all labels: one that is never predicted counts as 0. For micro F1 it is the most frequent
    labels, as many as pay; for subset accuracy the most common set; for a ROC AUC any.

    Args:
        labels: 0 and 1, shape (n, labels).

    Returns:
        The same shape.
    """
    with_label = np.asarray(labels).mean(axis=0)
    answer = np.ones(len(with_label))
    if deciding == metrics.MICRO_F1:
        order = np.argsort(-with_label, kind="stable")
        sizes = np.arange(1, len(order) + 1)
        f1 = 2 * np.cumsum(with_label[order]) / (sizes + with_label.sum())
        answer[order[f1.argmax() + 1 :]] = 0
    if deciding == metrics.SUBSET_ACCURACY:
        sets, times = np.unique(labels, axis=0, return_counts=True)
        answer = sets[times.argmax()].astype(np.float64)
    return np.tile(answer, (len(labels), 1))


def of_one(labels: Truth) -> float:
    """The variance that one comment of the rarest class adds, which moves a figure most.

    A comment with the rarest label, or of the rarest of several classes, moves a mean over them by a share of
    what it moves the figure of that label or class.
    """
    if np.ndim(labels) == 2:
        counts = np.asarray(labels).sum(axis=0)
        occurring = counts[counts > 0]
        return one_comment(max(len(occurring) * int(occurring.min(initial=len(labels))), 1))
    counts = np.unique(labels, return_counts=True)[1]
    means_over = len(counts) if len(counts) > 2 else 1
    return one_comment(means_over * int(counts.min()))
