"""Draws a number of comments from those of each class or stratum: as many of each, or in proportion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worthit.datasets.errors import DataError
from worthit.datasets.splits.sides import ByClass, Rows

_LEAST = 0.2  # of an equal part: of two classes, the rarer one has at least a tenth


@dataclass(frozen=True)
class AtMost:
    """A size that a smaller corpus may not reach."""

    comments: int


#: an exact number of comments, an upper limit, or None for all
Size = int | AtMost | None


def evenly(by_class: ByClass, size: Size, option: str, rng: np.random.Generator) -> Rows:
    """As many of each class; the first classes have one more if the size is not a multiple."""
    kinds = len(by_class)
    count = _count(size, kinds * len(by_class[0]), option)
    counts = [(count + kinds - 1 - place) // kinds for place in range(kinds)]
    return rng.permutation(_heads(by_class, counts))


def in_proportion(by_class: ByClass, size: Size, option: str, rng: np.random.Generator) -> Rows:
    """All comments, or the head of an order in which every head has the shares of the whole.

    One comment of each class comes first, so that even a short head has all classes.
    """
    count = _count(size, sum(map(len, by_class)), option)
    places = np.concatenate([np.arange(len(rows)) / max(len(rows), 1) for rows in by_class])
    order = np.argsort(places, kind="stable")
    return rng.permutation(np.concatenate(by_class)[order[:count]])


def stratified(
    by_class: ByClass, shares: npt.NDArray[np.float64], size: Size, rng: np.random.Generator
) -> Rows:
    """As many comments as are available with these shares of the classes, or `size` of them.

    A rare class has at least `_LEAST` of an equal part, as far as it is available; the others make room.
    """
    available = np.array([len(rows) for rows in by_class])
    total = _count(size, max(int((available / shares).min() + 1e-6), len(shares)), "--test-size")
    least = np.maximum(_LEAST * total / len(shares), 1)
    counts = np.minimum(np.rint(np.maximum(shares * total, least)), available).astype(np.int64)
    # The most frequent class makes room, or takes what is left.
    most = int(np.argmax(shares))
    counts[most] = np.clip(total - (counts.sum() - counts[most]), 1, available[most])
    return rng.permutation(_heads(by_class, counts.tolist()))


def _heads(by_class: ByClass, counts: Sequence[int]) -> Rows:
    return np.concatenate([rows[:count] for rows, count in zip(by_class, counts, strict=True)])


def _count(size: Size, available: int, option: str) -> int:
    if size is None:
        return available
    if isinstance(size, AtMost):
        return min(size.comments, available)
    if size > available:
        raise DataError(
            f"{option} is {size:,}, but that side of the split has {available:,} comments; "
            f"ask for at most {available:,}"
        )
    return size
