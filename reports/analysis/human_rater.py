"""How well people do it: one rater against the majority of the other raters of the same comment.

The line to read a model's accuracy against. Exact, from counts: of n raters k said positive, and every
one of them is left out in turn. Where the others are of two minds, half and half, the comment counts
half as positive and half as not, so that comments nobody agrees on are not left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.record import Part, Run
from worthit.reports.analysis import bootstrap
from worthit.reports.analysis.bootstrap import Estimate
from worthit.reports.analysis.metrics import ROC_AUC
from worthit.reports.analysis.ranking_curve import Matrix, Vector, ratio
from worthit.reports.text import class_names


@dataclass(frozen=True)
class Rater:
    """One rater as a classifier of the comments that have two votes or more."""

    comments: int
    accuracy: Estimate
    auc: Estimate  # of a score that is 0 or 1 it is balanced accuracy
    recall: float | None  # None where no comment is positive to the others
    false_alarms: float | None  # share of the comments that are not positive to the others


def rater_of(run: Run) -> Rater | None:
    """One rater on a run's test comments; None without votes, which tell one class from the rest."""
    return rater(run.data.test) if class_names.of_two(run) else None


def rater(part: Part) -> Rater | None:
    """One rater on the comments of a part; None where there are no votes."""
    voted = [
        (index, share, raters)
        for index, (share, raters) in enumerate(zip(part.toxic_share, part.raters, strict=True))
        if share is not None and raters is not None and raters >= 2
    ]
    if not voted:
        return None
    index, share, raters = (np.asarray(column) for column in zip(*voted, strict=True))
    table = chances(np.rint(share * raters), raters)
    times = bootstrap.counts(len(part.labels))[index]
    drawn = _figures(table.astype(times.dtype) @ times)
    accuracy, recall, false_alarms, auc = _figures(table.sum(axis=1, keepdims=True))
    return Rater(
        len(voted),
        bootstrap.estimate(float(accuracy[0]), drawn[0]),
        bootstrap.estimate(float(auc[0]), drawn[3])
        if np.isfinite(auc[0])
        else Estimate(None, reason=ROC_AUC.undefined),
        _known(recall),
        _known(false_alarms),
    )


def chances(positive_votes: Vector, votes: Vector) -> npt.NDArray[np.float64]:
    """How a rater drawn at random compares with the majority of the others, comment by comment.

    Args:
        positive_votes, votes: shape (n,), at least two votes each.

    Returns:
        Shape (4, n), each column adding to 1: the chances that both say positive, only the others,
        only the rater, neither.
    """
    says_positive = positive_votes / votes
    # The others' majority: 1 positive, 0 not, ½ a tie. It lacks the rater's own vote.
    others_if_positive = (np.sign(2 * (positive_votes - 1) - (votes - 1)) + 1) / 2
    others_if_not = (np.sign(2 * positive_votes - (votes - 1)) + 1) / 2
    return np.stack(
        [
            says_positive * others_if_positive,
            (1 - says_positive) * others_if_not,
            says_positive * (1 - others_if_positive),
            (1 - says_positive) * (1 - others_if_not),
        ]
    )


def _figures(sums: Matrix) -> tuple[Vector, Vector, Vector, Vector]:
    """Accuracy, recall, false alarms and AUC of chances summed over comments, shape (4, k)."""
    both, only_others, only_rater, neither = sums
    recall = ratio(both, both + only_others)
    false_alarms = ratio(only_rater, only_rater + neither)
    accuracy = ratio(both + neither, sums.sum(axis=0))
    return accuracy, recall, false_alarms, (recall + 1 - false_alarms) / 2


def _known(value: Vector) -> float | None:
    return float(value[0]) if np.isfinite(value[0]) else None
