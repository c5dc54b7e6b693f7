"""Fitted features and logistic regressions on disk, without pickle: JSON and safetensors.

Any program can read them. skops, the usual choice, imports all of scikit-learn (100 MB, which would
count as the model's memory) and needs 400 bytes per n-gram: 284 MB for tf-idf.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Labels, Probabilities, Weights
from worthit.models.features.vectorizer import NGramOptions, Vectorizer

Features: TypeAlias = npt.NDArray[np.floating] | sparse.csr_array

_HEAD = "head.safetensors"


def fit_head(
    features: Features,
    labels: Labels,
    weights: Weights | None = None,
    scales: npt.NDArray[np.float64] | None = None,
    **options: Any,
) -> LogisticRegression:
    """Fit a logistic regression; multinomial for more than two classes, one for each of several labels.

    Args:
        labels: shape (n,), class indices; or (n, labels), 0 or 1.
        weights: in the shape of the labels, how much each comment counts; None: the same.
        scales: shape (features,), or (labels, features), what each feature is multiplied by. The weights
            are those of features without scales, so scoring needs none.
        options: of LogisticRegression.
    """
    if labels.ndim == 2:
        return _fit_each_label(features, labels, weights, scales, options)
    head = LogisticRegression(**options)
    if scales is None:
        head.fit(features, labels, weights)
    else:
        head.fit(features * scales, labels, weights)
        head.coef_ = head.coef_ * scales
    return _with_fast_layout(head)


def _fit_each_label(
    features: Features,
    labels: Labels,
    weights: Weights | None,
    scales: npt.NDArray[np.float64] | None,
    options: dict[str, Any],
) -> LogisticRegression:
    """One against the rest, as scikit-learn's OneVsRestClassifier, which takes no weights per label."""
    heads = [
        fit_head(
            features,
            labels[:, label],
            None if weights is None else weights[:, label],
            None if scales is None else scales[label],
            **options,
        )
        for label in range(labels.shape[1])
    ]
    head = heads[0]
    head.coef_ = np.concatenate([each.coef_ for each in heads])
    head.intercept_ = np.concatenate([each.intercept_ for each in heads])
    return _with_fast_layout(head)


def _with_fast_layout(head: LogisticRegression) -> LogisticRegression:
    """Store each feature's weights for all classes together; otherwise each product copies them."""
    head.coef_ = np.asfortranarray(head.coef_)
    return head


def score(
    head: LogisticRegression, *features: Features, independent: bool = False
) -> Probabilities:
    """`predict_proba`, shape (n, k), without its checks, which take 0.2 ms per call.

    Args:
        features: shape (n, …) each; side by side they are what `head` was fitted on.
        independent: True: of several labels.
    """
    binary = len(head.coef_) == 1  # one row of weights, for class 1 of two
    weights = head.coef_[0] if binary else head.coef_.T
    scores, start = head.intercept_[0] if binary else head.intercept_, 0
    for part in features:
        scores = scores + part @ weights[start : start + part.shape[1]]
        start += part.shape[1]
    if binary:
        positive = expit(scores).astype(np.float64)
        return np.column_stack([1 - positive, positive])
    if independent:
        of_labels: Probabilities = expit(scores.astype(np.float64))
        return of_labels
    probabilities: Probabilities = softmax(scores.astype(np.float64), axis=1)
    return probabilities


def save_head(head: LogisticRegression, folder: Path) -> None:
    """Write a fitted logistic regression; weights have the shape (k, …)."""
    tensors = {"coef": np.ascontiguousarray(head.coef_), "intercept": head.intercept_}
    save_file(tensors, folder / _HEAD)


def load_head(folder: Path) -> LogisticRegression:
    """Read what `save_head` wrote."""
    tensors = load_file(folder / _HEAD)
    head = LogisticRegression()
    head.coef_, head.intercept_ = tensors["coef"], tensors["intercept"]
    return _with_fast_layout(head)


def count_parameters(head: LogisticRegression) -> int:
    return int(head.coef_.size + head.intercept_.size)


def save_vectorizer(vectorizer: Vectorizer, folder: Path, name: str) -> None:
    """Write options and terms, in column order, to `name.json`, and idf to `name.safetensors`."""
    content = {"options": asdict(vectorizer.options), "terms": vectorizer.terms}
    (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    save_file({"idf": vectorizer.idf}, folder / f"{name}.safetensors")


def has_vectorizer(folder: Path, name: str) -> bool:
    """True if `save_vectorizer` wrote it."""
    return (folder / f"{name}.json").is_file()


def load_vectorizer(folder: Path, name: str) -> Vectorizer:
    """Read what `save_vectorizer` wrote."""
    content = json.loads((folder / f"{name}.json").read_text("utf-8"))
    options = msgspec.convert(content["options"], NGramOptions)
    idf = load_file(folder / f"{name}.safetensors")["idf"]
    return Vectorizer(options, content["terms"], idf)
