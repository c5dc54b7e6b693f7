"""scikit-learn estimators on disk, without pickle: JSON for words and options, safetensors for numbers.

Any program reads them. (skops, the usual choice, imports all of scikit-learn, 100 MB that would count
as the model's memory, and spends 400 bytes on each n-gram of a vocabulary: 284 MB for tf-idf.)
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

_OPTIONS = (
    "analyzer",
    "ngram_range",
    "sublinear_tf",
    "strip_accents",
    "lowercase",
    "token_pattern",
)


def save_head(head: LogisticRegression, folder: Path) -> None:
    """Write a fitted binary logistic regression to `head.safetensors`."""
    save_file({"coef": head.coef_, "intercept": head.intercept_}, folder / "head.safetensors")


def load_head(folder: Path) -> LogisticRegression:
    """Read back what `save_head` wrote."""
    stored = load_file(folder / "head.safetensors")
    head = LogisticRegression()
    head.coef_, head.intercept_, head.classes_ = stored["coef"], stored["intercept"], np.arange(2)
    return head


def save_vectorizer(vectorizer: TfidfVectorizer, folder: Path, name: str) -> None:
    """Write options and terms, in column order, to `name.json`, weights to `name.safetensors`."""
    options = {option: vectorizer.get_params()[option] for option in _OPTIONS}
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    (folder / f"{name}.json").write_text(json.dumps({"options": options, "terms": terms}), "utf-8")
    save_file({"idf": vectorizer.idf_}, folder / f"{name}.safetensors")


def load_vectorizer(folder: Path, name: str) -> TfidfVectorizer:
    """Read back what `save_vectorizer` wrote: a fitted vectorizer with the same columns."""
    stored = json.loads((folder / f"{name}.json").read_text("utf-8"))
    options = stored["options"] | {"ngram_range": tuple(stored["options"]["ngram_range"])}
    vectorizer = TfidfVectorizer(**options, vocabulary=stored["terms"])
    vectorizer.idf_ = load_file(folder / f"{name}.safetensors")["idf"]
    return vectorizer
