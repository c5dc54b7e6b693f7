"""A list of words: a comment that has one of them is positive. The filter that forums begin with.

The list is learned, not copied from anywhere: of the words of the training comments that are more
common in class 1, those whose presence depends most on the class by the chi-squared test (Yang and
Pedersen 1997, "A Comparative Study on Feature Selection in Text Categorization"), and not by chance.

Of more than two classes each has a list, of words that tell it from the rest, and a comment belongs
to the list of which it has most.
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
    words: int = 20  # of a list, at most
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
        terms, classes = counter.get_feature_names_out(), len(self.classes)
        self._lists = []
        for index in range(classes) if classes > 2 else (1,):
            inside = np.asarray(labels) == index
            in_class, in_others = (
                np.asarray(present[rows].sum(axis=0)).ravel() / rows.sum()
                for rows in (inside, ~inside)
            )
            strength, p = chi2(present, inside)
            telling = (in_class > in_others) & (p <= chosen.largest_p)
            # Of equally strong words the alphabet decides, as it orders columns.
            strongest = np.argsort(-strength, kind="stable")
            listed = terms[strongest[telling[strongest]][: chosen.words]]
            self._lists.append(frozenset(listed.tolist()))
        # Laplace's rule of succession: of no comments all classes are as likely.
        counts = np.ones((len(self._lists) + 1, classes))
        np.add.at(counts, (self._found(texts), np.asarray(labels)), 1)
        self._shares = counts / counts.sum(axis=1, keepdims=True)
        progress(len(texts), len(texts))

    def _found(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        """Of which list each comment has most words, counted from 1, shape (n,); 0 of none."""
        found = np.zeros((len(texts), len(self._lists) + 1))
        found[:, 0] = 0.5  # less than one word
        for row, text in enumerate(texts):
            words = set(_WORD.findall(text.lower()))
            found[row, 1:] = [len(words & listed) for listed in self._lists]
        most: npt.NDArray[np.intp] = found.argmax(axis=1)
        return most

    def _score(self, texts: Sequence[str]) -> Probabilities:
        shares: Probabilities = self._shares[self._found(texts)]
        return shares

    def _save(self, folder: Path) -> None:
        stored = {"words": list(map(sorted, self._lists)), "shares": self._shares.tolist()}
        (folder / "words.json").write_text(json.dumps(stored), "utf-8")

    def _load(self, folder: Path) -> None:
        stored = json.loads((folder / "words.json").read_text("utf-8"))
        self._lists = list(map(frozenset, stored["words"]))
        self._shares = np.array(stored["shares"])

    def size(self) -> Size:
        free = len(self._shares) * (len(self.classes) - 1)  # each row sums to 1
        trained = sum(map(len, self._lists)) + free
        return Size(parameters=trained, trained_parameters=trained)
