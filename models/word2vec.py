"""The mean of a comment's word vectors, logistic regression on top.

Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" (skip-gram). The
vectors are trained on the training comments only. Where a script has no spaces, n-grams of characters
take the place of words (`datasets/words.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worthit.datasets.errors import DataError
from worthit.datasets.words import split as split_words
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators, ngrams

Vectors = npt.NDArray[np.float32]

_VECTORS = "vectors.bin"
_MOST_WORDS = 10_000  # gensim's MAX_WORDS_IN_BATCH; importing it would take a second
_WORDS_READ, _FEWEST_EPOCHS, _MOST_EPOCHS = 1_500_000, 5, 100


def epochs_for(words: int) -> int:
    """Epochs that read about 1.5 million words, repeats included; at least 5, at most 100.

    An epoch over few words hardly moves the vectors from their random start. On validation comments
    of `wikipedia`, 20 epochs over 1,000 comments (60,000 words) are as good as 50, and 5 over 4,000 as
    good as 12. Of 1,000 intents (12,000 words), 100 are as good as 50 and far better than 20.
    """
    return min(max(_WORDS_READ // max(words, 1), _FEWEST_EPOCHS), _MOST_EPOCHS)


def pieces(sentences: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The same words in sequences that gensim reads to the end: it ignores words beyond its longest."""
    return [
        words[start : start + _MOST_WORDS]
        for words in sentences
        for start in range(0, len(words), _MOST_WORDS)
    ]


@dataclass(frozen=True)
class Word2VecSettings:
    dimensions: int = 100
    window: int = 5
    min_count: int = 1
    epochs: int | None = None  # None: depends on the number of words, see `epochs_for`
    learning_rate: float = 0.05  # at the start
    C: float = 3.0
    max_iter: int = 1000


class Word2Vec(Classifier[Word2VecSettings]):
    name = "word2vec"
    takes_weights = True
    takes_multilabel = True
    Settings = Word2VecSettings
    libraries = ("numpy", "scipy", "scikit-learn", "gensim")

    @classmethod
    def search_space(cls, comments: int) -> dict[str, tuple[Any, ...]]:
        return {
            "epochs": (None, 5, 20, 50, 100),
            "dimensions": (50, 100, 200),
            "window": (3, 5, 10),
            "C": (0.1, 1.0, 3.0, 10.0),
        }

    def count_passes(self, texts: Sequence[str]) -> float:
        words = sum(len(split_words(text.lower())) for text in texts)
        return float(self.settings.epochs or epochs_for(words))

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        sentences = [split_words(text.lower()) for text in texts]
        if self.settings.epochs is None:
            epochs = epochs_for(sum(map(len, sentences)))
            self.settings = replace(self.settings, epochs=epochs)
        try:
            self._train_vectors(pieces(sentences))
        except RuntimeError as error:  # from gensim, for an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        means = self._means(texts)
        self._head = estimators.fit_head(
            means,
            labels,
            self._comment_weights(labels),
            C=self.settings.C,
            max_iter=self.settings.max_iter,
        )
        progress(len(texts), len(texts))

    def _train_vectors(self, sentences: Sequence[Sequence[str]]) -> None:
        import gensim.models  # takes a second, and scoring does not need it

        embedding = gensim.models.Word2Vec(sentences, **self._gensim_options()).wv
        self._set_vectors(embedding.index_to_key, embedding.vectors)

    def _gensim_options(self) -> dict[str, Any]:
        return {
            "sg": 1,
            "alpha": self.settings.learning_rate,
            "vector_size": self.settings.dimensions,
            "window": self.settings.window,
            "min_count": self.settings.min_count,
            "epochs": self.settings.epochs,
            "seed": self.seed,
            "workers": 1,  # with more, the order of updates is random, and so are the vectors
        }

    def _set_vectors(self, words: Sequence[str], vectors: Vectors) -> None:
        """Score with these vectors, shape (words, dimensions)."""
        self._words, self._vectors = words, vectors
        self._counter = ngrams.WordNGrams(words, shortest=1)

    def _means(self, texts: Sequence[str]) -> Vectors:
        """The mean vector of each comment's known words, shape (n, dimensions); 0 without any."""
        counts = self._counter.count([text.lower() for text in texts]).astype(np.float32)
        known = counts.sum(axis=1).reshape(-1, 1)
        means: Vectors = (counts @ self._vectors) / np.maximum(known, 1)
        return means

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return estimators.score(self._head, self._means(texts), independent=self.multilabel)

    def _save(self, folder: Path) -> None:
        """Write the vectors in word2vec's binary format, which gensim and others read."""
        with (folder / _VECTORS).open("wb") as file:
            file.write("{} {}\n".format(*self._vectors.shape).encode())
            for word, vector in zip(self._words, self._vectors, strict=True):
                file.write(word.encode() + b" " + vector.tobytes())
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._set_vectors(*_read_vectors((folder / _VECTORS).read_bytes()))
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = int(self._vectors.size) + estimators.count_parameters(self._head)
        return Size(trained, trained)


def _read_vectors(content: bytes) -> tuple[list[str], Vectors]:
    header, _, rest = content.partition(b"\n")
    count, dimensions = map(int, header.split())
    words, vectors, position = [], np.empty((count, dimensions), np.float32), 0
    for row in range(count):
        end = rest.index(b" ", position)
        words.append(rest[position:end].decode())
        position = end + 1 + 4 * dimensions
        vectors[row] = np.frombuffer(rest[end + 1 : position], np.float32)
    return words, vectors
