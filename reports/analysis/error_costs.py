"""What wrong answers cost: the expected cost of errors per 1,000 comments.

Each comment of the natural test set counts by the share of its class in the stream
(`worthit.reports.statistics.natural`); without such a set it is the test set as it is. The variance is that
of a stratified sample, plus that of the classes' shares, which are counted in a sample, too (two-phase
sampling, Neyman 1938). One more comment of each class on which the answer is wrong is added to it, as in
`trainings.of_shares`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worthit.bench.saved.record import CellRecord, Figure, Run
from worthit.reports.analysis import bounds, run_view
from worthit.reports.analysis.bounds import Bounded
from worthit.reports.analysis.objective import class_shares, error_costs
from worthit.reports.statistics import metrics, natural
from worthit.reports.statistics.trainings import Numbers, Spread
from worthit.reports.text import class_names

PER = 1_000  # comments
UNKNOWN = "no costs of errors were given"


@dataclass(frozen=True)
class _Sample:
    """The comments by which costs are estimated."""

    of: str
    natural: bool
    labels: Numbers  # shape (n,)
    shares: Numbers  # of the classes where the comments come from
    counted: int  # comments in which these shares were counted
    costs: Numbers  # of an error on a comment of each class

    @classmethod
    def from_run(cls, run: Run) -> "_Sample | None":
        """None without costs, or unless there are two classes."""
        costs = error_costs(run.options)
        if costs is None or not class_names.of_two(run) or not run.data.test.ids:
            return None
        of_class = np.array([costs.false_alarm, costs.miss])
        data = run.data
        if data.natural.ids:
            counted = sum(data.population) if data.balanced else len(data.natural.ids)
            shares = natural.shares(data).astype(np.float64)
            labels = np.asarray(data.natural.labels)
            return cls("natural test set", True, labels, shares, counted, of_class)
        labels = np.asarray(data.test.labels)
        return cls(data.test_set, False, labels, class_shares(run), len(labels), of_class)

    def per_comment(self, run: Run, cell: CellRecord) -> Numbers:
        """What the answer to each comment costs, shape (n,)."""
        part = run_view.scores(run, cell, "natural" if self.natural else "test")
        wrong = metrics.predicted(part) != self.labels
        return np.asarray(wrong * self.costs[self.labels])

    @property
    def without_comments(self) -> bool:
        """True if a class that occurs in the stream has no comment here: what its errors cost is unknown."""
        counts = np.bincount(self.labels.astype(np.int64), minlength=len(self.shares))
        return bool((counts[self.shares > 0] == 0).any())

    def mean(self, cost: Numbers) -> float:
        """The mean over the stream's comments, times `PER`."""
        return PER * sum(
            float(share * cost[self.labels == label].mean())
            for label, share in enumerate(self.shares)
            if share and (self.labels == label).any()
        )

    def variance(self, cost: Numbers) -> float:
        """Of `mean`, over comments; costs may be differences."""
        found, means = 0.0, np.zeros(len(self.shares))
        for label, share in enumerate(self.shares):
            of_class = cost[self.labels == label]
            if len(of_class):
                means[label] = of_class.mean()
                one = (self.costs[label] / len(of_class)) ** 2
                found += share**2 * (of_class.var() / len(of_class) + one)
        between = float(self.shares @ means**2) - float(self.shares @ means) ** 2
        return float(PER**2 * (found + max(between, 0.0) / self.counted))


def bounded(run: Run, cell: CellRecord) -> Bounded:
    """The expected cost of errors per 1,000 comments; the mean over trainings."""
    sample = _Sample.from_run(run)
    if sample is None:
        return bounds.absent("", UNKNOWN)
    if cell.quality is None:
        return bounds.absent("", run_view.missing(cell, "quality"))
    if sample.without_comments:
        return bounds.absent("", f"a class has no comment in the {sample.of}")
    trained = [sample.per_comment(run, one) for one in run_view.trainings(run, cell)]
    value, spread = _mean(sample, trained)
    reach = float(spread.reach)
    figure = Figure(value, "", "measured", sample.of, len(sample.labels))
    return Bounded(run_view.scored(figure, cell), max(value - reach, 0.0), value + reach)


def saved(run: Run, cell: CellRecord) -> Bounded:
    """What the best constant answer costs more; negative if the model costs more."""
    return below_constant(run, bounded(run, cell))


def below_constant(run: Run, cost: Bounded) -> Bounded:
    """`saved` for a cost per 1,000 comments that may include more than errors."""
    if cost.value is None:
        return cost
    constant = of_constant(run)
    figure = replace(cost.figure, value=constant - cost.value)
    return replace(cost, figure=figure, low=constant - cost.high, high=constant - cost.low)


def of_constant(run: Run) -> float:
    """The cost per 1,000 comments of the cheaper constant answer; 0 without costs."""
    sample = _Sample.from_run(run)
    return 0.0 if sample is None else PER * float((sample.shares * sample.costs).min())


def comments(run: Run) -> int:
    """The number of comments by which costs are estimated."""
    sample = _Sample.from_run(run)
    return 0 if sample is None else len(sample.labels)


def lead(
    run: Run, first: Sequence[CellRecord], second: Sequence[CellRecord]
) -> tuple[float, Spread, int]:
    """By how much the first model's errors cost less than the second's, per 1,000 comments.

    Returns:
        The difference, its spread (infinite if a class has no comment), and the number of comments.
    """
    sample = _Sample.from_run(run)
    assert sample is not None
    both = [[sample.per_comment(run, cell) for cell in cells] for cells in (first, second)]
    means = [np.mean(trained, axis=0) for trained in both]
    values = [[sample.mean(cost) for cost in trained] for trained in both]
    difference = means[1] - means[0]
    variance = math.inf if sample.without_comments else sample.variance(difference)
    return sample.mean(difference), Spread.of(variance, values), len(sample.labels)


def _mean(sample: _Sample, trained: Sequence[Numbers]) -> tuple[float, Spread]:
    cost = np.mean(trained, axis=0)
    values = [sample.mean(one) for one in trained]
    return sample.mean(cost), Spread.of(sample.variance(cost), [values])
