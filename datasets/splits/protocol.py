"""The one data protocol: from a corpus to training and test comments. Pure and seeded.

English only → duplicates out → test side set apart, once, for every size → balanced training and
test sets, and a second test set at the corpus's natural prevalence, none of it ever trained on. A
validation set, for what is chosen after training, comes off the training side. Without balancing all
sets keep the classes' own shares. A split that the corpus brings along is kept to, and groups of
comments stay on one side.
All sets of one seed are nested: a smaller training set is part of a larger one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import about, column
from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.splits import sides
from worthit.datasets.splits.manifest import Step
from worthit.datasets.splits.sides import ByClass, Plan, Rows, Sides

LANGUAGES = ("en", "any")


@dataclass(frozen=True)
class AtMost:
    """A size that a smaller corpus need not reach."""

    comments: int


#: a number of comments that must be had, or at most so many, or (None) all there are
Size = int | AtMost | None


@dataclass(frozen=True)
class Protocol:
    """How comments are chosen."""

    seed: int = 42
    train_size: Size = None
    test_size: Size = None
    natural_size: Size = None
    validation_size: AtMost = AtMost(1_000)
    test_share: float = 0.1
    validation_share: float = 0.05  # of the training side, at most
    foreign_confidence: float = 0.8  # drop a comment only when confidently not English
    language: str | None = None  # one of LANGUAGES; None is as suits the corpus, see `settled`
    balance: bool | None = None  # the same

    def __post_init__(self) -> None:
        for name in ("train_size", "test_size", "natural_size"):
            size = getattr(self, name)
            if isinstance(size, int) and size < 2:
                option = "--" + name.replace("_", "-")
                raise OptionError(f"{option} is {size}; it takes a number of comments from 2 up")
        if self.language not in (None, *LANGUAGES):
            raise OptionError(f"--language is {self.language!r}; it takes {' or '.join(LANGUAGES)}")

    def settled(self, corpus: pa.Table, *, own: bool = False) -> "Protocol":
        """With what was left open as suits the corpus.

        Users' own comments are of any language, and are balanced only if they are of two classes and
        come without a test side: of many classes the rarest would decide how little is left, and a
        test side is given to be tested on as it is.
        """
        plain = not own or (len(about(corpus).classes) == 2 and "side" not in corpus.column_names)
        return replace(
            self,
            language=self.language or ("any" if own else "en"),
            balance=plain if self.balance is None else self.balance,
        )


#: name → hashes of comments
Folds = Mapping[str, npt.NDArray[np.uint64]]
#: row numbers, and how they came about
Drawn = tuple[Rows, tuple[Step, ...]]


@dataclass(frozen=True)
class Split:
    """Row numbers into the corpus, in the order in which models see them, and the counts."""

    train: Rows
    test: Rows
    natural: Rows
    validation: Rows
    steps: tuple[Step, ...]
    prevalence: float  # share of the positive class where the natural test set comes from
    notes: tuple[str, ...] = ()  # what was wanted and is not to be had, a line each


def split(corpus: pa.Table, protocol: Protocol) -> Split:
    """Apply the protocol to a corpus.

    Raises:
        DataError: a class is empty after filtering, or a size asked for is not to be had.
        OptionError: a size has no room for a comment of each class.
    """
    protocol = protocol.settled(corpus)
    _require_room(protocol, len(about(corpus).classes))
    counted = _Counted(column(corpus, "label").astype(np.int64), about(corpus).classes)
    rows = _filtered(corpus, protocol, counted)
    rng = np.random.default_rng(protocol.seed)
    found = _sides(corpus, rows, protocol, counted, rng)
    counted.require_both_sides(found)
    parts = (
        _balanced_parts(found, rows, protocol, counted, rng)
        if protocol.balance
        else _proportional_parts(found, protocol, counted, rng)
    )
    if len(parts.validation) or not protocol.validation_size.comments:
        return parts
    return replace(parts, notes=(_without_validation(corpus),))


def _require_room(protocol: Protocol, classes: int) -> None:
    for option, size in (
        ("--train-size", protocol.train_size),
        ("--test-size", protocol.test_size),
        ("--test-size", protocol.natural_size),
    ):
        comments = size.comments if isinstance(size, AtMost) else size
        if comments is not None and comments < classes:
            raise OptionError(
                f"{option} is {comments}; of {classes} classes it takes a number of comments from "
                f"{classes} up"
            )


def _without_validation(corpus: pa.Table) -> str:
    why = (
        "no group is small enough, and of every class, for training to spare it"
        if "group" in corpus.column_names
        else "there are too few of every class"
    )
    return f"no comments to validate on, so no thresholds of cascades: {why}"


def test_set(corpus: pa.Table, home: Protocol, size: int, at_home: Folds) -> Drawn:
    """Comments of another origin, chosen as the test set of a settled protocol was.

    The same rules of language and duplicates, balanced if that is, its own split left aside: nobody
    trains on any of it.

    Args:
        size: at most so many comments.
        at_home: name → folds (`worthit.datasets.corpus.fold`) of comments not to be tested on.

    Raises:
        DataError: a class has no comments left.
    """
    counted = _Counted(column(corpus, "label").astype(np.int64), about(corpus).classes)
    rows = _filtered(corpus, home, counted)
    folds = column(corpus, "fold")
    for name, present in at_home.items():
        rows = counted.note(f"not in the {name}", rows[~np.isin(folds[rows], present)])
    kinds = range(len(counted.classes))
    rng = np.random.default_rng(home.seed)
    by_class = [rng.permutation(rows[counted.labels[rows] == k]) for k in reversed(kinds)]
    present_classes = [part for part in by_class if len(part)]
    if len(present_classes) < 2:
        raise DataError(
            "fewer than two classes have comments left to test on: "
            + ", ".join(
                f"{n:,} {k!r}"
                for n, k in zip(counted.steps[-1].counts, counted.classes, strict=True)
            )
        )
    if home.balance:
        fewest = min(map(len, present_classes))
        drawn = _evenly([part[:fewest] for part in present_classes], AtMost(size), "", rng)
    else:
        drawn = _in_proportion(present_classes, AtMost(size), "", rng)
    counted.note("tested on, balanced" if home.balance else "tested on", drawn)
    return drawn, tuple(counted.steps)


class _Counted:
    """Steps, as they are taken."""

    def __init__(self, labels: Rows, classes: tuple[str, ...]) -> None:
        self.labels, self.classes = labels, classes
        self.steps: list[Step] = []

    def counts(self, rows: Rows) -> Rows:
        return np.bincount(self.labels[rows], minlength=len(self.classes))

    def note(self, name: str, rows: Rows) -> Rows:
        self.steps.append(Step(name, len(rows), tuple(self.counts(rows).tolist())))
        return rows

    def require_both_sides(self, found: Sides) -> None:
        """Raises DataError if a class has nothing to train on, or nothing to test on."""
        for part, does in ((found.test, "test"), (found.train, "train")):
            for rows, name in zip(reversed(part), self.classes, strict=True):
                if not len(rows):
                    raise DataError(self._too_few(name, does, found.given))

    def _too_few(self, name: str, does: str, given: bool) -> str:
        if given:
            return (
                f"no comment of the class {name} is left to {does} on; give both sides of the split "
                "comments of every class, or leave the split out"
            )
        last = self.steps[-1]
        pairs = sorted(zip(last.counts, self.classes, strict=True))
        listed = ", ".join(f"{count:,} {name!r}" for count, name in pairs[:3])
        of = "" if len(pairs) <= 3 else f" (the rarest of {len(pairs)} classes)"
        foreign = [a.comments - b.comments for a, b in pairwise(self.steps) if "English" in b.name]
        hint = (
            f"; {foreign[0]:,} were not English, --language any keeps them" if any(foreign) else ""
        )
        return (
            f"too few comments are left after filtering to train and test on: {listed}{of}{hint}; "
            "give at least 10 of each class"
        )


def _filtered(corpus: pa.Table, protocol: Protocol, counted: _Counted) -> Rows:
    unlabelled = about(corpus).unlabelled
    without = f", {unlabelled:,} rows without a label left out" if unlabelled else ""
    rows = counted.note(f"in the corpus{without}", np.arange(corpus.num_rows))
    rows = counted.note("not empty", rows[_not_empty(corpus)[rows]])
    if protocol.language == "en":
        confident = column(corpus, "foreign") >= protocol.foreign_confidence
        rows = counted.note("English, or not confidently foreign", rows[~confident[rows]])
    rows = counted.note("without exact duplicates", _first_of_each(_exact(corpus), rows))
    return counted.note(
        "without duplicates but for case and white space",
        _first_of_each(column(corpus, "fold"), rows),
    )


def _sides(
    corpus: pa.Table, rows: Rows, protocol: Protocol, counted: _Counted, rng: np.random.Generator
) -> Sides:
    plan = Plan(
        protocol.test_share,
        protocol.validation_share,
        protocol.validation_size.comments,
        bool(protocol.balance),
        protocol.seed,
    )
    kinds = len(counted.classes)
    given, grouped = ("side" in corpus.column_names, "group" in corpus.column_names)
    if given and grouped:
        rows = counted.note(
            "without training comments of groups that are tested on",
            sides.without_shared_groups(corpus, rows),
        )
    if given or grouped:
        return sides.assigned(corpus, rows, counted.labels, kinds, plan, rng)
    by_class = [rng.permutation(rows[counted.labels[rows] == k]) for k in reversed(range(kinds))]
    return sides.at_random(by_class, plan)


def _balanced_parts(
    found: Sides, rows: Rows, protocol: Protocol, counted: _Counted, rng: np.random.Generator
) -> Split:
    """As many comments of each class; and a second test set with the classes' own shares."""
    counted.note("balanced", found.rows)
    test = _evenly(found.test, protocol.test_size, "--test-size", rng)
    train = _evenly(found.train, protocol.train_size, "--train-size", rng)
    validation = _evenly(found.validation, protocol.validation_size, "", rng)
    # What balancing left out is on the test side too: nobody trains on it.
    pools = [np.concatenate(pair) for pair in zip(found.test, found.surplus, strict=True)]
    source = np.concatenate(pools) if found.given else rows
    counts = counted.counts(source)
    if found.given:
        natural = _in_proportion(pools, protocol.natural_size, "--test-size", rng)
    else:
        natural = _at_shares(pools, counts[::-1] / len(source), protocol.natural_size, rng)
    counted.note("train, balanced", train)
    counted.note("validation, balanced", validation)
    counted.note("test, balanced", test)
    counted.note("test, natural prevalence", natural)
    prevalence = float(counts[1] / len(source))
    return Split(train, test, natural, validation, tuple(counted.steps), prevalence)


