"""Word vectors made from character n-grams too, so that unseen words have a vector.

Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information" (fastText's skip-gram). A
word's vector is the mean of its own vector and those of its n-grams, which share hash buckets; an
unseen word has the vectors of its n-grams alone. The rest is as in `word2vec`: logistic regression
on the mean of a comment's vectors, trained on the training comments only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse

from worthit.datasets.words import split as split_words
from worthit.models.contract import Size
from worthit.models.features import ngrams
from worthit.models.word2vec import Vectors, Word2Vec, Word2VecSettings

_SHORTEST, _LONGEST = 3, 6  # n-grams, in characters, as in the paper
_BUCKETS = "buckets.safetensors"
# 32-bit FNV-1a
_OFFSET, _PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)


@dataclass(frozen=True)
class FastTextSettings(Word2VecSettings):
    learning_rate: float = 0.1  # at the start; fastText's 0.05 needs twice the epochs
    buckets: int = 50_000  # the paper's 2 million take 800 MB


class FastText(Word2Vec):
    name = "fasttext"
    Settings = FastTextSettings
    settings: FastTextSettings

    def _train_vectors(self, sentences: Sequence[Sequence[str]]) -> None:
        import gensim.models  # takes a second, and scoring does not need it

        embedding = gensim.models.FastText(
            sentences,
            bucket=self.settings.buckets,
            min_n=_SHORTEST,
            max_n=_LONGEST,
            **self._gensim_options(),
        ).wv
        self._buckets: Vectors = embedding.vectors_ngrams
        self._set_vectors(embedding.index_to_key, embedding.vectors)

    def _set_vectors(self, words: Sequence[str], vectors: Vectors) -> None:
        """Score with these vectors of known words, which include those of their n-grams."""
        self._words, self._vectors = words, vectors
        self._rows = {word: row for row, word in enumerate(words)}

    def _means(self, texts: Sequence[str]) -> Vectors:
        """The mean vector of each comment's words, shape (n, dimensions); 0 without any."""
        lowered = [text.lower() for text in texts]
        words, occurrences = ngrams.distinct_words(lowered, split_words)
        sizes = np.diff(occurrences.indptr).reshape(-1, 1).astype(np.float32)
        sums = occurrences.astype(np.float32) @ self._vectors_of(words)
        means: Vectors = sums / np.maximum(sizes, 1)
        return means

    def _vectors_of(self, words: Sequence[str]) -> Vectors:
        """Shape (words, dimensions)."""
        rows = np.fromiter((self._rows.get(word, -1) for word in words), np.int64, len(words))
        vectors = self._vectors[rows]
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            counts = count_ngrams([words[row] for row in unknown.tolist()], len(self._buckets))
            vectors[unknown] = (counts @ self._buckets) / counts.sum(axis=1).reshape(-1, 1)
        return vectors

    def _save(self, folder: Path) -> None:
        super()._save(folder)
        save_file({"buckets": self._buckets}, folder / _BUCKETS)

    def _load(self, folder: Path) -> None:
        super()._load(folder)
        self._buckets = load_file(folder / _BUCKETS)["buckets"]

    def size(self) -> Size:
        trained = (super().size().parameters or 0) + int(self._buckets.size)
        return Size(trained, trained)


def count_ngrams(words: Sequence[str], buckets: int) -> sparse.csr_array:
    """Count each word's n-grams in each bucket, shape (words, buckets).

    The buckets are those of fastText and gensim: a word is enclosed in `<` and `>`, and an n-gram's
    bucket is the FNV-1a hash of its UTF-8 bytes, read as signed numbers. All n-grams of all words
    grow by one character at a time.
    """
    enclosed = [f"<{word}>" for word in words]
    text = np.frombuffer("".join(enclosed).encode(), np.int8)
    begins = np.flatnonzero(text >= -64)  # of characters; continuation bytes are 0x80 to 0xBF
    widths = np.diff(begins, append=len(text))
    values = text.astype(np.int32).view(np.uint32)
    characters = np.fromiter(map(len, enclosed), np.int64, len(enclosed))
    word = np.repeat(np.arange(len(words), dtype=np.int32), characters)
    left = np.cumsum(characters)[word] - np.arange(len(word))  # in the word, from each character on
    starts, hashes = np.arange(len(word)), np.full(len(word), _OFFSET)
    rows, columns = [], []
    for length in range(1, _LONGEST + 1):
        complete = left[starts] >= length
        starts, hashes = starts[complete], hashes[complete]
        last = starts + length - 1
        for byte in range(widths.max(initial=0)):
            present = np.flatnonzero(widths[last] > byte)
            hashes[present] = (hashes[present] ^ values[begins[last[present]] + byte]) * _PRIME
        if length >= _SHORTEST:
            rows.append(word[starts])
            columns.append((hashes % np.uint32(buckets)).astype(np.int32))
    places = np.concatenate(rows), np.concatenate(columns)
    ones = np.ones(len(places[0]), np.float32)
    return sparse.coo_array((ones, places), shape=(len(words), buckets)).tocsr()
