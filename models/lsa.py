"""Latent semantic analysis: tf-idf, 100 singular vectors, logistic regression.

Deerwester et al. 1990, "Indexing by Latent Semantic Analysis".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from worthit.models import estimators
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size


@dataclass(frozen=True)
class LSASettings:
    components: int = 100
    max_iter: int = 1000


class LSA(Classifier[LSASettings]):
    name = "lsa"
    Settings = LSASettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        words = TfidfVectorizer()
        matrix = words.fit_transform(texts)
        # A handful of short comments has fewer words than we want components.
        components = min(self.settings.components, min(matrix.shape) - 1)
        topics = TruncatedSVD(components, random_state=self.seed)
        head = LogisticRegression(max_iter=self.settings.max_iter)
        head.fit(topics.fit_transform(matrix), labels)
        self._pipeline = Pipeline([("words", words), ("topics", topics), ("head", head)])
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        scores: Probabilities = self._pipeline.predict_proba(texts)[:, 1]
        return scores

    def _save(self, folder: Path) -> None:
        estimators.save_vectorizer(self._pipeline["words"], folder, "words")
        estimators.save(self._pipeline[1:], folder / "topics_and_head.skops")

    def _load(self, folder: Path) -> None:
        words = estimators.load_vectorizer(folder, "words")
        rest = estimators.load(folder / "topics_and_head.skops")
        self._pipeline = Pipeline([("words", words), *rest.steps])

    def size(self) -> Size:
        trained = self._pipeline["topics"].components_.size + self._pipeline["head"].coef_.size + 1
        return Size(parameters=int(trained), trained_parameters=int(trained))
