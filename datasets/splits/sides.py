"""Which side of the split each comment is on: training, validation or test.

As the corpus has it, or else at random within each class, or in whole groups: then by scikit-learn's
StratifiedGroupKFold, of which one fold is the test side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from worthit.datasets.corpus import SIDES, column
from worthit.datasets.errors import DataError

Rows = npt.NDArray[np.int64]
#: the rows of each class, the last class first, in the order in which they are drawn
ByClass = list[Rows]

_TRAIN, _VALIDATION, _TEST = range(len(SIDES))
_LARGEST_VALIDATION = 1 / 3  # of the training side, where one group is more than is wanted


@dataclass(frozen=True)
class Plan:
    """How large the sides are to be, where the corpus does not say."""

    test_share: float
    validation_share: float  # of the training side
    most_validation: int
    balance: bool  # as many comments of each class, on each side
    seed: int


@dataclass(frozen=True)
class Sides:
    train: ByClass
    validation: ByClass
    test: ByClass
    surplus: ByClass  # left out by balancing, and trained on by nobody
    given: bool = False  # by the corpus

    @property
    def rows(self) -> Rows:
        """All but the surplus."""
        return np.concatenate([*self.train, *self.validation, *self.test])


def at_random(by_class: ByClass, plan: Plan) -> Sides:
    """Cut each class, already shuffled: its test side first, its validation side last."""
    counts = [len(rows) for rows in by_class]
    if plan.balance:
        counts = [min(counts)] * len(counts)
    tested = [round(count * plan.test_share) for count in counts]
    rest = [rows[t:n] for rows, t, n in zip(by_class, tested, counts, strict=True)]
    train, validation = _carved(rest, sum(counts), counts, plan)
    return Sides(
        train,
        validation,
        test=[rows[:t] for rows, t in zip(by_class, tested, strict=True)],
        surplus=[rows[n:] for rows, n in zip(by_class, counts, strict=True)],
    )


def _carved(
    rest: ByClass, total: int, counts: Sequence[int], plan: Plan
) -> tuple[ByClass, ByClass]:
    """Take the validation side off the end of each class's training side."""
    held_out = [
        min(round(len(rows) * plan.validation_share), plan.most_validation * count // max(total, 1))
        for rows, count in zip(rest, counts, strict=True)
    ]
    ends = [len(rows) - held for rows, held in zip(rest, held_out, strict=True)]
    train = [rows[:end] for rows, end in zip(rest, ends, strict=True)]
    return train, [rows[end:] for rows, end in zip(rest, ends, strict=True)]


def without_shared_groups(corpus: pa.Table, rows: Rows) -> Rows:
    """Where sides are given: the rows but those to train on whose group is tested on."""
    side, group = column(corpus, "side")[rows], column(corpus, "group")[rows]
    kept = np.ones(len(rows), bool)
    for later in (_TEST, _VALIDATION):
        kept &= (side >= later) | ~np.isin(group, group[side == later])
    left: Rows = rows[kept]
    return left


def assigned(
    corpus: pa.Table, rows: Rows, labels: Rows, kinds: int, plan: Plan, rng: np.random.Generator
) -> Sides:
    """Sides by whole rows of `side` or `group`; both must be there to be kept to.

    Args:
        rows: those that are left of the corpus.
        labels: of the whole corpus.
    """
    given = "side" in corpus.column_names
    group = column(corpus, "group")[rows] if "group" in corpus.column_names else None
    if given:
        side = column(corpus, "side")[rows].astype(np.int64)
    else:
        assert group is not None
        side = np.full(len(rows), _TRAIN)
        side[_fold(labels[rows], group, kinds, plan)] = _TEST
    if group is not None and _VALIDATION not in side:
        side[_some_groups(group, labels[rows], kinds, side == _TRAIN, plan, rng)] = _VALIDATION
    train, validation, test = (
        [rng.permutation(rows[(side == s) & (labels[rows] == k)]) for k in reversed(range(kinds))]
        for s in (_TRAIN, _VALIDATION, _TEST)
    )
    nothing = [part[:0] for part in test]
    if not plan.balance:
        found = Sides(train, validation, test, nothing, given)
    else:
        fewest = len(min(test, key=len))
        surplus = [part[fewest:] for part in test]
        found = Sides(_evened(train), _evened(validation), _evened(test), surplus, given)
    if group is None and not any(map(len, validation)):
        counts = [len(part) for part in found.train]
        carved = _carved(found.train, sum(counts), counts, plan)
        found = Sides(*carved, found.test, found.surplus, given)
    return found


def _evened(parts: ByClass) -> ByClass:
    fewest = len(min(parts, key=len))
    return [part[:fewest] for part in parts]


def _fold(labels: Rows, group: Rows, kinds: int, plan: Plan) -> Rows:
    """Places of the comments of one fold: about the test share, with the classes' own shares."""
    rarest = int(np.bincount(labels, minlength=kinds).min())
    folds = min(round(1 / plan.test_share), len(np.unique(group)), rarest)
    if folds < 2:
        raise DataError(
            f"comments are of {len(np.unique(group)):,} group(s), the rarest class has {rarest:,} of them; it "
            "takes two of each for two sides: choose another --group-column, or none"
        )
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=plan.seed)
    _, test = next(splitter.split(labels, labels, group))
    return np.asarray(test)


