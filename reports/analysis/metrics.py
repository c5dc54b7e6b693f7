"""Metrics of classification quality: from probabilities and labels to figures.

Of two classes, probabilities are those of the positive class, shape (n,). Of more classes they are
those of every class, shape (n, classes). Labels are class indices, shape (n,). Macro figures are
means over the classes that occur among the comments, each with the same weight.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from worthit.reports.analysis.ranking_curve import Curve, mean_defined, one_vs_rest

Floats = npt.NDArray[np.float64]

#: a comment is predicted positive from this probability on
THRESHOLD = 0.5
#: significance level: a difference counts if its p value is smaller
ALPHA = 0.05
#: of calibration: bins of equal width, from probability 0 to 1
BINS = 10


@dataclass(frozen=True)
class Share:
    """A share of comments, with its 95 % interval."""

    value: float
    low: float
    high: float
    comments: int


def share(hits: int, comments: int) -> Share | None:
    """hits / comments with its Wilson interval (Wilson 1927); None without comments.

    Equal to `scipy.stats.binomtest(...).proportion_ci(method="wilson")`, which tests check. Importing
    scipy.stats takes 0.4 s, longer than rendering most reports.
    """
    if not comments:
        return None
    z = NormalDist().inv_cdf(0.975)
    value, weight = hits / comments, comments + z**2
    middle = (hits + z**2 / 2) / weight
    reach = z / weight * math.sqrt(comments * value * (1 - value) + z**2 / 4)
    return Share(value, max(middle - reach, 0.0), min(middle + reach, 1.0), comments)


def accuracy(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    """The share of comments classified correctly."""
    hits = int((predicted(probabilities) == np.asarray(labels)).sum())
    return share(hits, len(labels))


def majority_accuracy(labels: Sequence[int]) -> float:
    """The accuracy of predicting the most common class for every comment."""
    return float(np.bincount(labels).max() / len(labels)) if labels else 1.0


def roc_auc(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The probability that a positive comment scores above a negative one.

    Of more than two classes, the mean over one-vs-rest areas. None if only one class occurs.
    """
    if len(set(labels)) < 2:
        return None
    curves = one_vs_rest(np.ones((len(labels), 1)), labels, probabilities)
    return float(mean_defined([curve.roc_auc() for curve in curves])[0])


