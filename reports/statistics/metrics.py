"""Metrics of classification quality: from probabilities and labels to figures.

Of two classes, probabilities are those of the positive class, shape (n,). Of more classes they are
those of every class, shape (n, classes). Labels are class indices, shape (n,). Macro figures are
means over the classes that occur among the comments, each with the same weight.

If a comment has any number of labels, labels are 0 and 1, shape (n, labels): their two dimensions tell this
kind apart. Probabilities have the same shape, and are independent. A label is predicted from `THRESHOLD` on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from worthit.bench.saved.record import significant
from worthit.reports.statistics.ranking_curve import (
    Curve,
    Matrix,
    Vector,
    mean_defined,
    one_vs_rest,
    ratio,
)
from worthit.reports.text.format import percent

Floats = npt.NDArray[np.float64]
#: class indices, shape (n,), or 0 and 1 for each of several labels, (n, labels)
Truth = Sequence[int] | npt.NDArray[np.int64]

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
    return wilson(hits / comments, comments) if comments else None


def wilson(value: float, comments: int) -> Share:
    """A share with its Wilson interval; the mean of several shares of the same comments too."""
    z = NormalDist().inv_cdf(0.975)
    weight = comments + z**2
    hits = value * comments
    middle = (hits + z**2 / 2) / weight
    reach = z / weight * math.sqrt(comments * value * (1 - value) + z**2 / 4)
    # Rounding may put the end at 0 or 1 on the wrong side of a share of 0 or 1.
    low, high = min(middle - reach, value), max(middle + reach, value)
    return Share(value, max(low, 0.0), min(high, 1.0), comments)


def correct(probabilities: npt.ArrayLike, labels: Truth) -> npt.NDArray[np.bool_]:
    """Whether each comment is classified correctly, of several labels in all of them; shape (n,)."""
    if np.ndim(labels) == 2:
        return np.asarray((flagged(probabilities) == np.asarray(labels)).all(axis=1))
    return np.asarray(predicted(probabilities) == np.asarray(labels))


def accuracy(probabilities: npt.ArrayLike, labels: Truth) -> Share | None:
    """The share of comments classified correctly."""
    return share(int(correct(probabilities, labels).sum()), len(labels))


def majority_accuracy(labels: Truth) -> float:
    """The accuracy of the most common class, or set of labels, as the answer to every comment."""
    if not len(labels):
        return 1.0
    return float(np.unique(labels, axis=0, return_counts=True)[1].max() / len(labels))


def roc_auc(probabilities: npt.ArrayLike, labels: Truth) -> float | None:
    """ROC AUC, the mean over classes or labels; None if only one class, or no label, occurs."""
    if not len(labels):
        return None
    area = float(roc_aucs(np.ones((len(labels), 1)), labels, probabilities)[0])
    return None if np.isnan(area) else area


def roc_aucs(times: Matrix, labels: Truth, probabilities: npt.ArrayLike) -> Vector:
    """`roc_auc` in each resample, shape (resamples,); NaN where only one class occurs."""
    areas = [curve.roc_auc() for curve in one_vs_rest(times, labels, probabilities)]
    return mean_defined(areas) if areas else np.full(times.shape[1], np.nan)


def calibration_pairs(
    probabilities: npt.ArrayLike, labels: Truth
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The probabilities to calibrate, and whether each event occurred.

    Returns:
        Shape (n,) each; of several labels (n, labels).
    """
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == 1 or truth.ndim == 2:
        return scores, truth == 1
    return scores.max(axis=1), predicted(scores) == truth


