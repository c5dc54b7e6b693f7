"""scikit-learn estimators on disk, without pickle: JSON for words and options, safetensors for numbers.

Any program reads them. (skops, the usual choice, imports all of scikit-learn, 100 MB that would count
as the model's memory, and spends 400 bytes on each n-gram of a vocabulary: 284 MB for tf-idf.)
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Labels, Probabilities
from worthit.models.features.vectorizer import Options, Vectorizer

Features: TypeAlias = npt.NDArray[np.floating] | sparse.csr_array


def fitted(head: LogisticRegression, features: Features, labels: Labels) -> LogisticRegression:
    """Fit a logistic regression, of more than two classes a multinomial one."""
    head.fit(features, labels)
    return _laid_out(head)


def _laid_out(head: LogisticRegression) -> LogisticRegression:
    """With each feature's weights for all classes side by side: else every product would copy them."""
    head.coef_ = np.asfortranarray(head.coef_)
    return head


def probabilities(head: LogisticRegression, *features: Features) -> Probabilities:
    """`predict_proba`, shape (n, k), without its checks, which take 0.2 ms a call.

    Args:
        features: shape (n, …) each, side by side what `head` was fitted on.
    """
    binary = len(head.classes_) == 2  # then one row of weights is for class 1
    weights = head.coef_[0] if binary else head.coef_.T
    scores, start = head.intercept_[0] if binary else head.intercept_, 0
    for part in features:
        scores = scores + part @ weights[start : start + part.shape[1]]
        start += part.shape[1]
    if binary:
        positive = expit(scores).astype(np.float64)
        return np.column_stack([1 - positive, positive])
    found: Probabilities = softmax(scores.astype(np.float64), axis=1)
    return found


def save_head(head: LogisticRegression, folder: Path) -> None:
    """Write a fitted logistic regression to `head.safetensors`, the weights as shape (k, …)."""
    stored = {"coef": np.ascontiguousarray(head.coef_), "intercept": head.intercept_}
    save_file(stored, folder / "head.safetensors")


def load_head(folder: Path) -> LogisticRegression:
    """Read back what `save_head` wrote."""
    stored = load_file(folder / "head.safetensors")
    head = LogisticRegression()
    head.coef_, head.intercept_ = stored["coef"], stored["intercept"]
    head.classes_ = np.arange(max(len(head.coef_), 2))
    return _laid_out(head)


def parameters(head: LogisticRegression) -> int:
    """How many numbers a fitted logistic regression has."""
    return int(head.coef_.size + head.intercept_.size)


def save_vectorizer(vectorizer: Vectorizer, folder: Path, name: str) -> None:
    """Write options and terms, in column order, to `name.json`, weights to `name.safetensors`."""
    stored = {"options": asdict(vectorizer.options), "terms": vectorizer.terms}
    (folder / f"{name}.json").write_text(json.dumps(stored), "utf-8")
    save_file({"idf": vectorizer.idf}, folder / f"{name}.safetensors")


def load_vectorizer(folder: Path, name: str) -> Vectorizer:
    """Read back what `save_vectorizer` wrote: a fitted vectorizer with the same columns."""
    stored = json.loads((folder / f"{name}.json").read_text("utf-8"))
    options = msgspec.convert(stored["options"], Options)
    idf = load_file(folder / f"{name}.safetensors")["idf"]
    return Vectorizer(options, stored["terms"], idf)
