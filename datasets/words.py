"""Splits texts of any script into words.

A word is a run of letters, digits and underscores, as in Python's `\\w+`, together with the marks on
them: Python breaks Hindi, Tamil and others at each vowel sign, which Unicode counts as a mark and not as
a letter. Joiners without width belong to words too (Unicode Standard Annex 29).

Some scripts have no spaces between words. Their runs become overlapping n-grams: pairs of Chinese or
Japanese characters, as in Lucene's CJKAnalyzer, and threes of Thai, Lao, Khmer or Burmese characters with
their marks. The script of each run decides, so texts of mixed scripts need no option. No segmenter is
used: each knows one language, and those for Chinese that install without a compiler are unmaintained.
"""

import re
import unicodedata
from bisect import bisect_right

_WORD = re.compile(r"\w+")
_NOT_IN_WORDS = {code: " " for code in range(128) if not _WORD.match(chr(code))}
#: characters for which `\w+` is not enough: marks, joiners, and scripts without spaces
_NOT_SIMPLE = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05cf\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0700-\u1dff"
    "\u200c\u200d\u20d0-\u20ff\u2c00-\uabff\ud7a4-\ud7ff\uf900-\ufe0d\ufe10-\uffff"
    "\U00010000-\U0001efff\U00020000-\U0010ffff]"
)
_JOINERS = "\u200c\u200d"
_STYLES = "\ufe0e\ufe0f"  # choose between text and picture; they are marks of no word

# Kinds of characters, one letter each
_OTHER, _LETTER, _MARK, _JOINER, _EAST, _SOUTH_EAST = " wmjce"
#: kind → how many characters, with their marks, are one unit of a text without spaces
_SIZES = {_EAST: 2, _SOUTH_EAST: 3}
# Chinese characters and kana (Unicode's Scripts.txt: Han, Hiragana, Katakana, Bopomofo)
_EAST_BLOCKS = (
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x3038, 0x312F), (0x31A0, 0x31BF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
    (0x16FF0, 0x16FF1), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip
# Scripts of South East Asia that need a dictionary to find words (Unicode's LineBreak.txt: SA)
_SOUTH_EAST_BLOCKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF),
    (0xA9E0, 0xA9FF), (0xAA60, 0xAADF), (0x11700, 0x1174F),
)  # fmt: skip
_BLOCKS = sorted(
    [(first, last, _EAST) for first, last in _EAST_BLOCKS]
    + [(first, last, _SOUTH_EAST) for first, last in _SOUTH_EAST_BLOCKS]
)
_FIRSTS = [first for first, _, _ in _BLOCKS]
_RUN = re.compile("w[wmj]*|c[cmj]*|e[emj]*")
_WITH_MARKS = re.compile("[ce][mj]*")


def split(text: str, shortest: int = 1) -> list[str]:
    """The words of a text, in order; n-grams of characters where its script has no spaces.

    Texts with marks are composed first (NFC), so that equal words are equal strings.

    Args:
        shortest: words of fewer characters are omitted, but never those without spaces.
    """
    if text.isascii():
        found = text.translate(_NOT_IN_WORDS).split()  # 3 times as fast as the pattern
    elif not _NOT_SIMPLE.search(text):
        found = _WORD.findall(text)
    else:
        return _split_any(text, shortest)
    return found if shortest == 1 else [word for word in found if len(word) >= shortest]


def runs(text: str) -> list[str]:
    """The words of a text, but whole sentences where its script has no spaces."""
    if not _NOT_SIMPLE.search(text):
        return _WORD.findall(text)
    text, kinds = _kinds(text)
    return [text[start:end] for start, end in _spans(kinds)]


def _split_any(text: str, shortest: int) -> list[str]:
    text, kinds = _kinds(text)
    words = []
    for start, end in _spans(kinds):
        size = _SIZES.get(kinds[start])
        if size is not None:
            words += _ngrams(text[start:end], kinds[start:end], size)
        elif end - start >= shortest:
            words.append(text[start:end])
    return words


def _kinds(text: str) -> tuple[str, str]:
    """The composed text, and the kind of each of its characters."""
    text = unicodedata.normalize("NFC", text)
    return text, text.translate(_KIND_OF)


def _spans(kinds: str) -> list[tuple[int, int]]:
    found = []
    for run in _RUN.finditer(kinds):
        end = run.end()
        while kinds[end - 1] == _JOINER:  # a joiner joins only what follows
            end -= 1
        found.append((run.start(), end))
    return found


def _ngrams(run: str, kinds: str, size: int) -> list[str]:
    """All sequences of `size` characters with their marks; a shorter run is one."""
    begins = [match.start() for match in _WITH_MARKS.finditer(kinds)] + [len(run)]
    if len(begins) <= size:
        return [run]
    return [run[begins[i] : begins[i + size]] for i in range(len(begins) - size)]


class _KindOf(dict[int, str]):
    """Code point → kind, found when it is first needed: Unicode has over a million."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = kind = _kind(code, character, unicodedata.category(character))
        return kind


def _kind(code: int, character: str, category: str) -> str:
    if character in _JOINERS:
        return _JOINER
    if category in ("Mn", "Mc") and character not in _STYLES:
        return _MARK
    if not (character.isalnum() or character == "_"):  # what `\w` matches
        return _OTHER
    place = bisect_right(_FIRSTS, code) - 1
    if place >= 0 and category[0] == "L":  # digits are digits in any script
        _, last, kind = _BLOCKS[place]
        if code <= last:
            return kind
    return _LETTER


_KIND_OF = _KindOf()
