"""How many labels are wrong: an estimate by confident learning (Northcutt, Jiang, Chuang 2021).

It looks for comments that a model which has not seen them holds, confidently, for another class than
their label. The model is a quick one, so hard comments count as wrong labels too: a figure to look
into, not to quote. The library is cleanlab.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_FOLDS = 5
_SEED = 42
_FEATURES = 2**16
#: with fewer comments a model says little of any one of them
FEWEST = 100
_MOST_SUSPECTS = 100

_Labels = npt.NDArray[np.int64]
_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Labels that look wrong, by side; None for the reason given."""

    train: int | None
    test: int | None
    model_accuracy: float | None  # of the model that says so, cross-validated on the training side
    suspects: tuple[str, ...] = ()  # ids of test comments, the likeliest wrong ones first
    reason: str = ""


def estimate(
    train_texts: Sequence[str],
    train_labels: _Labels,
    test_texts: Sequence[str],
    test_labels: _Labels,
    test_ids: Sequence[str],
) -> Noise:
    """Estimate from out-of-sample probabilities of a tf-idf logistic regression.

    Those of the training side are cross-validated, those of the test side of a model of all the
    training side.
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

    # Hashing knows no vocabulary, so any script has words, and no text is without all of them.
    words = HashingVectorizer(n_features=_FEATURES, alternate_sign=False, norm=None)
    model = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(max_iter=1000))
    train, test = words.transform(train_texts), words.transform(test_texts)
    told = np.flatnonzero(train.getnnz(axis=0) >= 2)  # a word of one comment alone tells nothing
    if not len(told):
        return _unknown("no word is in two of the training comments: nothing to judge labels by")
    train, test = train[:, told], test[:, told]
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
    # On vectors this short, threads of BLAS wait for each other more than they compute.
    with threadpool_limits(1, "blas"):
        held_out = cross_val_predict(model, train, train_labels, cv=folds, method="predict_proba")
        tested = model.fit(train, train_labels).predict_proba(test)
    accuracy = float((held_out.argmax(axis=1) == train_labels).mean())
    guessing = float(np.bincount(train_labels).max() / len(train_labels))
    if accuracy <= guessing + 2 * np.sqrt(guessing * (1 - guessing) / len(train_labels)):
        return _unknown(
            f"a tf-idf logistic regression tells {100 * accuracy:.0f} % of the training comments right, "
            "no better than guessing: it cannot judge labels"
        )
    suspects = _issues(test_labels, tested)
    return Noise(
        len(_issues(train_labels, held_out)),
        len(suspects),
        accuracy,
        tuple(test_ids[place] for place in suspects[:_MOST_SUSPECTS]),
    )


def _unknown(reason: str) -> Noise:
    return Noise(None, None, None, reason=reason)


def _issues(labels: _Labels, probabilities: _Matrix) -> list[int]:
    """Places of labels that look wrong, the likeliest first."""
    from cleanlab.filter import find_label_issues

    # More processes would take longer to start than to do this.
    places = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(place) for place in places]
