"""A list of words: a comment with one of them is positive. It is the filter that forums start with.

The list is learned. Candidates are words that are several times as common in the training comments
of class 1 as elsewhere. Those whose presence depends most on the class by the chi-squared test
form the list (Yang and Pedersen 1997, "A Comparative Study on Feature Selection in Text Categorization").
The false discovery rate is bounded (Benjamini and Hochberg 1995, "Controlling the False Discovery
Rate"), so few of them are there by chance.

Words are chosen by how common they are within each class, so class weights change only the probabilities.

With more than two classes, each class has a list, and a comment belongs to the list with most of its
words. Each of several labels has a list, too, and one of its words is enough. Where a script has no
spaces, n-grams of characters take the place of words (`datasets/words.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worthit.datasets import words
from worthit.datasets.errors import DataError
from worthit.models.contract import Classifier, Labels, Probabilities, Progress, Size, Weights

_FILE = "words.json"


@dataclass(frozen=True)
class WordListSettings:
    words: int = 200  # per list, at most
    times_as_common: float = 4.0  # as elsewhere, at least: half of all comments contain `you`
    false_discovery_rate: float = 0.05


class WordList(Classifier[WordListSettings]):
    name = "word-list"
    takes_weights = True
    takes_multilabel = True
    Settings = WordListSettings

    def _fit(self, texts: Sequence[str], labels: Labels, progress: Progress) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(tokenizer=words.split, token_pattern=None, binary=True)
        try:
            present = counter.fit_transform(texts)
        except ValueError as error:  # from scikit-learn, for an empty vocabulary
            raise DataError("the comments to train on have no words") from error
        terms, labels = counter.get_feature_names_out(), np.asarray(labels)
        classes = len(self.classes)
        weights = self._comment_weights(labels)
        if self.multilabel:
            self._lists = [self._select_words(terms, present, label == 1) for label in labels.T]
            counts = self._count_by_label(texts, labels, weights)
        else:
            listed = range(classes) if classes > 2 else (1,)
            self._lists = [self._select_words(terms, present, labels == index) for index in listed]
            # Laplace's rule of succession: without comments all classes are equally likely.
            counts = np.ones((len(self._lists) + 1, classes))
            np.add.at(counts, (self._best_list(texts), labels), 1 if weights is None else weights)
        self._shares = counts / counts.sum(axis=-1, keepdims=True)
        progress(len(texts), len(texts))

    def _select_words(
        self, terms: npt.NDArray[np.str_], present: Any, inside: npt.NDArray[np.bool_]
    ) -> frozenset[str]:
        """The words typical of one class.

        Args:
            present: shape (comments, terms), 1 where a comment contains the term.
            inside: shape (comments,), the comments of the class.
        """
        from scipy import stats

        settings = self.settings
        in_class, elsewhere = (
            np.asarray(present[rows].sum(axis=0), float).ravel() for rows in (inside, ~inside)
        )
        sizes = float(inside.sum()), float((~inside).sum())
        strength = chi_squared(in_class, elsewhere, *sizes)
        adjusted_p = stats.false_discovery_control(stats.chi2.sf(strength, df=1))
        typical = (adjusted_p <= settings.false_discovery_rate) & (
            in_class * sizes[1] >= settings.times_as_common * elsewhere * sizes[0]
        )
        # Equally strong words stay in alphabetical order, which is that of the columns.
        strongest = np.argsort(-strength, kind="stable")
        return frozenset(terms[strongest[typical[strongest]][: settings.words]].tolist())

    def _count_by_label(
        self, texts: Sequence[str], labels: Labels, weights: Weights | None
    ) -> npt.NDArray[np.float64]:
        """Comments with a word of each label's list or none, without and with the label: (labels, 2, 2)."""
        counts = np.ones((len(self._lists), 2, 2))
        found = (self._words_found(texts) > 0).astype(np.int64)
        places = np.broadcast_to(np.arange(len(self._lists)), found.shape)
        np.add.at(counts, (places, found, labels), 1 if weights is None else weights)
        return counts

    def _words_found(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many words of each list are in each comment, shape (n, lists)."""
        return np.array(
            [
                [len(present & listed) for listed in self._lists]
                for present in (set(words.split(text.lower())) for text in texts)
            ]
        )

    def _best_list(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        """The list with most words of each comment, counted from 1, shape (n,); 0 for none."""
        none = np.full((len(texts), 1), 0.5)  # less than one word
        counts = np.hstack([none, self._words_found(texts)])
        best: npt.NDArray[np.intp] = counts.argmax(axis=1)
        return best

    def _score(self, texts: Sequence[str]) -> Probabilities:
        if self.multilabel:
            found = (self._words_found(texts) > 0).astype(np.int64)
            of_labels: Probabilities = self._shares[np.arange(len(self._lists)), found, 1]
            return of_labels
        shares: Probabilities = self._shares[self._best_list(texts)]
        return shares

    def _save(self, folder: Path) -> None:
        content = {"words": list(map(sorted, self._lists)), "shares": self._shares.tolist()}
        (folder / _FILE).write_text(json.dumps(content), "utf-8")

    def _load(self, folder: Path) -> None:
        content = json.loads((folder / _FILE).read_text("utf-8"))
        self._lists = list(map(frozenset, content["words"]))
        self._shares = np.array(content["shares"])

    def size(self) -> Size:
        free = self._shares[..., 1:].size  # each row sums to 1
        trained = sum(map(len, self._lists)) + free
        return Size(trained, trained)


def chi_squared(
    in_class: npt.NDArray[np.float64],
    elsewhere: npt.NDArray[np.float64],
    comments_in_class: float,
    comments_elsewhere: float,
) -> npt.NDArray[np.float64]:
    """Pearson's statistic of each word's 2×2 table, presence by class; 0 for a word in every comment.

    scikit-learn's `chi2` adds up the two cells of presence only, and is too small for common words.
    `scipy.stats.chi2_contingency` takes one table at a time, 0.3 ms per word.

    Args:
        in_class: comments of the class that contain the word, shape (words,).
        elsewhere: comments of other classes that contain it, shape (words,).
    """
    total = comments_in_class + comments_elsewhere
    present = in_class + elsewhere
    margins = comments_in_class * comments_elsewhere * present * (total - present)
    difference = in_class * comments_elsewhere - elsewhere * comments_in_class
    return np.divide(total * difference**2, margins, out=np.zeros_like(margins), where=margins > 0)
