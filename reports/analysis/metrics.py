"""How good a classifier is: from probabilities and labels to figures.

Probabilities are those of the positive class, shape (n,), where there are two classes, else of every
class, (n, classes); labels are class indices, (n,). Of more classes than two, macro figures are means
over those that occur among the comments, each counted alike however rare it is.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from worthit.reports.analysis.ranking_curve import Curve, mean_defined, one_vs_rest

Floats = npt.NDArray[np.float64]

# Called the positive class from here on; on a balanced set neither class is favoured.
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


def accuracy(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    hits = int((called(probabilities) == np.asarray(labels)).sum())
    return share(hits, len(labels))


def guessing(labels: Sequence[int]) -> float:
    """The accuracy of always answering what most comments are, at no cost at all."""
    return float(np.bincount(labels).max() / len(labels)) if labels else 1.0


def roc_auc(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The chance that a positive comment scores above another; None where a class is missing.

    Of more classes than two the macro mean of each class against the rest.
    """
    if len(set(labels)) < 2:
        return None
    curves = one_vs_rest(np.ones((len(labels), 1)), labels, probabilities)
    return float(mean_defined([curve.roc_auc() for curve in curves])[0])


def balanced_accuracy(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The mean recall of the classes, which is macro recall; None where only one occurs."""
    if len(set(labels)) < 2:
        return None
    counts = confusion(probabilities, labels)
    occurs = counts.sum(axis=1) > 0
    return float((counts.diagonal()[occurs] / counts.sum(axis=1)[occurs]).mean())


def f1(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The harmonic mean of precision and recall; None where no comment is positive."""
    if 1 not in labels:
        return None
    (_, alarms), (missed, hits) = confusion(probabilities, labels)
    return float(2 * hits / (2 * hits + alarms + missed))


def macro_precision(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The mean precision of the classes that occur, 0 of one that no comment is called."""
    if not labels:
        return None
    counts = confusion(probabilities, labels)
    occurs = counts.sum(axis=1) > 0
    return float((counts.diagonal() / np.maximum(counts.sum(axis=0), 1))[occurs].mean())


def macro_f1(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The mean F1 of the classes that occur."""
    if not labels:
        return None
    counts = confusion(probabilities, labels)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    occurs = counts.sum(axis=1) > 0
    return float((2 * counts.diagonal()[occurs] / both[occurs]).mean())


def average_precision(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """Precision at each positive comment's threshold, on average; None where a class is missing.

    Of more classes than two the macro mean of each against the rest.
    """
    if len(set(labels)) < 2:
        return None
    curves = one_vs_rest(np.ones((len(labels), 1)), labels, probabilities)
    return float(mean_defined([curve.average_precision() for curve in curves])[0])


def brier(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """Mean squared difference of probability and label, 0 to 1, 0 is best (Brier 1950).

    Of more classes than two as Brier has it, 0 to 2: the squared differences of all classes'
    probabilities from 1 for the true class and 0 for the others, summed. Of two classes that would
    be twice as much.
    """
    return float(squares(probabilities, labels).mean()) if labels else None


def squares(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Floats:
    """What the Brier score is the mean of, shape (n,)."""
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == 1:
        return np.asarray(np.square(scores - truth))
    gaps = scores - (truth[:, None] == np.arange(scores.shape[1]))
    return np.asarray(np.square(gaps).sum(axis=1))


def calibration_error(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """Expected calibration error, 0 to 1, 0 is best (Naeini, Cooper, Hauskrecht 2015).

    In `BINS` bins of equal width, how far mean probability is from the share of positive comments,
    averaged by the bins' number of comments. Of more classes than two it is that of the class
    called, and the share of comments called right (Guo et al. 2017).
    """
    if not labels:
        return None
    claims, hits = claimed(probabilities, labels)
    return float(np.abs(np.bincount(bins(claims), claims - hits)).sum() / len(labels))


def claimed(
    probabilities: npt.ArrayLike, labels: Sequence[int]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The probabilities whose calibration is looked at, and which came true, shape (n,) each."""
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == 1:
        return scores, truth == 1
    return scores.max(axis=1), called(scores) == truth


def bins(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The calibration bin, 0 to BINS - 1, of each probability, shape (n,); 1.0 is in the last."""
    numbers = np.floor(np.asarray(probabilities) * BINS).astype(np.int64)
    return np.asarray(np.minimum(numbers, BINS - 1))


def precision(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    """Of the comments called positive, the share that is."""
    positive = called(probabilities) == 1
    return share(int((positive & (np.asarray(labels) == 1)).sum()), int(positive.sum()))


def recall(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    """Of the positive comments, the share that is called so."""
    positive = np.asarray(labels) == 1
    return share(int(((called(probabilities) == 1) & positive).sum()), int(positive.sum()))


def at_recall(
    probabilities: npt.ArrayLike, labels: Sequence[int], recall: float
) -> tuple[float, float] | None:
    """Precision at the highest threshold that reaches a recall, and that threshold.

    Some threshold always does, if only by calling every comment positive; None where none is.
    """
    if 1 not in labels:
        return None
    precision, threshold = Curve.once(labels, probabilities).at_recall(recall)
    return float(precision[0]), float(threshold[0])


def confusion(probabilities: npt.ArrayLike, labels: Sequence[int]) -> npt.NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are the true class, columns the one called."""
    scores = np.asarray(probabilities)
    kinds = 2 if scores.ndim == 1 else scores.shape[1]
    cells = kinds * np.asarray(labels, np.int64) + called(scores)
    return np.asarray(np.bincount(cells, minlength=kinds**2).reshape(kinds, kinds))


def called(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The class each comment is called, shape (n,): of several as likely the first by index."""
    scores = np.asarray(probabilities)
    if scores.ndim == 1:
        return (scores >= THRESHOLD).astype(np.int64)
    return np.asarray(scores.argmax(axis=1))


def sureness(probabilities: npt.ArrayLike) -> Floats:
    """The probability of the likeliest class, shape (n,)."""
    scores = np.asarray(probabilities)
    return np.asarray(np.maximum(scores, 1 - scores) if scores.ndim == 1 else scores.max(axis=1))


@dataclass(frozen=True)
class Measure:
    """One figure of quality: how it is called and written, and how it is had from scores."""

    heading: str
    point: Callable[[npt.ArrayLike, Sequence[int]], Share | float | None]
    percent: bool = False
    undefined: str = "only one class among these comments"

    def value(self, probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
        """The figure of all comments; None where it is not defined, for `undefined`."""
        found = self.point(probabilities, labels)
        return found.value if isinstance(found, Share) else found


ROC_AUC = Measure("ROC AUC", roc_auc)
AVERAGE_PRECISION = Measure("average precision", average_precision)
BRIER = Measure("Brier score", brier)
CALIBRATION_ERROR = Measure("calibration error", calibration_error)
ACCURACY = Measure("accuracy", accuracy, percent=True)
BALANCED_ACCURACY = Measure("balanced accuracy", balanced_accuracy, percent=True)
PRECISION = Measure("precision", precision, percent=True, undefined="no comment is called positive")
RECALL = Measure("recall", recall, percent=True)
F1 = Measure("F1", f1, percent=True)

#: of the comments called positive or not, at THRESHOLD
DECISIONS = (ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1)
#: of the probabilities
SCORES = (ROC_AUC, AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)

MACRO_RECALL = Measure("balanced accuracy (macro recall)", balanced_accuracy, percent=True)
MACRO_PRECISION = Measure("macro precision", macro_precision, percent=True)
MACRO_F1 = Measure("macro F1", macro_f1, percent=True)
MACRO_ROC_AUC = Measure("macro ROC AUC", roc_auc)
MACRO_AVERAGE_PRECISION = Measure("macro average precision", average_precision)

#: of more classes than two: of the classes that comments are called
MACRO_DECISIONS = (ACCURACY, MACRO_RECALL, MACRO_PRECISION, MACRO_F1)
#: and of their probabilities
MACRO_SCORES = (MACRO_ROC_AUC, MACRO_AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)
