"""Comments as tf-idf vectors: what scikit-learn's TfidfVectorizer computes, many times as fast.

Words are those of any script (`datasets/words.py`), which for English are TfidfVectorizer's.

Fitting counts the character n-grams of each distinct word once and leaves the rest to scikit-learn.
Scoring counts with `ngrams`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from worthit.datasets import words
from worthit.datasets.errors import DataError
from worthit.models.features import ngrams

_SHORTEST = 2  # characters of a word, as in TfidfVectorizer
_CHUNK = 512  # comments; larger chunks are not faster and need more memory


@dataclass(frozen=True)
class NGramOptions:
    """The parameters of TfidfVectorizer, with the same names, that matter after fitting."""

    analyzer: str = "word"  # or "char_wb"
    ngram_range: tuple[int, int] = (1, 1)
    sublinear_tf: bool = False
    strip_accents: str | None = None  # or "unicode"
    lowercase: bool = True


class Vectorizer:
    """A fitted TfidfVectorizer.

    Args:
        options: those it was fitted with.
        terms: its vocabulary in column order.
        idf: shape (terms,), the weight of each.
    """

    def __init__(
        self, options: NGramOptions, terms: Sequence[str], idf: npt.NDArray[np.float64]
    ) -> None:
        self.options = options
        self.idf = idf
        # A list of strings takes ten times the memory, and scoring does not use it.
        self._terms = "\n".join(terms).encode("utf-8", "surrogatepass")
        self._counter: ngrams.WordNGrams | ngrams.CharacterNGrams
        if options.analyzer == "char_wb":
            self._counter = ngrams.CharacterNGrams(terms)
        else:
            self._counter = ngrams.WordNGrams(terms, _SHORTEST)

    @classmethod
    def fit(
        cls, texts: Sequence[str], options: NGramOptions, min_df: int = 1
    ) -> tuple[Self, sparse.csr_array]:
        """Learn the terms that at least `min_df` comments contain, and their weights.

        Returns:
            The vectorizer, and the vectors of `texts`.

        Raises:
            DataError: no term is in that many comments.
        """
        try:
            terms, counts = _count(_normalize(texts, options), options)
        except ValueError as error:  # from scikit-learn, for an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        frequent = np.flatnonzero(counts.count_nonzero(axis=0) >= min_df)
        if not len(frequent):
            raise DataError(
                f"no word is in {min_df} of the comments to train on; give more comments"
            )
        weights = TfidfTransformer(sublinear_tf=options.sublinear_tf)
        vectors = weights.fit_transform(counts[:, frequent])
        return cls(options, terms[frequent].tolist(), weights.idf_), vectors

    @property
    def terms(self) -> list[str]:
        """The vocabulary in column order."""
        return self._terms.decode("utf-8", "surrogatepass").split("\n")

    def transform(self, texts: Sequence[str]) -> sparse.csr_array:
        """The vectors of n comments, shape (n, terms), each of length 1; 0 without a known term."""
        if len(texts) > _CHUNK:
            starts = range(0, len(texts), _CHUNK)
            chunks = [self.transform(texts[start : start + _CHUNK]) for start in starts]
            return sparse.vstack(chunks, format="csr")
        vectors = self._counter.count(_normalize(texts, self.options))
        if self.options.sublinear_tf:
            vectors.data = 1 + np.log(vectors.data)
        vectors.data *= self.idf[vectors.indices]
        rows = np.repeat(np.arange(len(texts)), np.diff(vectors.indptr))
        squared = np.bincount(rows, vectors.data * vectors.data, len(texts))
        vectors.data /= np.sqrt(squared)[rows]
        return vectors


def _normalize(texts: Sequence[str], options: NGramOptions) -> Sequence[str]:
    if options.lowercase:
        texts = [text.lower() for text in texts]
    if options.strip_accents:
        texts = [ngrams.strip_accents(text) for text in texts]
    return texts


def _count(texts: Sequence[str], options: NGramOptions) -> tuple[np.ndarray, sparse.csr_array]:
    """The terms, and how often each comment contains them."""
    common = {
        "lowercase": False, "analyzer": options.analyzer, "ngram_range": options.ngram_range,
    }  # fmt: skip
    if options.analyzer == "word":
        split = partial(words.split, shortest=_SHORTEST)
        counter = CountVectorizer(tokenizer=split, token_pattern=None, **common)
        counts = counter.fit_transform(texts)
    else:
        counter = CountVectorizer(**common)
        distinct, occurrences = ngrams.distinct_words(texts)
        counts = occurrences @ counter.fit_transform(distinct)
    return counter.get_feature_names_out(), counts
