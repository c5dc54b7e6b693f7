"""How good a classifier is: from probabilities and labels to figures."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from worthit.reports.curve import Curve

# Called toxic from here on; on a balanced set neither class is favoured.
THRESHOLD = 0.5
#: a difference is claimed where chance alone would show it less often than this
ALPHA = 0.05

#: of calibration: bins of equal width, from probability 0 to 1
BINS = 10


@dataclass(frozen=True)
class Share:
    """A share of comments, with its 95 % Wilson interval (Wilson 1927)."""

    value: float
    low: float
    high: float
    comments: int


@functools.lru_cache(maxsize=1024)  # every section of a report asks for the same few
def share(hits: int, comments: int) -> Share | None:
    """hits / comments with its interval; None where there are no comments to speak of."""
    if not comments:
        return None
    z = NormalDist().inv_cdf(0.975)
    value, weight = hits / comments, comments + z**2
    middle = (hits + z**2 / 2) / weight
    reach = z / weight * math.sqrt(comments * value * (1 - value) + z**2 / 4)
    return Share(value, max(middle - reach, 0.0), min(middle + reach, 1.0), comments)


def accuracy(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    hits = int((called(probabilities) == np.asarray(labels)).sum())
    return share(hits, len(labels))


def guessing(labels: Sequence[int]) -> float:
    """The accuracy of always answering what most comments are, at no cost at all."""
    toxic = sum(labels) / max(len(labels), 1)
    return max(toxic, 1 - toxic)


def roc_auc(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """The chance that a toxic comment scores above another; None where a class is missing."""
    if len(set(labels)) < 2:
        return None
    return float(Curve.once(labels, probabilities).roc_auc()[0])


def balanced_accuracy(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """The mean of both classes' recall; None where a class is missing."""
    if len(set(labels)) < 2:
        return None
    counts = confusion(probabilities, labels)
    return float((counts.diagonal() / counts.sum(axis=1)).mean())


def f1(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """The harmonic mean of precision and recall; None where no comment is toxic."""
    if 1 not in labels:
        return None
    (_, alarms), (missed, hits) = confusion(probabilities, labels)
    return float(2 * hits / (2 * hits + alarms + missed))


def average_precision(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Precision at each toxic comment's threshold, on average; None where a class is missing."""
    if len(set(labels)) < 2:
        return None
    return float(Curve.once(labels, probabilities).average_precision()[0])


def brier(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Mean squared difference of probability and label, 0 to 1, 0 is best (Brier 1950)."""
    if not labels:
        return None
    return float(np.square(np.asarray(probabilities) - np.asarray(labels)).mean())


def calibration_error(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Expected calibration error, 0 to 1, 0 is best (Naeini, Cooper, Hauskrecht 2015).

    In `BINS` bins of equal width, how far mean probability is from the share of toxic comments,
    averaged by the bins' number of comments.
    """
    if not labels:
        return None
    gaps = np.asarray(probabilities) - np.asarray(labels)
    return float(np.abs(np.bincount(bins(probabilities), gaps)).sum() / len(labels))


def bins(probabilities: Sequence[float]) -> npt.NDArray[np.int64]:
    """The calibration bin, 0 to BINS - 1, of each probability, shape (n,); 1.0 is in the last."""
    numbers = np.floor(np.asarray(probabilities) * BINS).astype(np.int64)
    return np.asarray(np.minimum(numbers, BINS - 1))


def precision(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    """Of the comments called toxic, the share that is."""
    toxic = called(probabilities)
    return share(int((toxic & (np.asarray(labels) == 1)).sum()), int(toxic.sum()))


def recall(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    """Of the toxic comments, the share that is called so."""
    toxic = np.asarray(labels) == 1
    return share(int((called(probabilities) & toxic).sum()), int(toxic.sum()))


def at_recall(
    probabilities: Sequence[float], labels: Sequence[int], recall: float
) -> tuple[float, float] | None:
    """Precision at the highest threshold that reaches a recall, and that threshold.

    Some threshold always does, if only by calling every comment toxic; None where none is toxic.
    """
    if 1 not in labels:
        return None
    precision, threshold = Curve.once(labels, probabilities).at_recall(recall)
    return float(precision[0]), float(threshold[0])


def confusion(probabilities: Sequence[float], labels: Sequence[int]) -> npt.NDArray[np.int64]:
    """Counts, shape (2, 2): rows are the true class, columns the one called; 0 first."""
    classes = 2 * np.asarray(labels, np.int64) + called(probabilities)
    return np.asarray(np.bincount(classes, minlength=4).reshape(2, 2))


def called(probabilities: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Which comments are called toxic, shape (n,)."""
    return np.asarray(np.asarray(probabilities) >= THRESHOLD)


@dataclass(frozen=True)
class Measure:
    """One figure of quality: how it is called and written, and how it is had from scores."""

    heading: str
    point: Callable[[Sequence[float], Sequence[int]], Share | float | None]
    percent: bool = False
    undefined: str = "only one class among these comments"

    def value(self, probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
        """The figure of all comments; None where it is not defined, for `undefined`."""
        found = self.point(probabilities, labels)
        return found.value if isinstance(found, Share) else found


ROC_AUC = Measure("ROC AUC", roc_auc)
AVERAGE_PRECISION = Measure("average precision", average_precision)
BRIER = Measure("Brier score", brier)
CALIBRATION_ERROR = Measure("calibration error", calibration_error)
ACCURACY = Measure("accuracy", accuracy, percent=True)
BALANCED_ACCURACY = Measure("balanced accuracy", balanced_accuracy, percent=True)
PRECISION = Measure("precision", precision, percent=True, undefined="no comment is called toxic")
RECALL = Measure("recall", recall, percent=True)
F1 = Measure("F1", f1, percent=True)

#: of the comments called toxic or not, at THRESHOLD
DECISIONS = (ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1)
#: of the probabilities
SCORES = (ROC_AUC, AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)
