"""Latent semantic analysis: tf-idf, 200 singular vectors, logistic regression.

Deerwester et al. 1990, "Indexing by Latent Semantic Analysis".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import TruncatedSVD

from worthit.datasets.errors import DataError
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators
from worthit.models.features.vectorizer import NGramOptions, Vectorizer

_TOPICS = "topics.safetensors"


@dataclass(frozen=True)
class LSASettings:
    components: int = 200
    C: float = 50.0  # components are short vectors, which 1 regularises too much
    max_iter: int = 1000


class LSA(Classifier[LSASettings]):
    name = "lsa"
    takes_weights = True
    takes_multilabel = True
    Settings = LSASettings

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {"components": (50, 100, 200, 300, 500), "C": (1.0, 10.0, 50.0)}

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._words, matrix = Vectorizer.fit(texts, NGramOptions(sublinear_tf=True))
        if min(matrix.shape) < 2:
            raise DataError(
                f"{self.name} needs at least two comments and two words to train on; there are "
                f"{matrix.shape[0]:,} and {matrix.shape[1]:,}"
            )
        # A few short comments may have fewer words than the wanted components.
        components = min(self.settings.components, min(matrix.shape) - 1)
        svd = TruncatedSVD(components, random_state=self.seed)
        reduced = svd.fit_transform(matrix)
        self._head = estimators.fit_head(
            reduced,
            labels,
            self._comment_weights(labels),
            C=self.settings.C,
            max_iter=self.settings.max_iter,
        )
        self._topics = np.ascontiguousarray(svd.components_.T)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return estimators.score(
            self._head, self._words.transform(texts) @ self._topics, independent=self.multilabel
        )

    def _save(self, folder: Path) -> None:
        estimators.save_vectorizer(self._words, folder, "words")
        save_file({"components": np.ascontiguousarray(self._topics.T)}, folder / _TOPICS)
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._words = estimators.load_vectorizer(folder, "words")
        components = load_file(folder / _TOPICS)["components"]
        self._topics = np.ascontiguousarray(components.T)  # products read a term's row at once
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = int(self._topics.size) + estimators.count_parameters(self._head)
        return Size(trained, trained)
