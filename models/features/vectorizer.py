"""Comments as tf-idf vectors: what scikit-learn's TfidfVectorizer computes, many times as fast.

Fitting counts each distinct word's n-grams of characters once and leaves the rest to scikit-learn;
scoring leaves the counting to `ngrams`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from worthit.datasets.errors import DataError
from worthit.models.features import ngrams

_WORD = r"(?u)\b\w\w+\b"  # of two characters or more, as `ngrams` is told too
_AT_ONCE = 512  # comments: more gain nothing, but need memory


@dataclass(frozen=True)
class Options:
    """TfidfVectorizer's parameters of the same names, as far as they matter after fitting."""

    analyzer: str = "word"  # or "char_wb"
    ngram_range: tuple[int, int] = (1, 1)
    sublinear_tf: bool = False
    strip_accents: str | None = None  # or "unicode"
    lowercase: bool = True
    token_pattern: str = _WORD


class Vectorizer:
    """A fitted TfidfVectorizer.

    Args:
        options: what it was fitted with.
        terms: its vocabulary in column order.
        idf: shape (terms,), the weight of each.
    """

    def __init__(
        self, options: Options, terms: Sequence[str], idf: npt.NDArray[np.float64]
    ) -> None:
        self.options = options
        self.idf = idf
        # As strings they would need ten times the memory, and scoring has no use for them.
        self._terms = "\n".join(terms).encode("utf-8", "surrogatepass")
        self._counter: ngrams.WordNGrams | ngrams.CharacterNGrams
        if options.analyzer == "char_wb":
            self._counter = ngrams.CharacterNGrams(terms)
        else:
            self._counter = ngrams.WordNGrams(terms, shortest=2)

    @classmethod
    def fit(
        cls, texts: Sequence[str], options: Options, min_df: int = 1
    ) -> tuple[Self, sparse.csr_array]:
        """Learn the terms that at least `min_df` comments have, and their weights.

        Returns:
            The vectorizer, and what its `transform` makes of `texts`.

        Raises:
            DataError: no term is in so many comments.
        """
        cleaned = _cleaned(texts, options)
        try:
            if options.analyzer == "char_wb":
                terms, counts = _count_characters(cleaned, options)
            else:
                terms, counts = _count_words(cleaned, options)
        except ValueError as error:  # scikit-learn's, of an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        kept = np.flatnonzero(counts.count_nonzero(axis=0) >= min_df)
        if not len(kept):
            raise DataError(f"no word is in {min_df} of the comments to train on; give it more")
        weights = TfidfTransformer(sublinear_tf=options.sublinear_tf)
        vectors = weights.fit_transform(counts[:, kept])
        return cls(options, terms[kept].tolist(), weights.idf_), vectors

    @property
    def terms(self) -> list[str]:
        """The vocabulary in column order."""
        return self._terms.decode("utf-8", "surrogatepass").split("\n")

    def transform(self, texts: Sequence[str]) -> sparse.csr_array:
        """The vectors of n comments, shape (n, terms), each of length 1, or 0 if no term is known."""
        if len(texts) > _AT_ONCE:
            starts = range(0, len(texts), _AT_ONCE)
            parts = [self.transform(texts[start : start + _AT_ONCE]) for start in starts]
            return sparse.vstack(parts, format="csr")
        vectors = self._counter.count(_cleaned(texts, self.options))
        if self.options.sublinear_tf:
            vectors.data = 1 + np.log(vectors.data)
        vectors.data *= self.idf[vectors.indices]
        sizes = np.diff(vectors.indptr)
        rows = np.repeat(np.arange(len(texts)), sizes)
        squared = np.bincount(rows, vectors.data * vectors.data, len(texts))
        vectors.data /= np.sqrt(squared)[rows]
        return vectors


def _cleaned(texts: Sequence[str], options: Options) -> Sequence[str]:
    if options.lowercase:
        texts = [text.lower() for text in texts]
    if options.strip_accents:
        texts = [ngrams.strip_accents(text) for text in texts]
    return texts


def _count_words(texts: Sequence[str], options: Options) -> tuple[np.ndarray, sparse.csr_array]:
    counter = CountVectorizer(
        lowercase=False, ngram_range=options.ngram_range, token_pattern=options.token_pattern
    )
    counts = counter.fit_transform(texts)
    return counter.get_feature_names_out(), counts


def _count_characters(
    texts: Sequence[str], options: Options
) -> tuple[np.ndarray, sparse.csr_array]:
    words, occurrences = ngrams.distinct_words(texts)
    counter = CountVectorizer(lowercase=False, analyzer="char_wb", ngram_range=options.ngram_range)
    of_words = counter.fit_transform(words)
    return counter.get_feature_names_out(), occurrences @ of_words
