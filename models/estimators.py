"""scikit-learn estimators on disk, without pickle: JSON for words and options, safetensors for numbers.

Any program reads them. (skops, the usual choice, imports all of scikit-learn, 100 MB that would count
as the model's memory, and spends 400 bytes on each n-gram of a vocabulary: 284 MB for tf-idf.)
"""

import json
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Probabilities
from worthit.models.vectorizer import Options, Vectorizer


def positive(
    head: LogisticRegression, *features: npt.NDArray[np.floating] | sparse.csr_array
) -> Probabilities:
    """The probability of class 1: `predict_proba` without its checks, which take 0.2 ms a call.

    Args:
        features: shape (n, …) each, side by side what `head` was fitted on.
    """
    weights, start = head.coef_[0], 0
    scores = head.intercept_[0]
    for part in features:
        scores = scores + part @ weights[start : start + part.shape[1]]
        start += part.shape[1]
    probabilities: Probabilities = expit(scores)
    return probabilities


def save_head(head: LogisticRegression, folder: Path) -> None:
    """Write a fitted binary logistic regression to `head.safetensors`."""
    save_file({"coef": head.coef_, "intercept": head.intercept_}, folder / "head.safetensors")


def load_head(folder: Path) -> LogisticRegression:
    """Read back what `save_head` wrote."""
    stored = load_file(folder / "head.safetensors")
    head = LogisticRegression()
    head.coef_, head.intercept_, head.classes_ = stored["coef"], stored["intercept"], np.arange(2)
    return head


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
