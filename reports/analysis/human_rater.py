"""How well people do: one rater compared with the majority of the other raters of the same comment.

A model's accuracy is read against this. It is exact: of n raters, k of whom said positive, each is
left out in turn. If the others are split evenly, the comment counts half as positive, so that
comments without agreement are not left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.bench.saved.data import Part
from worthit.reports.statistics import bootstrap
from worthit.reports.statistics.bootstrap import Estimate
from worthit.reports.statistics.metrics import ROC_AUC
from worthit.reports.statistics.ranking_curve import Matrix, Vector, ratio


@dataclass(frozen=True)
class Rater:
    """One rater as a classifier of the comments with two votes or more."""

    comments: int
    accuracy: Estimate
    auc: Estimate  # equal to balanced accuracy, since the score is 0 or 1
    recall: float | None  # None if no comment is positive to the others
    false_alarms: float | None  # share of the comments that are negative to the others


def rater(part: Part, resamples: Matrix) -> Rater | None:
    """One rater on the comments of a part; None without votes.

    Args:
        resamples: of the part's comments, see `bootstrap.counts`.
    """
    voted = [
        (index, share, raters)
        for index, (share, raters) in enumerate(zip(part.toxic_share, part.raters, strict=True))
        if share is not None and raters is not None and raters >= 2
    ]
    if not voted:
        return None
    index, share, raters = (np.asarray(column) for column in zip(*voted, strict=True))
    table = chances(np.rint(share * raters), raters)
    times = resamples[index]
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
    """How a random rater compares with the majority of the others, comment by comment.

    Args:
        positive_votes, votes: shape (n,), at least two votes each.

    Returns:
        Shape (4, n), columns that add to 1: the probabilities that both say positive, only the
        others, only the rater, or neither.
    """
    says_positive = positive_votes / votes
    # The majority without the rater's own vote: 1 positive, 0 negative, ½ a tie.
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