def _some_groups(
    group: Rows,
    labels: Rows,
    kinds: int,
    among: npt.NDArray[np.bool_],
    plan: Plan,
    rng: np.random.Generator,
) -> Rows:
    """Places of the comments of the groups to validate on.

    Groups are drawn at random as long as no class has more than its share. Where they are too coarse
    for that, it is the one group that comes nearest to what is wanted of each class, if training can
    spare it; else none.
    """
    names, numbers = np.unique(group[among], return_inverse=True)
    counts = np.zeros((len(names), kinds), np.int64)
    np.add.at(counts, (numbers, labels[among]), 1)
    wanted = _wanted(counts.sum(axis=0), plan)
    if not wanted.any():
        return np.flatnonzero(among)[:0]
    order = rng.permutation(len(names))
    drawn = order[_within(counts[order], wanted)]
    found = np.vstack([counts[drawn].sum(axis=0), counts[order]])
    # By ratio, so that a tenth of what is wanted is as far off as ten times as much.
    distance = np.abs(np.log((found + 0.5) / (wanted + 0.5))).max(axis=1)
    distance[~_can_be_spared(found, counts.sum(axis=0), plan)] = np.inf
    best = int(np.argmin(distance))
    if np.isinf(distance[best]):
        return np.flatnonzero(among)[:0]
    chosen = drawn if distance[0] <= np.log(2) or best == 0 else order[best - 1]
    return np.flatnonzero(among & np.isin(group, names[chosen]))


def _wanted(counts: Rows, plan: Plan) -> Rows:
    """Comments of each class to validate on; one at least, where training keeps another."""
    kept = counts.min() * len(counts) if plan.balance else counts.sum()
    share = min(plan.validation_share, plan.most_validation / max(int(kept), 1))
    wanted = np.maximum(np.rint(counts * share), share > 0).astype(np.int64)
    spared: Rows = np.minimum(wanted, np.maximum(counts - 1, 0))
    return spared


def _within(counts: Rows, wanted: Rows) -> list[int]:
    """Places of groups in turn, passing over those with which a class would have more than wanted."""
    left, found = wanted.tolist(), []
    for place, of_group in enumerate(counts.tolist()):
        after = [have - count for have, count in zip(left, of_group, strict=True)]
        if min(after) >= 0:
            left = after
            found.append(place)
    return found


def _can_be_spared(found: Rows, counts: Rows, plan: Plan) -> npt.NDArray[np.bool_]:
    """Whether training keeps most comments, and some of each class; balanced, validation has some, too."""
    spared: npt.NDArray[np.bool_] = (found < counts).all(axis=1) & (
        found.sum(axis=1) <= _LARGEST_VALIDATION * counts.sum()
    )
    return spared & (found > 0).all(axis=1) if plan.balance else spared & found.any(axis=1)
