"""The n-grams of a fixed vocabulary counted in comments, without a Python step for each n-gram.

Counts are those of scikit-learn's CountVectorizer, which builds, hashes and looks up every n-gram as
a string of its own. Here an n-gram is a path in a trie, an edge of which is one number in a cuckoo hash
table (Pagh and Rodler 2004) of NumPy arrays: two looks find it or show that it is not there, so that
a step down the trie is taken from all places of all comments at once.
"""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
from scipy import sparse

Ids = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

_HALF = np.uint64(32)  # of a number's bits
_MOST_ROUNDS = 200
_RUN = re.compile(r"\w+")
_NOT_IN_WORDS = {code: " " for code in range(128) if not _RUN.match(chr(code))}
_ASCII_WORD_CHARACTERS = [chr(code) for code in range(128) if code not in _NOT_IN_WORDS]


class Trie:
    """Finds all n-grams of a vocabulary in a sequence of units (words or characters).

    Args:
        units: the terms' units one after the other, each from 1 up; 0 stands for any other unit.
        lengths: shape (terms,), how many units each term has.
    """

    def __init__(self, units: Ids, lengths: Ids) -> None:
        self._base = int(units.max(initial=0)) + 1
        self._depth = int(lengths.max(initial=0))
        begins = np.cumsum(lengths) - lengths
        # Nodes are numbered from 1 on; the first come those of a single unit, under its number.
        nodes = units[begins]
        edges = [np.arange(1, self._base)]
        count = self._base - 1
        for depth in range(1, self._depth):
            longer = np.flatnonzero(lengths > depth)
            keys = nodes[longer] * self._base + units[begins[longer] + depth]
            distinct, which = np.unique(keys, return_inverse=True)
            nodes[longer] = count + 1 + which
            edges.append(distinct)
            count += len(distinct)
        self._column = np.full(count + 1, -1, np.int32)
        self._column[nodes] = np.arange(len(lengths))
        keys = np.concatenate(edges)
        random = np.random.default_rng(0)
        placed = None
        while placed is None:
            self._factors = random.integers(2**63, 2**64, 2, np.uint64) | np.uint64(1)
            placed = self._placed(keys)
        self._nodes = placed
        self._keys = np.where(placed > 0, keys[placed - 1], -1)

    def _placed(self, keys: Ids) -> Ints | None:
        """The node whose key is in each slot, 0 for none; None if they keep displacing each other."""
        self._slots = np.uint64(3 * len(keys) + 1)  # from half full on keys find no place
        slots = np.stack([self._slots_of(keys, factor) for factor in self._factors])
        nodes = np.zeros(int(self._slots), np.int32)
        turn = np.zeros(len(keys), np.int64)  # which of its two slots each key is for
        waiting = np.arange(len(keys))
        for _ in range(_MOST_ROUNDS):
            targets = slots[turn[waiting], waiting]
            displaced = np.unique(nodes[targets])
            nodes[targets] = waiting + 1  # of several for one slot the last stays
            beaten = waiting[nodes[targets] != waiting + 1]
            waiting = np.concatenate([beaten, displaced[displaced > 0].astype(np.int64) - 1])
            if not len(waiting):
                return nodes
            turn[waiting] ^= 1
        return None

    def _slots_of(self, keys: Ids, factor: np.uint64) -> Ids:
        high = (keys.view(np.uint64) * factor) >> _HALF
        return ((high * self._slots) >> _HALF).view(np.int64)

    def _children(self, nodes: Ids, units: Ids) -> Ids:
        """The node that each unit leads to, 0 where there is none."""
        keys = nodes * self._base + units
        slots = self._slots_of(keys, self._factors[0])
        other = np.flatnonzero(self._keys[slots] != keys)
        slots[other] = self._slots_of(keys[other], self._factors[1])
        return np.where(self._keys[slots] == keys, self._nodes[slots], 0)

    def find(self, units: Ids) -> tuple[Ids, Ids]:
        """Every occurrence of a term: the position of its first unit, and its column.

        Args:
            units: each 0 if the vocabulary does not have it, and the last one 0: it ends all terms.
        """
        starts = np.arange(len(units))
        nodes = units
        positions, columns = [], []
        for depth in range(self._depth):
            if depth:  # the first step leads to the node of the unit's own number
                nodes = self._children(nodes, units[starts + depth])
            alive = np.flatnonzero(nodes)
            starts, nodes = starts[alive], nodes[alive]
            column = self._column[nodes]
            term = np.flatnonzero(column >= 0)
            positions.append(starts[term])
            columns.append(column[term])
        return np.concatenate(positions), np.concatenate(columns)


