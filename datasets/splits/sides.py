"""The side of the split that each comment is on: training, validation or test.

The corpus may say it. Otherwise sides are drawn at random within each class. Whole groups are drawn with
scikit-learn's StratifiedGroupKFold; one fold is the test side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets.corpus import SIDES, column
from worthit.datasets.errors import DataError

Rows = npt.NDArray[np.int64]
#: the rows of each class, last class first, in the order of drawing
ByClass = list[Rows]

_TRAIN, _VALIDATION, _TEST = range(len(SIDES))
_LARGEST_VALIDATION = 1 / 3  # of the training side, if one group is larger than the target


@dataclass(frozen=True)
class Plan:
    """The sizes of the sides, if the corpus does not give them."""

    test_share: float
    validation_share: float  # of the training side
    most_validation: int
    balance: bool  # the same number of comments of each class, on each side
    seed: int


@dataclass(frozen=True)
class Sides:
    train: ByClass
    validation: ByClass
    test: ByClass
    surplus: ByClass  # left out by balancing, and never trained on
    given: bool = False  # the corpus comes with its sides

    @property
    def rows(self) -> Rows:
        """All rows but the surplus."""
        return np.concatenate([*self.train, *self.validation, *self.test])


def split_at_random(by_class: ByClass, plan: Plan) -> Sides:
    """Cut each shuffled class into its test side, training side and validation side, in this order."""
    counts = [len(rows) for rows in by_class]
    if plan.balance:
        counts = [min(counts)] * len(counts)
    test = [round(count * plan.test_share) for count in counts]
    rest = [rows[t:n] for rows, t, n in zip(by_class, test, counts, strict=True)]
    train, validation = _take_validation(rest, sum(counts), counts, plan)
    return Sides(
        train,
        validation,
        test=[rows[:t] for rows, t in zip(by_class, test, strict=True)],
        surplus=[rows[n:] for rows, n in zip(by_class, counts, strict=True)],
    )


def _take_validation(
    rest: ByClass, total: int, counts: Sequence[int], plan: Plan
) -> tuple[ByClass, ByClass]:
    """Take the validation side off the end of each class's training side."""
    held_out = [
        min(round(len(rows) * plan.validation_share), plan.most_validation * count // max(total, 1))
        for rows, count in zip(rest, counts, strict=True)
    ]
    ends = [len(rows) - size for rows, size in zip(rest, held_out, strict=True)]
    train = [rows[:end] for rows, end in zip(rest, ends, strict=True)]
    return train, [rows[end:] for rows, end in zip(rest, ends, strict=True)]


def without_shared_groups(corpus: pa.Table, rows: Rows) -> Rows:
    """With given sides: remove training rows whose group is on a later side."""
    side, group = column(corpus, "side")[rows], column(corpus, "group")[rows]
    unique = np.ones(len(rows), bool)
    for later in (_TEST, _VALIDATION):
        unique &= (side >= later) | ~np.isin(group, group[side == later])
    remaining: Rows = rows[unique]
    return remaining


def split_as_given(
    corpus: pa.Table, rows: Rows, labels: Rows, kinds: int, plan: Plan, rng: np.random.Generator
) -> Sides:
    """Split by the columns `side` and `group`, of which the corpus has at least one.

    Args:
        rows: the rows of the corpus that remain.
        labels: of the whole corpus.
    """
    given = "side" in corpus.column_names
    group = column(corpus, "group")[rows] if "group" in corpus.column_names else None
    if given:
        side = column(corpus, "side")[rows].astype(np.int64)
    else:
        assert group is not None
        side = np.full(len(rows), _TRAIN)
        side[_draw_fold(labels[rows], group, kinds, plan)] = _TEST
    if group is not None and _VALIDATION not in side:
        side[_draw_groups(group, labels[rows], kinds, side == _TRAIN, plan, rng)] = _VALIDATION
    train, validation, test = (
        [rng.permutation(rows[(side == s) & (labels[rows] == k)]) for k in reversed(range(kinds))]
        for s in (_TRAIN, _VALIDATION, _TEST)
    )
    surplus = [part[:0] for part in test]
    if plan.balance:
        surplus = [part[len(min(test, key=len)) :] for part in test]
        train, validation, test = _even(train), _even(validation), _even(test)
    if group is None and not any(map(len, validation)):
        counts = [len(part) for part in train]
        train, validation = _take_validation(train, sum(counts), counts, plan)
    return Sides(train, validation, test, surplus, given)


def _even(parts: ByClass) -> ByClass:
    fewest = len(min(parts, key=len))
    return [part[:fewest] for part in parts]


def _draw_fold(labels: Rows, group: Rows, kinds: int, plan: Plan) -> Rows:
    """Places of the comments of one fold: about the test share, in the classes' own shares."""
    rarest = int(np.bincount(labels, minlength=kinds).min())
    folds = min(round(1 / plan.test_share), len(np.unique(group)), rarest)
    if folds < 2:
        raise DataError(
            f"there are {len(np.unique(group)):,} group(s), and {rarest:,} comments of the rarest class; two "
            "sides need two of each: choose another --group-column, or omit it"
        )
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=plan.seed)
    _, test = next(splitter.split(labels, labels, group))
    return np.asarray(test)


