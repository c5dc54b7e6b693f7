"""Comments that nearly repeat another one, as templates, quotations and reposts do.

Two texts are near-duplicates when their sets of character 5-grams have a Jaccard similarity of
`SIMILAR` or more. Candidates come from MinHash and locality-sensitive hashing (Broder 1997; Leskovec,
Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3), and each is then compared exactly: what is
found is so, though at the very threshold one in 500 is not found.
"""

import functools
import re
from collections.abc import Sequence

from rensa import RMinHash, RMinHashLSH

SIMILAR = 0.8
SHINGLE = 5

_BANDS, _ROWS = 21, 6  # a pair at SIMILAR shares a band with a chance of 1 - (1 - 0.8⁶)²¹ = 0.998
_SEED = 42
_MOST_COMPARED = 100  # of a comment's candidates: a template may be there thousands of times
_NO_WORD = re.compile(r"[\W_]+")


class Index:
    """Comments, in which to look for near-duplicates."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._hashes = _hashes(texts)
        self._lsh = RMinHashLSH(SIMILAR, _BANDS * _ROWS, _BANDS)
        self._lsh.insert_many(self._hashes)

    def twins(self, texts: Sequence[str]) -> list[int]:
        """For each text the place of the comment here that it repeats most, -1 where it repeats none."""
        return [
            self._closest(text, found)
            for text, found in zip(texts, self._lsh.query_all(_hashes(texts)), strict=True)
        ]

    def repeated(self) -> int:
        """How many comments nearly repeat an earlier one."""
        candidates = self._lsh.query_all(self._hashes)
        return sum(
            self._closest(self._texts[place], [other for other in found if other < place]) >= 0
            for place, found in enumerate(candidates)
        )

    def _closest(self, text: str, candidates: Sequence[int]) -> int:
        if not candidates:
            return -1
        own = shingles(text)
        # The first ones, whatever order a hash table has them in.
        compared = {
            place: jaccard(own, self._shingles(place))
            for place in sorted(candidates)[:_MOST_COMPARED]
        }
        closest = max(compared, key=lambda place: compared[place])
        return closest if compared[closest] >= SIMILAR else -1

    @functools.lru_cache(maxsize=4096)  # noqa: B019  (an index lives for one look)
    def _shingles(self, place: int) -> frozenset[str]:
        return shingles(self._texts[place])


def shingles(text: str) -> frozenset[str]:
    """The character 5-grams of a text, its case, punctuation and white space aside.

    A text of no letters or digits is one shingle, itself.
    """
    folded = _NO_WORD.sub(" ", text.casefold()).strip() or text
    return frozenset(folded[i : i + SHINGLE] for i in range(max(len(folded) - SHINGLE + 1, 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """What two sets share, of all that they have; 0 to 1."""
    shared = len(first & second)
    return shared / max(len(first) + len(second) - shared, 1)


def _hashes(texts: Sequence[str]) -> list[RMinHash]:
    sets = (shingles(text) for text in texts)
    hashes: list[RMinHash] = RMinHash.from_token_sets(sets, _BANDS * _ROWS, _SEED)
    return hashes
