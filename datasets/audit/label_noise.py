"""How many labels are wrong: an estimate by confident learning (Northcutt, Jiang, Chuang 2021).

A model that has not seen a comment predicts another class than its label, with confidence. The model is a
quick one, so hard comments count as wrong labels too: investigate the estimate before you quote it. The
library is cleanlab.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.datasets.splits.manifest import Count, Share

METHOD = "confident learning with a tf-idf logistic regression"
CAVEAT = "hard comments count as wrong labels too"

_FOLDS = 5
_SEED = 42
_FEATURES = 2**16
#: with fewer comments a model is too poor to question labels
FEWEST = 100
_MOST_SUSPECTS = 100

_Labels = npt.NDArray[np.int64]
_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelNoise:
    """Labels that look wrong, by side; None for the reason given."""

    train: Count | None
    test: Count | None
    model_accuracy: Share | None  # of the judging model, cross-validated on the training side
    suspects: tuple[str, ...] = ()  # ids of test comments, most likely wrong first
    reason: str = ""
    method: str = METHOD


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
        return _unknown(
            f"{len(train_texts):,} training comments, {rarest:,} of the rarest class, are too few to "
            f"estimate it: it takes {FEWEST} and {_FOLDS}"
        )
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from threadpoolctl import threadpool_limits

    # Hashing needs no vocabulary, so it has features for words in any script.
    words = HashingVectorizer(n_features=_FEATURES, alternate_sign=False, norm=None)
    model = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(max_iter=1000))
    train, test = words.transform(train_texts), words.transform(test_texts)
    shared = np.flatnonzero(train.getnnz(axis=0) >= 2)  # a word of a single comment says nothing
    if not len(shared):
        return _unknown("no word occurs in two training comments: nothing to judge labels by")
    train, test = train[:, shared], test[:, shared]
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    # On vectors this short, BLAS threads wait for each other more than they compute.
    with threadpool_limits(1, "blas"):
        held_out = cross_val_predict(model, train, train_labels, cv=folds, method="predict_proba")
        tested = model.fit(train, train_labels).predict_proba(test)
    accuracy = float((held_out.argmax(axis=1) == train_labels).mean())
    guessing = float(np.bincount(train_labels).max() / len(train_labels))
    if accuracy <= guessing + 2 * np.sqrt(guessing * (1 - guessing) / len(train_labels)):
        return _unknown(
            f"a tf-idf logistic regression classifies {100 * accuracy:.0f} % of the training comments "
            "correctly, no better than guessing: it cannot judge labels"
        )
    suspects = _issues(test_labels, tested)
    return LabelNoise(
        len(_issues(train_labels, held_out)),
        len(suspects),
        accuracy,
        tuple(test_ids[place] for place in suspects[:_MOST_SUSPECTS]),
    )


def _unknown(reason: str) -> LabelNoise:
    return LabelNoise(None, None, None, reason=reason)


def _issues(labels: _Labels, probabilities: _Matrix) -> list[int]:
    """Places of labels that look wrong, most likely first."""
    from cleanlab.filter import find_label_issues

    # Starting more processes would take longer than this does.
    places = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(place) for place in places]