def _draw_groups(
    group: Rows,
    labels: Rows,
    kinds: int,
    among: npt.NDArray[np.bool_],
    plan: Plan,
    rng: np.random.Generator,
) -> Rows:
    """Places of the comments of the groups to validate on.

    Groups are drawn at random as long as no class exceeds its target. If the groups are too large for
    that, the one group nearest to the targets is taken, or none if training needs it.
    """
    names, numbers = np.unique(group[among], return_inverse=True)
    counts = np.zeros((len(names), kinds), np.int64)
    np.add.at(counts, (numbers, labels[among]), 1)
    target = _validation_target(counts.sum(axis=0), plan)
    if not target.any():
        return np.flatnonzero(among)[:0]
    order = rng.permutation(len(names))
    drawn = order[_fill(counts[order], target)]
    candidates = np.vstack([counts[drawn].sum(axis=0), counts[order]])
    # By ratio: a tenth of the target is as far off as ten times the target.
    distance = np.abs(np.log((candidates + 0.5) / (target + 0.5))).max(axis=1)
    distance[~_is_spare(candidates, counts.sum(axis=0), plan)] = np.inf
    best = int(np.argmin(distance))
    if np.isinf(distance[best]):
        return np.flatnonzero(among)[:0]
    selected = drawn if distance[0] <= np.log(2) or best == 0 else order[best - 1]
    return np.flatnonzero(among & np.isin(group, names[selected]))


def _validation_target(counts: Rows, plan: Plan) -> Rows:
    """Comments of each class to validate on: at least one, if training keeps another."""
    usable = counts.min() * len(counts) if plan.balance else counts.sum()
    share = min(plan.validation_share, plan.most_validation / max(int(usable), 1))
    target = np.maximum(np.rint(counts * share), share > 0).astype(np.int64)
    limited: Rows = np.minimum(target, np.maximum(counts - 1, 0))
    return limited


def _fill(counts: Rows, target: Rows) -> list[int]:
    """Places of groups in turn, without those that would take a class over its target."""
    remaining, places = target.tolist(), []
    for place, of_group in enumerate(counts.tolist()):
        after = [have - count for have, count in zip(remaining, of_group, strict=True)]
        if min(after) >= 0:
            remaining = after
            places.append(place)
    return places


def _is_spare(groups: Rows, counts: Rows, plan: Plan) -> npt.NDArray[np.bool_]:
    """True if training keeps most comments and some of each class. With balance, validation has all classes."""
    spare: npt.NDArray[np.bool_] = (groups < counts).all(axis=1) & (
        groups.sum(axis=1) <= _LARGEST_VALIDATION * counts.sum()
    )
    return spare & (groups > 0).all(axis=1) if plan.balance else spare & groups.any(axis=1)
