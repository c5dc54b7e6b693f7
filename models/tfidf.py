"""Word and character n-grams, tf-idf, logistic regression: the cheap baseline an LLM must beat.

Wang and Manning 2012, "Baselines and Bigrams", is why it is strong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from worthit.models import estimators
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size


@dataclass(frozen=True)
class TfIdfSettings:
    word_ngrams: int = 2  # words, and pairs of them
    char_ngrams_from: int = 2
    char_ngrams_to: int = 5  # within words: catches spellings meant to evade
    min_comments: int = 2  # an n-gram of one comment alone says nothing of others
    C: float = 5.0
    max_iter: int = 1000


class TfIdf(Classifier[TfIdfSettings]):
    name = "tfidf"
    Settings = TfIdfSettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        chosen = self.settings
        common = {"min_df": chosen.min_comments, "sublinear_tf": True, "strip_accents": "unicode"}
        words = TfidfVectorizer(ngram_range=(1, chosen.word_ngrams), **common)
        characters = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(chosen.char_ngrams_from, chosen.char_ngrams_to),
            **common,
        )
        grams = FeatureUnion([("words", words), ("characters", characters)])
        head = LogisticRegression(C=chosen.C, max_iter=chosen.max_iter)
        self._pipeline = Pipeline([("grams", grams), ("head", head)]).fit(texts, labels)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        scores: Probabilities = self._pipeline.predict_proba(texts)[:, 1]
        return scores

    def _save(self, folder: Path) -> None:
        for name, vectorizer in self._pipeline["grams"].transformer_list:
            estimators.save_vectorizer(vectorizer, folder, name)
        estimators.save_head(self._pipeline["head"], folder)

    def _load(self, folder: Path) -> None:
        grams = [
            (name, estimators.load_vectorizer(folder, name)) for name in ("words", "characters")
        ]
        head = estimators.load_head(folder)
        self._pipeline = Pipeline([("grams", FeatureUnion(grams)), ("head", head)])

    def size(self) -> Size:
        trained = int(self._pipeline["head"].coef_.size) + 1
        return Size(parameters=trained, trained_parameters=trained)
