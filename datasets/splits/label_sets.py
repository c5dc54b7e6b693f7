"""Multi-label comments in a split: which labels can be split, and strata that keep them together.

A corpus holds the set of labels of each comment as one number (`About.label_sets`), so that duplicates and
contradictions are as of classes. Sets that are common enough are strata by themselves. Comments of other
sets are drawn by their rarest label, the idea of iterative stratification (Sechidis, Tsoumakas and Vlahavas
2011, "On the Stratification of Multi-label Data"); what is too rare even so is drawn with the rest.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets import corpus
from worthit.datasets.classes import LABEL_TYPE, Labels
from worthit.datasets.corpus import About, column
from worthit.datasets.errors import DataError, OptionError, listed

_LEAST = 10  # comments of a stratum
_NAMES = 3  # of labels in a line

Rows = npt.NDArray[np.int64]


def matrix(about: About) -> Labels:
    """The labels of each set, shape (sets, labels), 0 or 1."""
    found = np.zeros((len(about.label_sets), len(about.classes)), LABEL_TYPE)
    for place, labels in enumerate(about.label_sets):
        found[place, list(labels)] = 1
    return found


def strata(of_rows: Rows, about: About) -> Rows:
    """A stratum for each comment, counted from 0.

    Args:
        of_rows: shape (n,), the number of each comment's set.
    """
    of_set = matrix(about)
    counts = np.bincount(of_rows, minlength=len(of_set))
    by_label = counts @ of_set
    # Sets first, then labels, then the rest.
    stratum = np.arange(len(of_set))
    rare = counts < _LEAST
    if len(about.classes):
        rarest = np.where(of_set == 1, by_label, np.iinfo(np.int64).max).argmin(axis=1)
        has_any = of_set.any(axis=1)
        rest = len(of_set) + len(about.classes)
        stratum = np.where(rare, np.where(has_any, len(of_set) + rarest, rest), stratum)
    chosen = stratum[of_rows]
    _, numbers, sizes = np.unique(chosen, return_inverse=True, return_counts=True)
    largest = int(sizes.argmax())
    numbers[(sizes < _LEAST)[numbers]] = largest
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def lacking(table: pa.Table, parts: tuple[Rows, ...]) -> npt.NDArray[np.bool_]:
    """The labels that all comments of a part have, or none, shape (labels,)."""
    of_set, of_rows = matrix(corpus.about(table)), column(table, "label")
    found = np.zeros(of_set.shape[1], np.bool_)
    for rows in parts:
        counts = of_set[of_rows[rows]].sum(axis=0)
        found |= (counts == 0) | (counts == len(rows))
    return found


def without(table: pa.Table, leave_out: npt.NDArray[np.bool_], rows: Rows) -> pa.Table:
    """The same comments without some labels, and a line on these.

    Args:
        leave_out: shape (labels,).
        rows: those that count in the line.

    Raises:
        DataError: fewer than two labels are left.
    """
    about = corpus.about(table)
    of_set, of_rows = matrix(about), column(table, "label")
    counts = of_set[of_rows[rows]].sum(axis=0)
    names = [about.classes[place] for place in np.flatnonzero(leave_out)]
    some = listed(
        [f"{about.classes[place]} ({counts[place]:,})" for place in np.flatnonzero(leave_out)],
        _NAMES,
    )
    kept = np.flatnonzero(~leave_out)
    if len(kept) < 2:
        left = f"only {about.classes[kept[0]]} is" if len(kept) else "none is"
        raise DataError(
            f"of {len(about.classes)} labels {left} common enough to train and test on, two or more are "
            f"needed; comments with the others: {some}; give more comments, or learn one label"
        )
    new_place = {old: new for new, old in enumerate(kept.tolist())}
    reduced = [
        tuple(new_place[label] for label in each if label in new_place) for each in about.label_sets
    ]
    sets = tuple(sorted({*reduced}))
    number = {each: place for place, each in enumerate(sets)}
    place = np.array([number[each] for each in reduced])
    verb = "label is" if len(names) == 1 else "labels are"
    line = (
        f"{len(names)} {verb} too rare or too common to train and test on and left out: {some} of "
        f"{len(rows):,} comments"
    )
    about = replace(
        about,
        classes=tuple(about.classes[place] for place in kept),
        label_sets=sets,
        notes=(*about.notes, line),
    )
    return corpus.relabelled(table, place[of_rows], about)


def require_no_merging(merge_rare: bool) -> None:
    """Raise OptionError if rare labels are to be merged."""
    if merge_rare:
        raise OptionError(
            "--merge-rare merges classes, but a comment has several labels here; omit it"
        )
