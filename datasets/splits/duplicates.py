"""Comments with the same text, and texts whose labels differ."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets.splits.sides import Rows


def exact(corpus: pa.Table) -> npt.NDArray[np.int64]:
    """The same number for texts with the same characters."""
    return np.asarray(corpus["text"].combine_chunks().dictionary_encode().indices.to_numpy())


def first_of_each(keys: npt.NDArray[np.generic], rows: Rows) -> Rows:
    _, first = np.unique(keys[rows], return_index=True)
    unique: Rows = rows[np.sort(first)]
    return unique


def contradictions(folds: npt.NDArray[np.uint64], labels: Rows) -> tuple[str, ...]:
    """How many texts occur with several labels, and what becomes of them; empty if none does."""
    order = np.lexsort((labels, folds))
    folds, labels = folds[order], labels[order]
    differ = (folds[1:] == folds[:-1]) & (labels[1:] != labels[:-1])
    several = len(np.unique(folds[1:][differ]))
    if not several:
        return ()
    some = "1 text occurs" if several == 1 else f"{several:,} texts occur"
    return (f"{some} with different labels; only the first row of each is kept",)
