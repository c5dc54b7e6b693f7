"""Which single-byte encoding of the Latin script a text is in, judged by letters outside of ASCII.

General detectors need many such letters. An English table has few, in names and quotation marks. So each
encoding is scored by whether the characters it gives make sense where they stand: letters of one language,
within words, and quotation marks at their ends.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

#: in this order of likelihood
_ENCODINGS = (
    "cp1252", "latin-1", "mac_roman", "cp1250", "cp1254", "iso8859-2", "iso8859-15", "cp1257", "cp850",
    "cp437", "mac_latin2",
)  # fmt: skip
_OTHERS = ("mac_roman", "cp850", "cp437", "mac_latin2")
#: letters of each language outside of ASCII; those that have the same ones stand together
_LANGUAGES = tuple(map(frozenset, (
    "àâçéèêëîïôœùûüæÿ", "äöüß", "áéíóúüñ", "áâãàçéêíóôõú", "àéèìíòóùú", "æøåéö", "åäöé", "ëïéèöüáó",
    "áðéíóúýþæö", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž",
    "ăâîşţ", "çğıöşüâîû", "āčēģīķļņšūž", "ąčęėįšųūž", "äöüõšž", "ëç",
)))  # fmt: skip
_OPENING, _CLOSING = "“‘„«‹‚¿¡", "”’»›"
_ANYWHERE = "–—…•°€£©®™§\xa0½¼·´"
_ABROAD = 0.7  # weight of letters of a second language
_ENOUGH = 0.85  # of the characters make sense
_RARE = 0.9  # weight of encodings of few files
_MOST_SPECIAL = 0.35  # of the letters of words in the Latin script
_LONGEST_RUN = 4  # of letters outside of ASCII
_NO_CHARACTER = "\ufffd"


def likely(sample: bytes) -> str | None:
    """The encoding in which the text makes most sense; None if it makes little in any.

    Args:
        sample: lines with bytes outside of ASCII.
    """
    scores: dict[str, float] = {}
    for encoding in _ENCODINGS:
        try:
            weight = _RARE if encoding in _OTHERS else 1.0
            scores[encoding] = weight * _score(sample.decode(encoding))
        except UnicodeDecodeError:
            continue
    best = max(scores, key=lambda encoding: scores[encoding], default=None)
    return best if best and scores[best] >= _ENOUGH else None


def _score(text: str) -> float:
    """The share of the characters outside of ASCII that make sense."""
    letters: defaultdict[str, float] = defaultdict(float)
    signs = total = 0.0
    for before, special, after in _specials(text):
        total += 1
        if special.isalpha() and special not in "ªº":
            letters[special.lower()] += _letter_in_place(before, special, after)
        else:
            signs += _is_sign_in_place(before, special, after)
    in_words = sum(map(str.isalpha, text))
    if not total or sum(letters.values()) > _MOST_SPECIAL * in_words:
        return 0.0
    at_home = max(
        sum(times for letter, times in letters.items() if letter in language)
        for language in _LANGUAGES
    )
    known = sum(
        times
        for letter, times in letters.items()
        if any(letter in language for language in _LANGUAGES)
    )
    return (at_home + (known - at_home) * _ABROAD + signs) / total


def _specials(text: str) -> Iterator[tuple[str, str, str]]:
    """Each character outside of ASCII, between its neighbours; of a run of many letters none."""
    for run in re.finditer(r"[^\x00-\x7f]+", text):
        is_word = len(run[0]) > _LONGEST_RUN and run[0].isalpha()  # rather of another script
        for place in range(run.start(), run.end()):
            special = _NO_CHARACTER if is_word else text[place]
            yield text[place - 1 : place] if place else "", special, text[place + 1 : place + 2]


def _letter_in_place(before: str, letter: str, after: str) -> float:
    """How much sense a letter makes there, from 0 to 1."""
    if before.isdigit() or after.isdigit():
        return 0.0
    if letter.isupper():  # as in Élan, ÉLAN and SÃO, not in donÕt
        return float(not before.islower() and (after.isalpha() or not before.isalpha()))
    if letter == "õ" and after not in "es":  # that of cp1250 is ő, which Hungarian has anywhere
        return 0.5
    return float(not (before.isupper() and after.isupper()))


def _is_sign_in_place(before: str, sign: str, after: str) -> bool:
    if sign in "’´" and before.isalpha():  # an apostrophe
        return True
    if sign in _OPENING:
        return not before.isalnum() and bool(after.strip())
    if sign in _CLOSING:
        return bool(before.strip()) and not after.isalnum()
    if sign in "ªº":
        return before.isdigit() or before in (".", "n", "N")
    if sign in "£€":
        return after.isdigit() or not (before.isalpha() or after.isalpha())
    if sign in "©®":
        return not after.isalpha()
    return sign in _ANYWHERE
