"""The mean of a comment's word vectors, logistic regression on top; vectors trained on these comments.

Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" (CBOW). The
embedding sees training comments only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from worthit.datasets.errors import DataError
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size
from worthit.models.features import estimators, ngrams

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Word2VecSettings:
    dimensions: int = 100
    window: int = 5
    min_count: int = 1
    epochs: int = 5
    max_iter: int = 1000


class Word2Vec(Classifier[Word2VecSettings]):
    name = "word2vec"
    Settings = Word2VecSettings
    libraries = ("numpy", "scipy", "scikit-learn", "gensim")

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        try:
            self._train([ngrams.words_of(text.lower()) for text in texts])
        except RuntimeError as error:  # gensim's, of an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        head = LogisticRegression(max_iter=self.settings.max_iter)
        self._head = estimators.fitted(head, self._means(texts), labels)
        progress(len(texts), len(texts))

    def _train(self, sentences: Sequence[Sequence[str]]) -> None:
        """Learn vectors from comments taken apart into words."""
        import gensim.models  # a second of start-up that scoring has no need of

        embedding = gensim.models.Word2Vec(sentences, sg=0, **self._training()).wv
        self._take(embedding.index_to_key, embedding.vectors)

    def _training(self) -> dict[str, Any]:
        """What gensim is told of the training."""
        chosen = self.settings
        return {
            "vector_size": chosen.dimensions,
            "window": chosen.window,
            "min_count": chosen.min_count,
            "epochs": chosen.epochs,
            "seed": self.seed,
            "workers": 1,  # with more, the order of updates, and so the vectors, is left to chance
        }

    def _take(self, words: Sequence[str], vectors: Vectors) -> None:
        """Score with these from now on, shape (words, dimensions)."""
        self._words, self._vectors = words, vectors
        self._counter = ngrams.WordNGrams(words, shortest=1)

    def _means(self, texts: Sequence[str]) -> Vectors:
        """The mean vector of each comment's known words, shape (n, dimensions); 0 if none is known."""
        counts = self._counter.count([text.lower() for text in texts]).astype(np.float32)
        known = counts.sum(axis=1).reshape(-1, 1)
        means: Vectors = (counts @ self._vectors) / np.maximum(known, 1)
        return means

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return estimators.probabilities(self._head, self._means(texts))

    def _save(self, folder: Path) -> None:
        """The vectors in word2vec's own binary format, which gensim and others read."""
        with (folder / "vectors.bin").open("wb") as file:
            file.write("{} {}\n".format(*self._vectors.shape).encode())
            for word, vector in zip(self._words, self._vectors, strict=True):
                file.write(word.encode() + b" " + vector.tobytes())
        estimators.save_head(self._head, folder)

    def _load(self, folder: Path) -> None:
        self._take(*_read_vectors((folder / "vectors.bin").read_bytes()))
        self._head = estimators.load_head(folder)

    def size(self) -> Size:
        trained = int(self._vectors.size) + estimators.parameters(self._head)
        return Size(parameters=trained, trained_parameters=trained)


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
