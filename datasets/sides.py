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
        wanted = min(round((side == _TRAIN).sum() * plan.validation_share), plan.most_validation)
        side[_some_groups(group, side == _TRAIN, int(wanted), rng)] = _VALIDATION
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
    group: Rows, among: npt.NDArray[np.bool_], wanted: int, rng: np.random.Generator
) -> Rows:
    """Places of the comments of groups drawn at random, until there are as many as wanted."""
    names, counts = np.unique(group[among], return_counts=True)
    order = rng.permutation(len(names))
    within = names[order[np.cumsum(counts[order]) <= wanted]]
    return np.flatnonzero(among & np.isin(group, within))
