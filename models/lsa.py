"""Latent semantic analysis: tf-idf, 100 singular vectors, logistic regression.

Deerwester et al. 1990, "Indexing by Latent Semantic Analysis".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression

from worthit.datasets.errors import DataError
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators
from worthit.models.features.vectorizer import Options, Vectorizer


@dataclass(frozen=True)
class LSASettings:
    components: int = 100
    max_iter: int = 1000


class LSA(Classifier[LSASettings]):
    name = "lsa"
    Settings = LSASettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        self._words, matrix = Vectorizer.fit(texts, Options())
        if min(matrix.shape) < 2:
            raise DataError(
                f"{self.name} needs two comments and two words at least to train on; there are "
                f"{matrix.shape[0]:,} and {matrix.shape[1]:,}"
            )
        # A handful of short comments has fewer words than we want components.
        components = min(self.settings.components, min(matrix.shape) - 1)
        topics = TruncatedSVD(components, random_state=self.seed)
        head = LogisticRegression(max_iter=self.settings.max_iter)
        self._head = estimators.fitted(head, topics.fit_transform(matrix), labels)
        self._topics = np.ascontiguousarray(topics.components_.T)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return estimators.probabilities(self._head, self._words.transform(texts) @ self._topics)

    def _save(self, folder: Path) -> None:
        estimators.save_vectorizer(self._words, folder, "words")
        save_file(
            {"components": np.ascontiguousarray(self._topics.T)}, folder / "topics.safetensors"
        )
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._words = estimators.load_vectorizer(folder, "words")
        components = load_file(folder / "topics.safetensors")["components"]
        self._topics = np.ascontiguousarray(components.T)  # a product reads a term's row as a whole
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = int(self._topics.size) + estimators.parameters(self._head)
        return Size(parameters=trained, trained_parameters=trained)