def _proportional_parts(
    found: Sides, protocol: Protocol, counted: _Counted, rng: np.random.Generator
) -> Split:
    """Classes have their own shares everywhere, so the natural test set is the test set."""
    test = _in_proportion(found.test, protocol.test_size, "--test-size", rng)
    train = _in_proportion(found.train, protocol.train_size, "--train-size", rng)
    validation = _in_proportion(found.validation, protocol.validation_size, "", rng)
    counted.note("train", train)
    counted.note("validation", validation)
    counted.note("test", test)
    counted.note("test, natural prevalence (the same)", test)
    counts = counted.counts(np.concatenate(found.test))
    prevalence = float(counts[1] / counts.sum())
    return Split(train, test, test, validation, tuple(counted.steps), prevalence)


def _not_empty(corpus: pa.Table) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.greater(pc.utf8_length(corpus["text"]), 0).to_numpy())


def _exact(corpus: pa.Table) -> npt.NDArray[np.int64]:
    """The same number for the same text, letter by letter."""
    return np.asarray(corpus["text"].combine_chunks().dictionary_encode().indices.to_numpy())


def _first_of_each(keys: npt.NDArray[np.generic], rows: Rows) -> Rows:
    _, first = np.unique(keys[rows], return_index=True)
    kept: Rows = rows[np.sort(first)]
    return kept