class WordNGrams:
    """Counts words and sequences of words: CountVectorizer's analyzer "word".

    Args:
        terms: the vocabulary in column order; the words of a term are joined by one space.
        shortest: words of fewer characters are passed over, as if they were not there.
    """

    def __init__(self, terms: Sequence[str], shortest: int) -> None:
        words = " ".join(terms).split(" ") if terms else []
        self._units: dict[str, int] = {}
        for word in words:
            self._units.setdefault(word, len(self._units) + 1)
        units = np.fromiter(map(self._units.__getitem__, words), np.int64, len(words))
        lengths = np.fromiter((term.count(" ") + 1 for term in terms), np.int64, len(terms))
        self._trie = Trie(units, lengths)
        self._columns = len(terms)
        if shortest > 1:
            self._units |= dict.fromkeys(_ASCII_WORD_CHARACTERS, -1)
        self._shortest = shortest

    def count(self, texts: Sequence[str]) -> sparse.csr_array:
        """How often each comment has each term, shape (n, terms)."""
        words = [self._words(text) for text in texts]
        sizes = np.fromiter(map(len, words), np.int64, len(words))
        flat = chain.from_iterable(words)
        units = np.fromiter(map(self._units.get, flat, repeat(0)), np.int64, int(sizes.sum()))
        rows = np.repeat(np.arange(len(words)), sizes)
        heard = units >= 0
        positions, columns = self._trie.find(units[heard])
        return _table(rows[heard][positions], columns, (len(texts), self._columns))

    def _words(self, text: str) -> list[str]:
        """The comment's words, and at the end one that no vocabulary has: it parts comments."""
        found = words_of(text)
        if not text.isascii():  # else those too short have units that say so
            found = [word for word in found if len(word) >= self._shortest]
        found.append("")
        return found


class CharacterNGrams:
    """Counts sequences of characters within words: CountVectorizer's analyzer "char_wb".

    A word (here all between white space) has the same n-grams wherever it occurs, so those of each
    distinct word of a call are found once.

    Args:
        terms: the vocabulary in column order.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        codes = _code_points("".join(terms))
        alphabet = np.unique(codes)
        self._units = np.zeros(int(codes.max(initial=0)) + 2, np.int64)  # the last: any beyond
        self._units[alphabet] = np.arange(1, len(alphabet) + 1)
        lengths = np.fromiter(map(len, terms), np.int64, len(terms))
        self._trie = Trie(self._units[codes], lengths)
        self._columns = len(terms)

    def count(self, texts: Sequence[str]) -> sparse.csr_array:
        """How often each comment has each term, shape (n, terms)."""
        words, occurrences = distinct_words(texts)
        positions, columns = self._trie.find(self._units_of(words))
        lengths = np.fromiter(map(len, words), np.int64, len(words)) + 2  # a space on either side
        rows = np.repeat(np.arange(len(words)), lengths)[positions]
        # Products and sums take time and memory for each column, so let them see only those in use.
        used, compact = _renumbered(columns, self._columns)
        shape = (len(texts), self._columns)
        if len(texts) == 1:  # the same as below, without a product's overhead
            times = np.bincount(occurrences.indices, minlength=len(words))
            sums = np.bincount(compact, times[rows], len(used)).astype(np.float64)
            return sparse.csr_array((sums, used, [0, len(used)]), shape=shape)
        counts = occurrences @ _table(rows, compact, (len(words), len(used)))
        return sparse.csr_array((counts.data, used[counts.indices], counts.indptr), shape=shape)

    def _units_of(self, words: Sequence[str]) -> Ids:
        codes = _code_points("".join(f" {word} " for word in words))
        return np.append(self._units[np.minimum(codes, len(self._units) - 1)], 0)


def words_of(text: str) -> list[str]:
    """The runs of letters, digits and underscores, as CountVectorizer finds them."""
    if text.isascii():
        return text.translate(_NOT_IN_WORDS).split()  # 3 times as fast as the pattern
    return _RUN.findall(text)


def distinct_words(
    texts: Sequence[str], split: Callable[[str], list[str]] = str.split
) -> tuple[list[str], sparse.csr_array]:
    """The m distinct words, and which each comment has, shape (n, m).

    A word that a comment has twice is stored twice.

    Args:
        split: takes a comment apart; the default at white space.
    """
    number: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    found = [split(text) for text in texts]
    ends = np.cumsum([0, *map(len, found)], dtype=np.int32)
    ids = np.fromiter(map(number.__getitem__, chain.from_iterable(found)), np.int32, ends[-1])
    shape = (len(texts), len(number))
    return list(number), sparse.csr_array((np.ones(len(ids)), ids, ends), shape=shape)


def strip_accents(text: str) -> str:
    """scikit-learn's `strip_accents_unicode`, one step for each distinct character."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKD", text)
    return text.translate({ord(c): None for c in set(text) if unicodedata.combining(c)})


def _code_points(text: str) -> Ints:
    # Half of a surrogate pair is no text, but comments have it.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.int32)


def _renumbered(columns: Ids, count: int) -> tuple[Ints, Ints]:
    """The distinct columns, and where among them each is; in time that does not depend on `count`."""
    place = np.empty(count, np.int32)  # read only where written
    order = np.arange(len(columns), dtype=np.int32)
    place[columns] = order
    used = columns[place[columns] == order].astype(np.int32)
    place[used] = order[: len(used)]
    return used, place[columns]


def _table(rows: Ids, columns: Ids | Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """Counts of (row, column), as CSR."""
    ones = np.ones(len(rows))
    return sparse.coo_array(
        (ones, (rows.astype(np.int32), columns.astype(np.int32))), shape=shape
    ).tocsr()