def bins(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The calibration bin of each probability, 0 to BINS - 1, shape (n,)."""
    numbers = np.floor(np.asarray(probabilities) * BINS).astype(np.int64)
    return np.asarray(np.minimum(numbers, BINS - 1))


def at_recall(
    probabilities: npt.ArrayLike,
    labels: Sequence[int],
    recall: float,
    weights: npt.ArrayLike | None = None,
) -> tuple[float, float] | None:
    """Precision at the highest threshold that reaches a recall, and that threshold.

    None without positive comments.

    Args:
        weights: how much each comment counts, shape (n,); once by default.
    """
    if 1 not in labels:
        return None
    curve = Curve.of(_once(labels, weights), labels, probabilities)
    precision, threshold = curve.at_recall(recall)
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


def flagged(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The predicted labels of each comment, 0 and 1, shape (n, labels)."""
    return (np.asarray(probabilities) >= THRESHOLD).astype(np.int64)


def confidence(probabilities: npt.ArrayLike) -> Floats:
    """The probability of the predicted class, shape (n,)."""
    scores = np.asarray(probabilities)
    return np.asarray(np.maximum(scores, 1 - scores) if scores.ndim == 1 else scores.max(axis=1))


@dataclass(frozen=True)
class Measure:
    """One metric: its heading, how tables write it, and why it may not be defined."""

    heading: str
    number: Callable[[float], str] = "{:.3f}".format
    undefined: str = "only one class among these comments"

    def value(self, probabilities: npt.ArrayLike, labels: Truth) -> float | None:
        """The metric over all comments; None where it is not defined."""
        return values(probabilities, labels)[self]


ROC_AUC = Measure("ROC AUC")
AVERAGE_PRECISION = Measure("average precision")
BRIER = Measure("Brier score")
CALIBRATION_ERROR = Measure("calibration error")
ACCURACY = Measure("accuracy", percent)
BALANCED_ACCURACY = Measure("balanced accuracy", percent)
PRECISION = Measure("precision", percent, undefined="no comment is predicted positive")
RECALL = Measure("recall", percent)
F1 = Measure("F1", percent)
#: by which costs of errors decide: money per 1,000 comments that the best constant answer costs more
SAVED_COST = Measure("cost saved per 1,000 comments", significant, undefined="no costs of errors")

#: of the predictions at THRESHOLD
DECISIONS = (ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, F1)
#: of the probabilities
SCORES = (ROC_AUC, AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)

MACRO_RECALL = Measure("balanced accuracy (macro recall)", percent)
MACRO_PRECISION = Measure("macro precision", percent)
MACRO_F1 = Measure("macro F1", percent)
MACRO_ROC_AUC = Measure("macro ROC AUC")
MACRO_AVERAGE_PRECISION = Measure("macro average precision")

#: the same for more than two classes: of the predicted classes
MACRO_DECISIONS = (ACCURACY, MACRO_RECALL, MACRO_PRECISION, MACRO_F1)
#: and of the probabilities
MACRO_SCORES = (MACRO_ROC_AUC, MACRO_AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)

SUBSET_ACCURACY = Measure("subset accuracy", percent)
MICRO_F1 = Measure("micro F1", percent, undefined="no test comment has a label")
LABEL_F1 = Measure("macro F1", percent, undefined="no test comment has a label")
LABEL_ROC_AUC = Measure("macro ROC AUC", undefined="no label has test comments with and without it")
LABEL_AVERAGE_PRECISION = replace(LABEL_ROC_AUC, heading="macro average precision")

#: of several labels, macro over those that occur: of the predicted labels
LABEL_DECISIONS = (LABEL_F1, MICRO_F1, SUBSET_ACCURACY)
#: and of the probabilities, those of all labels together
LABEL_SCORES = (LABEL_ROC_AUC, LABEL_AVERAGE_PRECISION, BRIER, CALIBRATION_ERROR)


def values(
    probabilities: npt.ArrayLike, labels: Truth, weights: npt.ArrayLike | None = None
) -> dict[Measure, float | None]:
    """Each metric over all comments; None where it is not defined (see `Measure.undefined`).

    Args:
        weights: how much each comment counts, shape (n,); once by default.
    """
    once = resampled(_once(labels, weights), labels, probabilities)
    return {measure: None if np.isnan(at[0]) else float(at[0]) for measure, at in once.items()}


def _once(labels: Truth, weights: npt.ArrayLike | None) -> Matrix:
    """One resample with all comments, shape (n, 1)."""
    if weights is None:
        return np.ones((len(labels), 1))
    return np.asarray(weights, np.float64)[:, None]


def resampled(times: Matrix, labels: Truth, probabilities: npt.ArrayLike) -> dict[Measure, Vector]:
    """Each metric in each resample, shape (resamples,); NaN where it is not defined.

    Args:
        times: how often each comment is in each resample, or how much it counts, shape (n, resamples).
    """
    of_answers = _of_two if np.ndim(probabilities) == 1 else _of_many
    if np.ndim(labels) == 2:
        of_answers = _of_labels
    return {
        **of_answers(times, labels, probabilities),
        **_of_probabilities(times, labels, probabilities),
    }


def _of_two(times: Matrix, labels: Truth, scores: npt.ArrayLike) -> dict[Measure, Vector]:
    positive, called = np.asarray(labels) == 1, predicted(scores) == 1
    summed = np.stack([positive, ~positive, positive & called, ~positive & called])
    positives, negatives, hits, alarms = summed.astype(times.dtype) @ times
    everything = positives + negatives
    recall, specificity = ratio(hits, positives), ratio(negatives - alarms, negatives)
    curve = Curve.of(times, labels, scores)
    return {
        ACCURACY: ratio(hits + negatives - alarms, everything),
        BALANCED_ACCURACY: (recall + specificity) / 2,
        PRECISION: ratio(hits, hits + alarms),
        RECALL: recall,
        F1: np.where(positives > 0, ratio(2 * hits, hits + alarms + positives), np.nan),
        ROC_AUC: curve.roc_auc(),
        AVERAGE_PRECISION: curve.average_precision(),
    }


def _of_many(times: Matrix, labels: Truth, scores: npt.ArrayLike) -> dict[Measure, Vector]:
    truth, called = np.asarray(labels), predicted(scores)

    def by_class(classes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Matrix:
        """How often comments of each class are in each resample, shape (classes, resamples)."""
        entries = np.ones(len(rows), times.dtype), (classes[rows], rows)
        return np.asarray(csr_array(entries, (np.shape(scores)[1], len(times))) @ times)

    everything = np.arange(len(truth))
    true, answered = by_class(truth, everything), by_class(called, everything)
    hits = by_class(truth, np.flatnonzero(called == truth))
    occurs = true > 0
    recall = np.where(occurs.sum(axis=0) > 1, mean_defined(map(ratio, hits, true)), np.nan)
    # One curve at a time, to save memory.
    curves = one_vs_rest(times, labels, scores)
    areas, precisions = zip(
        *((curve.roc_auc(), curve.average_precision()) for curve in curves), strict=True
    )
    return {
        ACCURACY: ratio(hits.sum(axis=0), true.sum(axis=0)),
        MACRO_RECALL: recall,
        MACRO_PRECISION: mean_defined(np.where(occurs, _or_zero(hits, answered), np.nan)),
        MACRO_F1: mean_defined(np.where(occurs, _or_zero(2 * hits, true + answered), np.nan)),
        MACRO_ROC_AUC: mean_defined(areas),
        MACRO_AVERAGE_PRECISION: mean_defined(precisions),
    }


def _of_labels(times: Matrix, labels: Truth, scores: npt.ArrayLike) -> dict[Measure, Vector]:
    truth = np.asarray(labels)
    by_label = of_each_label(times, truth, np.asarray(scores))
    counted = np.stack([truth, flagged(scores), truth & flagged(scores)]).sum(axis=2)
    true, answered, hits = counted.astype(times.dtype) @ times
    everything = np.ones(len(truth), times.dtype) @ times
    return {
        LABEL_F1: mean_defined(of[F1] for of in by_label),
        MICRO_F1: np.where(true > 0, ratio(2 * hits, true + answered), np.nan),
        SUBSET_ACCURACY: ratio(correct(scores, labels).astype(times.dtype) @ times, everything),
        LABEL_ROC_AUC: mean_defined(of[ROC_AUC] for of in by_label),
        LABEL_AVERAGE_PRECISION: mean_defined(of[AVERAGE_PRECISION] for of in by_label),
    }


def of_each_label(
    times: Matrix, labels: npt.NDArray[np.int64], scores: Floats
) -> list[dict[Measure, Vector]]:
    """The figures of two classes, of each label against comments without it."""
    return [_of_two(times, truth, of) for truth, of in zip(labels.T, scores.T, strict=True)]


def _or_zero(part: Matrix, whole: Matrix) -> Matrix:
    """part / whole; 0 where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def _of_probabilities(
    times: Matrix, labels: Truth, probabilities: npt.ArrayLike
) -> dict[Measure, Vector]:
    """Brier's original score (1950) and the expected calibration error (Naeini et al. 2015).

    The Brier score is from 0 to 1 for two classes. For more classes it is the sum over all classes,
    from 0 to 2, and for several labels the mean over them. The calibration error is the difference of mean
    probability and share of positive comments in `BINS` bins, weighted by comments; for more than two
    classes, of the predicted class
    (Guo et al. 2017). Of several labels, it is that of all their probabilities together.
    """
    scores, truth = np.asarray(probabilities), np.asarray(labels)
    if scores.ndim == truth.ndim:
        squares = np.square(scores - truth)
    else:
        squares = np.square(scores - (truth[:, None] == np.arange(scores.shape[1]))).sum(axis=1)
    claims, hits = calibration_pairs(scores, labels)
    gaps = np.stack([(claims - hits) * (bins(claims) == number) for number in range(BINS)])
    if claims.ndim == 2:
        squares, gaps, claims = squares.mean(axis=1), gaps.mean(axis=2), claims[:, 0]
    summed = np.stack([np.ones(len(claims)), squares, *gaps]).astype(times.dtype) @ times
    return {
        BRIER: ratio(summed[1], summed[0]),
        CALIBRATION_ERROR: ratio(np.abs(summed[2:]).sum(axis=0), summed[0]),
    }