def _evenly(by_class: ByClass, size: Size, option: str, rng: np.random.Generator) -> Rows:
    """As many of each class, those first in line having one more where it does not come out even."""
    kinds = len(by_class)
    chosen = _chosen(size, kinds * len(by_class[0]), option)
    counts = [(chosen + kinds - 1 - place) // kinds for place in range(kinds)]
    return rng.permutation(_heads(by_class, counts))


def _in_proportion(by_class: ByClass, size: Size, option: str, rng: np.random.Generator) -> Rows:
    """All, or the head of an order in which each beginning has the shares of the whole.

    One comment of each class comes first, so that even a short head has them all.
    """
    chosen = _chosen(size, sum(map(len, by_class)), option)
    places = np.concatenate([np.arange(len(rows)) / max(len(rows), 1) for rows in by_class])
    order = np.argsort(places, kind="stable")
    return rng.permutation(np.concatenate(by_class)[order[:chosen]])


def _at_shares(
    by_class: ByClass, shares: npt.NDArray[np.float64], size: Size, rng: np.random.Generator
) -> Rows:
    """As many as can be had of the classes in these shares, or so many of them."""
    # The commonest class takes what rounding leaves over.
    most = len(shares) - 1 - int(np.argmax(shares[::-1]))
    others = [place for place in range(len(shares)) if place != most]
    shares[most] = 1 - shares[others].sum()
    available = int(min(len(rows) / share for rows, share in zip(by_class, shares, strict=True)))
    chosen = _chosen(size, available, "--test-size")
    counts = [max(1, round(chosen * share)) for share in shares]
    counts[most] = max(1, chosen - sum(counts[place] for place in others))
    return rng.permutation(_heads(by_class, counts))


def _heads(by_class: ByClass, counts: Sequence[int]) -> Rows:
    return np.concatenate([rows[:count] for rows, count in zip(by_class, counts, strict=True)])


def _chosen(size: Size, available: int, option: str) -> int:
    if size is None:
        return available
    if isinstance(size, AtMost):
        return min(size.comments, available)
    if size > available:
        raise DataError(
            f"{option} {size:,} was asked for, but that side of the split has {available:,} comments; "
            f"ask for at most {available:,}"
        )
    return size
