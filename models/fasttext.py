"""Word vectors made of those of character n-grams too: a word never seen has one as well.

Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information" (fastText's skip-gram). A
word's vector is the mean of its own and those of its n-grams, which share so many buckets by hash;
a word that training did not see has its n-grams' alone. As in `word2vec`, the mean of a comment's
vectors is what logistic regression is fitted on, and the embedding sees training comments only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse

from worthit.models.contract import Size
from worthit.models.features import ngrams
from worthit.models.word2vec import Vectors, Word2Vec, Word2VecSettings

_SHORTEST, _LONGEST = 3, 6  # n-grams, in characters, as in the paper
_BUCKETS = "buckets.safetensors"
# 32-bit FNV-1a
_OFFSET, _PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)


@dataclass(frozen=True)
class FastTextSettings(Word2VecSettings):
    learning_rate: float = 0.1  # at the start; fastText's 0.05 wants twice the epochs
    buckets: int = 50_000  # the paper's 2 million take 800 MB


class FastText(Word2Vec):
    name = "fasttext"
    Settings = FastTextSettings
    settings: FastTextSettings

    def _train(self, sentences: Sequence[Sequence[str]]) -> None:
        import gensim.models  # a second of start-up that scoring has no need of

        embedding = gensim.models.FastText(
            sentences,
            sg=1,
            alpha=self.settings.learning_rate,
            bucket=self.settings.buckets,
            min_n=_SHORTEST,
            max_n=_LONGEST,
            **self._training(),
        ).wv
        self._buckets: Vectors = embedding.vectors_ngrams
        self._take(embedding.index_to_key, embedding.vectors)

    def _take(self, words: Sequence[str], vectors: Vectors) -> None:
        """Score with these from now on: of known words, their n-grams' vectors included."""
        self._words, self._vectors = words, vectors
        self._rows = {word: row for row, word in enumerate(words)}

    def _means(self, texts: Sequence[str]) -> Vectors:
        """The mean vector of each comment's words, shape (n, dimensions); 0 if it has none."""
        lowered = [text.lower() for text in texts]
        words, occurrences = ngrams.distinct_words(lowered, ngrams.words_of)
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
            counts = ngram_counts([words[row] for row in unknown.tolist()], len(self._buckets))
            vectors[unknown] = (counts @ self._buckets) / counts.sum(axis=1).reshape(-1, 1)
        return vectors

    def _save(self, folder: Path) -> None:
        """The words' vectors as `word2vec` saves them; those of the buckets beside them."""
        super()._save(folder)
        save_file({"buckets": self._buckets}, folder / _BUCKETS)

    def _load(self, folder: Path) -> None:
        super()._load(folder)
        self._buckets = load_file(folder / _BUCKETS)["buckets"]

    def size(self) -> Size:
        trained = (super().size().parameters or 0) + int(self._buckets.size)
        return Size(parameters=trained, trained_parameters=trained)


def ngram_counts(words: Sequence[str], buckets: int) -> sparse.csr_array:
    """How many of each word's n-grams are in each bucket, shape (words, buckets).

    The numbers are fastText's own, which gensim computes too: `<` and `>` stand at a word's ends, and
    an n-gram's bucket is the FNV-1a hash of its UTF-8 bytes, taken for signed numbers. Here all
    n-grams of all words grow by a character at a time.
    """
    wrapped = [f"<{word}>" for word in words]
    text = np.frombuffer("".join(wrapped).encode(), np.int8)
    begins = np.flatnonzero(text >= -64)  # of characters; what follows in one is from 0x80 to 0xBF
    widths = np.diff(begins, append=len(text))
    values = text.astype(np.int32).view(np.uint32)
    characters = np.fromiter(map(len, wrapped), np.int64, len(wrapped))
    word = np.repeat(np.arange(len(words), dtype=np.int32), characters)
    left = np.cumsum(characters)[word] - np.arange(len(word))  # in the word, from each character on
    starts, hashes = np.arange(len(word)), np.full(len(word), _OFFSET)
    rows, columns = [], []
    for length in range(1, _LONGEST + 1):
        whole = left[starts] >= length
        starts, hashes = starts[whole], hashes[whole]
        added = starts + length - 1
        for byte in range(widths.max(initial=0)):
            has = np.flatnonzero(widths[added] > byte)
            hashes[has] = (hashes[has] ^ values[begins[added[has]] + byte]) * _PRIME
        if length >= _SHORTEST:
            rows.append(word[starts])
            columns.append((hashes % np.uint32(buckets)).astype(np.int32))
    places = np.concatenate(rows), np.concatenate(columns)
    ones = np.ones(len(places[0]), np.float32)
    return sparse.coo_array((ones, places), shape=(len(words), buckets)).tocsr()
