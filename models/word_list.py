"""A list of words: a comment that has one of them is positive. The filter that forums begin with.

The list is learned, not copied from anywhere: of the words of the training comments that are more
common in class 1, those whose presence depends most on the class by the chi-squared test (Yang and
Pedersen 1997, "A Comparative Study on Feature Selection in Text Categorization"), and not by chance.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worthit.datasets.errors import DataError
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class WordListSettings:
    words: int = 200  # at most
    largest_p: float = 0.01  # of the test: else short lists fill up with words of no account


class WordList(Classifier[WordListSettings]):
    name = "word-list"
    Settings = WordListSettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.feature_selection import chi2

        chosen = self.settings
        counter = CountVectorizer(token_pattern=_WORD.pattern, binary=True)
        try:
            present = counter.fit_transform(texts)
        except ValueError as error:  # scikit-learn's, of an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        positive = np.asarray(labels) == 1
        in_positive, in_others = (
            np.asarray(present[rows].sum(axis=0)).ravel() / rows.sum()
            for rows in (positive, ~positive)
        )
        strength, p = chi2(present, positive)
        telling = (in_positive > in_others) & (p <= chosen.largest_p)
        # Of equally strong words the alphabet decides, as it orders columns.
        strongest = np.argsort(-strength, kind="stable")
        terms = counter.get_feature_names_out()
        self._words = frozenset(terms[strongest[telling[strongest]][: chosen.words]].tolist())
        self._shares = _positive_shares(self._listed(texts), positive)
        progress(len(texts), len(texts))

    def _listed(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        """Whether each comment has a listed word, shape (n,), 0 or 1."""
        known = self._words
        return np.array(
            [not known.isdisjoint(_WORD.findall(text.lower())) for text in texts], dtype=np.intp
        )

    def _score(self, texts: Sequence[str]) -> Probabilities:
        return self._shares[self._listed(texts)]

    def _save(self, folder: Path) -> None:
        stored = {"words": sorted(self._words), "shares": self._shares.tolist()}
        (folder / "words.json").write_text(json.dumps(stored), "utf-8")

    def _load(self, folder: Path) -> None:
        stored = json.loads((folder / "words.json").read_text("utf-8"))
        self._words, self._shares = frozenset(stored["words"]), np.array(stored["shares"])

    def size(self) -> Size:
        trained = len(self._words) + len(self._shares)
        return Size(parameters=trained, trained_parameters=trained)


def _positive_shares(
    listed: npt.NDArray[np.intp], positive: npt.NDArray[np.bool_]
) -> Probabilities:
    """How common class 1 is without a listed word and with one, shape (2,): of no comments a half."""
    comments = np.bincount(listed, minlength=2)
    return (np.bincount(listed, positive, minlength=2) + 1) / (comments + 2)
