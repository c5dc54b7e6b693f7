"""How many labels are wrong, estimated where a judge is good enough to tell, and which ones to look at first.

The judge is a tf-idf logistic regression that has not seen the comment. It disagrees with wrong labels, and
with right ones of comments that are hard for it. Two properties separate them:

- Wrong labels do not become rarer where the judge is surer; hard comments do. So the estimate is the share
  of disagreements in the half of the comments of which the judge is surest, and the two quarters of this half
  must have about the same share. This is noise that does not depend on the comment, as Liu and Tao 2016,
  "Classification with Noisy Labels by Importance Reweighting", estimate it. Wrong labels of hard comments
  only, as tired annotators give them, are missed.
- Without the labels that it questions, the judge classifies nearly all comments correctly.

Calibration (an experiment of 2026-11-28; `noise_calibration` repeats the synthetic part): 506 synthetic sets
of 500 to 3,000 comments and 2 to 30 classes, of several difficulties, some with a rare class; and 22 sets of 800
or 4,000 comments of `wikipedia` whose raters agree. 0 to 30 % of the labels were changed, of all classes or of
every other one. With the limits below, 147 of the 528 sets get an estimate, each within a factor of 1.5 of the
truth or ±1 point; the factors are 0.80 to 1.37. So do 74 of 238 other sets, which chose no limit. Without
limits, 69 of 528 are further off; counting the labels that confident learning questions, 82.

Which labels look wrong is found by confident learning (Northcutt, Jiang, Chuang 2021; the library is cleanlab).
Its order helps even where their number is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worthit.datasets import words
from worthit.datasets.splits.manifest import Count, Share

METHOD = "disagreements of a tf-idf logistic regression where it is surest"
CAVEAT = "wrong labels that only hard comments have are missed"

_FOLDS = 5
_SEED = 42
_FEATURES = 2**16
#: with fewer comments a model is too poor to question labels
FEWEST = 100
#: with fewer comments the estimate depends too much on chance
FEWEST_TO_ESTIMATE = 400
#: least accuracy of the judge on the comments whose labels it does not question
LEAST_ACCURACY = 0.93
#: the less sure quarter may have this many times the disagreements of the surest, and a few more
_MOST_TIMES, _MORE = 1.3, 0.005
_MOST_SUSPECTS = 100

_Labels = npt.NDArray[np.int64]
_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelNoise:
    """Labels that look wrong; the number is None for the reason given."""

    train: Count | None  # of the training side, estimated
    questioned: Count | None = (
        None  # test labels that the judge questions; hard comments among them
    )
    model_accuracy: Share | None = None  # of the judge, cross-validated on the training side
    suspects: tuple[str, ...] = ()  # ids of questioned test comments, most likely wrong first
    reason: str = ""
    method: str = METHOD
    unquestioned_accuracy: Share | None = None  # of the judge, without the labels that it questions


def estimate(
    train_texts: Sequence[str],
    train_labels: _Labels,
    test_texts: Sequence[str],
    test_labels: _Labels,
    test_ids: Sequence[str],
) -> LabelNoise:
    """Estimate from out-of-sample probabilities of a tf-idf logistic regression.

    Probabilities of the training side are cross-validated. Those of the test side come from a model fitted
    to the whole training side.
    """
    rarest = int(np.bincount(train_labels).min())
    if len(train_texts) < FEWEST or rarest < _FOLDS:
        return LabelNoise(
            None,
            reason=f"{len(train_texts):,} training comments, {rarest:,} of the rarest class, are too few: "
            f"it takes {FEWEST_TO_ESTIMATE} and {_FOLDS}",
        )
    train, test = _counts(train_texts, test_texts)
    if not train.shape[1]:
        return LabelNoise(
            None, reason="no word occurs in two training comments: nothing to judge labels by"
        )
    held_out = _held_out(train, train_labels)
    accuracy = float((held_out.argmax(axis=1) == train_labels).mean())
    guessing = float(np.bincount(train_labels).max() / len(train_labels))
    if accuracy <= guessing + 2 * np.sqrt(guessing * (1 - guessing) / len(train_labels)):
        return LabelNoise(
            None,
            model_accuracy=accuracy,
            reason=f"a tf-idf logistic regression classifies {_percent(accuracy)} of the training comments "
            "correctly, no better than guessing: it cannot judge labels",
        )
    suspects = _issues(test_labels, _fitted(train, train_labels, test))
    unquestioned = _unquestioned_accuracy(train, train_labels, held_out)
    share, reason = _share(train_labels, held_out, accuracy, unquestioned)
    return LabelNoise(
        None if share is None else round(share * len(train_labels)),
        len(suspects),
        accuracy,
        tuple(test_ids[place] for place in suspects[:_MOST_SUSPECTS]),
        reason,
        unquestioned_accuracy=unquestioned,
    )


def _share(
    labels: _Labels, held_out: _Matrix, accuracy: float, unquestioned: float | None
) -> tuple[float | None, str]:
    """The estimated share of wrong labels, or None and the reason."""
    if len(labels) < FEWEST_TO_ESTIMATE:
        return None, f"{len(labels):,} training comments are too few: it takes {FEWEST_TO_ESTIMATE}"
    if unquestioned is None or unquestioned < LEAST_ACCURACY:
        reached = "too few of a class" if unquestioned is None else _percent(unquestioned)
        return None, (
            f"the judge, a tf-idf logistic regression, classifies {_percent(accuracy)} of the training comments "
            f"correctly, and {reached} of those whose labels it does not question; an estimate takes "
            f"{_percent(LEAST_ACCURACY)} of the latter"
        )
    disagrees = held_out.argmax(axis=1) != labels
    sureness = _sureness(held_out)
    surest, next_surest = (
        float(disagrees[(sureness >= low) & (sureness < low + 0.25)].mean()) for low in (0.75, 0.5)
    )
    if next_surest > _MOST_TIMES * surest + _MORE:
        return None, (
            f"the judge, a tf-idf logistic regression, disagrees with {_percent(surest)} of the labels where it "
            f"is surest and with {_percent(next_surest)} where it is a little less sure: hard comments cannot "
            "be told from wrong labels"
        )
    return float(disagrees[sureness >= 0.5].mean()), ""


def _sureness(probabilities: _Matrix) -> npt.NDArray[np.float64]:
    """The rank of each comment among those of its predicted class, from 0 to below 1, the surest last."""
    predicted, highest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    ranks = np.zeros(len(predicted))
    for label in np.unique(predicted):
        places = np.flatnonzero(predicted == label)
        order = places[np.argsort(highest[places], kind="stable")]
        ranks[order] = (np.arange(len(order)) + 0.5) / len(order)
    return ranks


def _unquestioned_accuracy(counts: Any, labels: _Labels, held_out: _Matrix) -> float | None:
    """The accuracy, cross-validated, without the comments whose labels look wrong; None if a class has too few."""
    rest = np.ones(len(labels), bool)
    rest[_issues(labels, held_out)] = False
    remaining = np.bincount(labels[rest], minlength=held_out.shape[1])
    if remaining.min() < _FOLDS:
        return None
    again = _held_out(counts[rest], labels[rest])
    return float((again.argmax(axis=1) == labels[rest]).mean())


def _counts(train_texts: Sequence[str], test_texts: Sequence[str]) -> tuple[Any, Any]:
    """How often words occur, of those in at least two training comments: shapes (n, words), (m, words)."""
    from sklearn.feature_extraction.text import HashingVectorizer

    # Hashing needs no vocabulary.
    hashing = HashingVectorizer(
        n_features=_FEATURES, alternate_sign=False, norm=None, analyzer=_words
    )
    train, test = hashing.transform(train_texts), hashing.transform(test_texts)
    shared = np.flatnonzero(train.getnnz(axis=0) >= 2)  # a word of a single comment says nothing
    return train[:, shared], test[:, shared]


def _words(text: str) -> list[str]:
    return words.split(text.lower(), shortest=2)


def _judge() -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    # Balanced, since wrong labels of one class only make the others more frequent.
    regression = LogisticRegression(max_iter=1000, class_weight="balanced")
    return make_pipeline(TfidfTransformer(sublinear_tf=True), regression)


def _held_out(counts: Any, labels: _Labels) -> _Matrix:
    """Cross-validated probabilities, shape (n, classes)."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    # On vectors this short, BLAS threads wait for each other more than they compute.
    with threadpool_limits(1, "blas"):
        return np.asarray(
            cross_val_predict(_judge(), counts, labels, cv=folds, method="predict_proba")
        )


def _fitted(train: Any, labels: _Labels, test: Any) -> _Matrix:
    """Probabilities of the test side, shape (m, classes)."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        return np.asarray(_judge().fit(train, labels).predict_proba(test))


def _issues(labels: _Labels, probabilities: _Matrix) -> list[int]:
    """Places of labels that look wrong, most likely first."""
    from cleanlab.filter import find_label_issues

    # Starting more processes would take longer than this does.
    places = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(place) for place in places]


def _percent(share: float) -> str:
    """Rounded down, so that a share below a limit never reads as the limit: `92.9 %`."""
    return f"{np.floor(1000 * share + 1e-9) / 10:.1f}".removesuffix(".0") + " %"