def balanced_accuracy(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The mean recall of the classes (macro recall); None if only one class occurs."""
    if len(set(labels)) < 2:
        return None
    counts = confusion(probabilities, labels)
    occurs = counts.sum(axis=1) > 0
    return float((counts.diagonal()[occurs] / counts.sum(axis=1)[occurs]).mean())


def f1(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The harmonic mean of precision and recall; None without positive comments."""
    if 1 not in labels:
        return None
    (_, alarms), (missed, hits) = confusion(probabilities, labels)
    return float(2 * hits / (2 * hits + alarms + missed))


def macro_precision(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """The mean precision of the classes that occur; 0 for a class that is never predicted."""
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
    """The mean precision over the thresholds of the positive comments.

    Of more than two classes, the mean over one-vs-rest values. None if only one class occurs.
    """
    if len(set(labels)) < 2:
        return None
    curves = one_vs_rest(np.ones((len(labels), 1)), labels, probabilities)
    return float(mean_defined([curve.average_precision() for curve in curves])[0])


def brier(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """Mean squared difference of probability and label (Brier 1950); 0 is best.

    From 0 to 1 for two classes. For more classes, Brier's original sum over all classes, from 0 to 2.
    """
    return float(squares(probabilities, labels).mean()) if labels else None


def squares(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Floats:
    """The Brier score of each comment, shape (n,)."""
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == 1:
        return np.asarray(np.square(scores - truth))
    gaps = scores - (truth[:, None] == np.arange(scores.shape[1]))
    return np.asarray(np.square(gaps).sum(axis=1))


def calibration_error(probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
    """Expected calibration error, from 0 to 1 (Naeini, Cooper, Hauskrecht 2015); 0 is best.

    The difference of mean probability and share of positive comments in `BINS` bins of equal width,
    weighted by comments. For more than two classes, of the predicted class (Guo et al. 2017).
    """
    if not labels:
        return None
    claims, hits = calibration_pairs(probabilities, labels)
    return float(np.abs(np.bincount(bins(claims), claims - hits)).sum() / len(labels))


def calibration_pairs(
    probabilities: npt.ArrayLike, labels: Sequence[int]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The probabilities to calibrate, and whether each event occurred; shape (n,) each."""
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == 1:
        return scores, truth == 1
    return scores.max(axis=1), predicted(scores) == truth


def bins(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The calibration bin of each probability, 0 to BINS - 1, shape (n,)."""
    numbers = np.floor(np.asarray(probabilities) * BINS).astype(np.int64)
    return np.asarray(np.minimum(numbers, BINS - 1))


def precision(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    """The share of the comments predicted positive that are positive."""
    positive = predicted(probabilities) == 1
    return share(int((positive & (np.asarray(labels) == 1)).sum()), int(positive.sum()))


def recall(probabilities: npt.ArrayLike, labels: Sequence[int]) -> Share | None:
    """The share of the positive comments that are predicted positive."""
    positive = np.asarray(labels) == 1
    return share(int(((predicted(probabilities) == 1) & positive).sum()), int(positive.sum()))


def at_recall(
    probabilities: npt.ArrayLike, labels: Sequence[int], recall: float
) -> tuple[float, float] | None:
    """Precision at the highest threshold that reaches a recall, and that threshold.

    None without positive comments.
    """
    if 1 not in labels:
        return None
    precision, threshold = Curve.once(labels, probabilities).at_recall(recall)
    return float(precision[0]), float(threshold[0])


def confusion(probabilities: npt.ArrayLike, labels: Sequence[int]) -> npt.NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are true classes, columns predicted classes."""
    scores = np.asarray(probabilities)
    kinds = 2 if scores.ndim == 1 else scores.shape[1]
    cells = kinds * np.asarray(labels, np.int64) + predicted(scores)
    return np.asarray(np.bincount(cells, minlength=kinds**2).reshape(kinds, kinds))


def predicted(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The predicted class of each comment, shape (n,); the first of equally probable ones."""
    scores = np.asarray(probabilities)
    if scores.ndim == 1:
        return (scores >= THRESHOLD).astype(np.int64)
    return np.asarray(scores.argmax(axis=1))


def confidence(probabilities: npt.ArrayLike) -> Floats:
    """The probability of the predicted class, shape (n,)."""
    scores = np.asarray(probabilities)
    return np.asarray(np.maximum(scores, 1 - scores) if scores.ndim == 1 else scores.max(axis=1))


@dataclass(frozen=True)
class Measure:
    """One metric: its heading and format, and how to compute it from probabilities."""

    heading: str
    point: Callable[[npt.ArrayLike, Sequence[int]], Share | float | None]
    percent: bool = False
    undefined: str = "only one class among these comments"

    def value(self, probabilities: npt.ArrayLike, labels: Sequence[int]) -> float | None:
        """The metric over all comments; None where it is not defined (see `undefined`)."""
        found = self.point(probabilities, labels)
        return found.value if isinstance(found, Share) else found


ROC_AUC = Measure("ROC AUC", roc_auc)
AVERAGE_PRECISION = Measure("average precision", average_precision)
BRIER = Measure("Brier score", brier)
CALIBRATION_ERROR = Measure("calibration error", calibration_error)
ACCURACY = Measure("accuracy", accuracy, percent=True)
BALANCED_ACCURACY = Measure("balanced accuracy", balanced_accuracy, percent=True)
PRECISION = Measure(
    "precision", precision, percent=True, undefined="no comment is predicted positive"
)
RECALL = Measure("recall", recall, percent=True)
F1 = Measure("F1", f1, percent=True)

#: of the predictions at THRESHOLD
DECISIONS = (ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1)
#: of the probabilities
SCORES = (ROC_AUC, AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)

MACRO_RECALL = Measure("balanced accuracy (macro recall)", balanced_accuracy, percent=True)
MACRO_PRECISION = Measure("macro precision", macro_precision, percent=True)
MACRO_F1 = Measure("macro F1", macro_f1, percent=True)
MACRO_ROC_AUC = Measure("macro ROC AUC", roc_auc)
MACRO_AVERAGE_PRECISION = Measure("macro average precision", average_precision)

#: the same for more than two classes: of the predicted classes
MACRO_DECISIONS = (ACCURACY, MACRO_RECALL, MACRO_PRECISION, MACRO_F1)
#: and of the probabilities
MACRO_SCORES = (MACRO_ROC_AUC, MACRO_AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)
