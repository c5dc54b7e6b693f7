"""How good a classifier is: from probabilities and labels to figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score

# Called toxic from here on; on a balanced set neither class is favoured.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Share:
    """A share of comments, with its 95 % Wilson interval (Wilson 1927)."""

    value: float
    low: float
    high: float
    comments: int


def share(hits: int, comments: int) -> Share | None:
    """hits / comments with its interval; None where there are no comments to speak of."""
    if not comments:
        return None
    interval = binomtest(hits, comments).proportion_ci(method="wilson")
    return Share(hits / comments, float(interval.low), float(interval.high), comments)


def accuracy(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    hits = int((_called(probabilities) == np.asarray(labels)).sum())
    return share(hits, len(labels))


def roc_auc(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """The chance that a toxic comment scores above another; None where a class is missing."""
    return float(roc_auc_score(labels, probabilities)) if len(set(labels)) == 2 else None


def precision(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    """Of the comments called toxic, the share that is."""
    called = _called(probabilities)
    return share(int((called & (np.asarray(labels) == 1)).sum()), int(called.sum()))


def recall(probabilities: Sequence[float], labels: Sequence[int]) -> Share | None:
    """Of the toxic comments, the share that is called so."""
    toxic = np.asarray(labels) == 1
    return share(int((_called(probabilities) & toxic).sum()), int(toxic.sum()))


def confusion(probabilities: Sequence[float], labels: Sequence[int]) -> npt.NDArray[np.int64]:
    """Counts, shape (2, 2): rows are the true class, columns the one called; 0 first."""
    counts: npt.NDArray[np.int64] = confusion_matrix(
        labels, _called(probabilities).astype(int), labels=[0, 1]
    )
    return counts


def _called(probabilities: Sequence[float]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.asarray(probabilities) >= THRESHOLD)
