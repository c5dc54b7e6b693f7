"""Comments that nearly repeat another one, as templates, quotations and reposts do.

Two texts are near-duplicates if the Jaccard similarity of their sets of character 5-grams is `SIMILAR` or
more. Candidates come from MinHash and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman,
Ullman, "Mining of Massive Datasets", chapter 3). Each candidate is then compared exactly, so there are no
false matches; at the threshold itself one pair in 500 is missed.
"""

import functools
from collections.abc import Sequence

from rensa import RMinHash, RMinHashLSH

from worthit.datasets import words

SIMILAR = 0.8
SHINGLE = 5
METHOD = f"MinHash, then Jaccard similarity ≥ {SIMILAR:g} of character {SHINGLE}-grams"

_BANDS, _ROWS = 21, 6  # a pair at SIMILAR shares a band with probability 1 - (1 - 0.8⁶)²¹ = 0.998
_SEED = 42
_MOST_COMPARED = 100  # candidates per comment: a template may occur thousands of times


class Index:
    """Comments in which to look for near-duplicates."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._hashes = _hashes(texts)
        self._lsh = RMinHashLSH(SIMILAR, _BANDS * _ROWS, _BANDS)
        self._lsh.insert_many(self._hashes)

    def closest(self, texts: Sequence[str]) -> list[int]:
        """For each text the place of the most similar indexed comment, -1 without a near-duplicate."""
        return [
            self._closest(text, candidates)
            for text, candidates in zip(texts, self._lsh.query_all(_hashes(texts)), strict=True)
        ]

    def repeated(self) -> int:
        """The number of comments that nearly repeat an earlier one."""
        return sum(
            self._closest(self._texts[place], [other for other in candidates if other < place]) >= 0
            for place, candidates in enumerate(self._lsh.query_all(self._hashes))
        )

    def _closest(self, text: str, candidates: Sequence[int]) -> int:
        if not candidates:
            return -1
        own = shingles(text)
        # Sorted: a hash table may return candidates in any order.
        similarities = {
            place: jaccard(own, self._shingles(place))
            for place in sorted(candidates)[:_MOST_COMPARED]
        }
        closest = max(similarities, key=lambda place: similarities[place])
        return closest if similarities[closest] >= SIMILAR else -1

    @functools.lru_cache(maxsize=4096)  # noqa: B019  (an index is short-lived)
    def _shingles(self, place: int) -> frozenset[str]:
        return shingles(self._texts[place])


def shingles(text: str) -> frozenset[str]:
    """The character 5-grams of a text, ignoring case, punctuation and white space.

    A text without letters and digits is one shingle: itself.
    """
    folded = " ".join(words.runs(text.casefold().replace("_", " "))) or text
    return frozenset(folded[i : i + SHINGLE] for i in range(max(len(folded) - SHINGLE + 1, 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """The size of the intersection over the size of the union, 0 to 1."""
    shared = len(first & second)
    return shared / max(len(first) + len(second) - shared, 1)


def _hashes(texts: Sequence[str]) -> list[RMinHash]:
    sets = (shingles(text) for text in texts)
    hashes: list[RMinHash] = RMinHash.from_token_sets(sets, _BANDS * _ROWS, _SEED)
    return hashes
