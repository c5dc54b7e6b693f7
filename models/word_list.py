"""A list of words: a comment that has one of them is positive. The filter that forums begin with.

The list is learned, not copied from anywhere: of the words that are several times as common in the
training comments of class 1, those whose presence depends most on the class by the chi-squared test
(Yang and Pedersen 1997, "A Comparative Study on Feature Selection in Text Categorization"). Few of
them are there by chance, however many are tested: the false discovery rate is bounded (Benjamini and
Hochberg 1995, "Controlling the False Discovery Rate").

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
    words: int = 200  # of a list, at most
    times_as_common: float = 4.0  # as elsewhere, at least: half of all comments have `you`
    false_discovery_rate: float = 0.05  # of the words that the test tells from chance


class WordList(Classifier[WordListSettings]):
    name = "word-list"
    Settings = WordListSettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        from scipy import stats
        from sklearn.feature_extraction.text import CountVectorizer

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
            in_class, elsewhere = (
                np.asarray(present[rows].sum(axis=0), float).ravel() for rows in (inside, ~inside)
            )
            sizes = float(inside.sum()), float((~inside).sum())
            strength = chi_squared(in_class, elsewhere, *sizes)
            adjusted_p = stats.false_discovery_control(stats.chi2.sf(strength, df=1))
            telling = (adjusted_p <= chosen.false_discovery_rate) & (
                in_class * sizes[1] >= chosen.times_as_common * elsewhere * sizes[0]
            )
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


def chi_squared(
    in_class: npt.NDArray[np.float64],
    elsewhere: npt.NDArray[np.float64],
    comments_in_class: float,
    comments_elsewhere: float,
) -> npt.NDArray[np.float64]:
    """Pearson's statistic of each word's 2×2 table, presence by class; 0 where it is in every comment.

    Not scikit-learn's `chi2`, which adds up the two cells of presence alone: of common words it is too
    small.

    Args:
        in_class: comments of the class that have the word, shape (words,).
        elsewhere: those of the others, shape (words,).
    """
    total = comments_in_class + comments_elsewhere
    present = in_class + elsewhere
    margins = comments_in_class * comments_elsewhere * present * (total - present)
    apart = in_class * comments_elsewhere - elsewhere * comments_in_class
    return np.divide(total * apart**2, margins, out=np.zeros_like(margins), where=margins > 0)
