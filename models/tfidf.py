"""Word and character n-grams, tf-idf, logistic regression: the cheap baseline an LLM must beat.

Wang and Manning 2012, "Baselines and Bigrams", explains why it is strong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import sparse

from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators
from worthit.models.features.vectorizer import NGramOptions, Vectorizer


@dataclass(frozen=True)
class TfIdfSettings:
    word_ngrams: int = 2  # words, and pairs of them
    char_ngrams_from: int = 2
    char_ngrams_to: int = 5  # within words: catches evasive spellings
    min_comments: int = 2  # an n-gram of a single comment predicts nothing
    C: float = 5.0
    max_iter: int = 1000


class TfIdf(Classifier[TfIdfSettings]):
    name = "tfidf"
    Settings = TfIdfSettings

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {
            "C": (0.5, 1.0, 2.0, 5.0, 10.0, 20.0),
            "word_ngrams": (1, 2, 3),
            "char_ngrams_to": (4, 5, 6),
        }

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        settings = self.settings
        word_options = NGramOptions("word", (1, settings.word_ngrams), True, "unicode")
        character_options = NGramOptions(
            "char_wb", (settings.char_ngrams_from, settings.char_ngrams_to), True, "unicode"
        )
        self._words, words = Vectorizer.fit(texts, word_options, settings.min_comments)
        self._characters, characters = Vectorizer.fit(
            texts, character_options, settings.min_comments
        )
        features = sparse.hstack([words, characters], format="csr")
        self._head = estimators.fit_head(features, labels, C=settings.C, max_iter=settings.max_iter)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        features = self._words.transform(texts), self._characters.transform(texts)
        return estimators.score(self._head, *features)

    def _save(self, folder: Path) -> None:
        estimators.save_vectorizer(self._words, folder, "words")
        estimators.save_vectorizer(self._characters, folder, "characters")
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._words = estimators.load_vectorizer(folder, "words")
        self._characters = estimators.load_vectorizer(folder, "characters")
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = estimators.count_parameters(self._head)
        return Size(trained, trained)
