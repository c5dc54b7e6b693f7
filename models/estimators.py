"""scikit-learn estimators on disk, without pickle.

Estimators made of arrays go through skops, which stores JSON and .npy and loads only types it was
told to trust (https://skops.readthedocs.io/en/stable/persistence.html); any program with skops
reads them. It spends 400 bytes and a node on each n-gram of a vocabulary, though: ten seconds and
284 MB for tf-idf. A vectorizer is therefore a JSON file of its options and terms in column order,
and its inverse document frequencies in safetensors.
"""

import json
from pathlib import Path
from typing import Any

import skops.io
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer

from worthit.datasets.errors import RunError

_OPTIONS = (
    "analyzer",
    "ngram_range",
    "sublinear_tf",
    "strip_accents",
    "lowercase",
    "token_pattern",
)


def save(estimator: Any, file: Path) -> None:
    """Write an estimator that consists of arrays and plain values."""
    skops.io.dump(estimator, file)


def load(file: Path) -> Any:
    """Read an estimator.

    Raises:
        RunError: the file holds a type that none of our models is made of.
    """
    foreign = skops.io.get_untrusted_types(file=file)
    if foreign:
        raise RunError(
            f"{file} holds {', '.join(foreign)}, which worthit never saves; do not load it"
        )
    return skops.io.load(file)


def save_vectorizer(vectorizer: TfidfVectorizer, folder: Path, name: str) -> None:
    """Write `name.json` and `name.safetensors` into the folder."""
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
