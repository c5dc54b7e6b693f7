"""Word and character n-grams, tf-idf, logistic regression: the cheap baseline an LLM must beat.

Wang and Manning 2012, "Baselines and Bigrams", is why it is strong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import sparse
from sklearn.linear_model import LogisticRegression

from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators
from worthit.models.features.vectorizer import Options, Vectorizer


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
        word_options = Options(
            ngram_range=(1, chosen.word_ngrams), sublinear_tf=True, strip_accents="unicode"
        )
        character_options = Options(
            analyzer="char_wb",
            ngram_range=(chosen.char_ngrams_from, chosen.char_ngrams_to),
            sublinear_tf=True,
            strip_accents="unicode",
        )
        self._words, of_words = Vectorizer.fit(texts, word_options, chosen.min_comments)
        self._characters, of_characters = Vectorizer.fit(
            texts, character_options, chosen.min_comments
        )
        head = LogisticRegression(C=chosen.C, max_iter=chosen.max_iter)
        matrix = sparse.hstack([of_words, of_characters], format="csr")
        self._head = estimators.fitted(head, matrix, labels)
        progress(len(texts), len(texts))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        parts = [self._words.transform(texts), self._characters.transform(texts)]
        return estimators.probabilities(self._head, *parts)

    def _save(self, folder: Path) -> None:
        estimators.save_vectorizer(self._words, folder, "words")
        estimators.save_vectorizer(self._characters, folder, "characters")
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._words = estimators.load_vectorizer(folder, "words")
        self._characters = estimators.load_vectorizer(folder, "characters")
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = estimators.parameters(self._head)
        return Size(parameters=trained, trained_parameters=trained)
