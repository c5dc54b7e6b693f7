"""The data protocol: from a corpus to training and test comments. Pure and seeded.

1. Remove comments that are not English, then duplicates.
2. Hold out the test side, once for all sizes.
3. Draw balanced training and test sets, and a natural test set: classes as common as in use.
4. Take a validation set off the training side, for choices after training.

The natural set is a stratified sample (Neyman 1938, "Contribution to the theory of sampling human
populations"). The population is the random sample of a stream, if the corpus marks one (`random`);
otherwise all comments, which have no more than the data's own shares. Rare classes are drawn more often
than they occur, because a proportional sample would have too few of them: at 1.34 %, 500 comments have
seven toxic ones. A figure weights each comment by the share of its class in the population over that in
the sample.

Without balancing, all sets keep the classes' own shares. A split that comes with the corpus is respected,
and a group of comments stays on one side. All sets of one seed are nested: a smaller training set is part
of a larger one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import about, column
from worthit.datasets.errors import DataError, OptionError, listed
from worthit.datasets.splits import counts, draws, duplicates, label_sets, sides
from worthit.datasets.splits.draws import AtMost as AtMost
from worthit.datasets.splits.draws import Size as Size
from worthit.datasets.splits.manifest import Step
from worthit.datasets.splits.sides import ByClass, Plan, Rows, Sides

LANGUAGES = ("en", "any")
_MOST_VALIDATION = AtMost(1_000)


@dataclass(frozen=True)
class Protocol:
    """How comments are selected."""

    seed: int = 42
    train_size: Size = None
    test_size: Size = None
    natural_size: Size = None
    validation_size: AtMost = _MOST_VALIDATION
    test_share: float = 0.1
    validation_share: float = 0.05  # of the training side, at most
    foreign_confidence: float = 0.8  # remove a comment only if confidently not English
    language: str | None = None  # one of LANGUAGES; None depends on the corpus, see `settle`
    balance: bool | None = None  # None depends on the corpus
    weights: bool = False  # training counts each class the same; None of `balance` is then no
    merge_rare: bool = False  # classes too rare to split become one; otherwise they are left out

    def __post_init__(self) -> None:
        for name in ("train_size", "test_size", "natural_size"):
            size = getattr(self, name)
            if isinstance(size, int) and size < 2:
                option = "--" + name.replace("_", "-")
                raise OptionError(f"{option} is {size}; it takes a number of comments from 2 up")
        if self.language not in (None, *LANGUAGES):
            raise OptionError(f"--language is {self.language!r}; it takes {' or '.join(LANGUAGES)}")

    def settle(self, corpus: pa.Table, *, own: bool = False) -> "Protocol":
        """Replace None by what suits the corpus.

        The user's comments may be in any language. They are balanced only if they have two classes and no
        test side, never with several labels: with many classes the rarest would decide how few comments
        remain, and a test side that the user gives is used as it is.
        """
        known = about(corpus)
        plain = not own or (len(known.classes) == 2 and "side" not in corpus.column_names)
        plain = plain and not self.weights
        balance = plain if self.balance is None else self.balance
        return replace(
            self,
            language=self.language or ("any" if own else "en"),
            balance=balance and not known.label_sets,
        )


#: name → hashes of comments, see `worthit.datasets.corpus.fold`
Folds = Mapping[str, npt.NDArray[np.uint64]]


@dataclass(frozen=True)
class Split:
    """Row numbers in the corpus, in the order in which models see them, and the counts."""

    train: Rows
    test: Rows
    natural: Rows
    validation: Rows
    steps: tuple[Step, ...]
    population: tuple[int, ...]  # comments of each class that the natural set stands for
    stream: str  # what the population is a random sample of; empty if it is the data as it is
    notes: tuple[str, ...] = ()  # what was not possible, a line each


def split(corpus: pa.Table, protocol: Protocol) -> Split:
    """Apply the protocol to a corpus.

    Raises:
        DataError: a class is empty after filtering, or there are fewer comments than requested.
        OptionError: a size is too small for one comment of each class.
    """
    protocol = protocol.settle(corpus)
    known = about(corpus)
    _require_room(protocol, 2 if known.label_sets else len(known.classes))
    selection = _Selection(corpus, protocol)
    rows = selection.filter()
    drawn = selection.draw_sides(rows)
    notes = selection.require_both_sides(drawn)
    parts = selection.draw_parts(drawn, rows)
    if not len(parts.validation) and protocol.validation_size.comments:
        notes = (*notes, counts.without_validation("group" in corpus.column_names))
    return replace(parts, notes=(*selection.notes, *notes))


def remaining(corpus: pa.Table, protocol: Protocol) -> Rows:
    """The rows that are left after filtering, by a settled protocol."""
    return _Selection(corpus, protocol).filter()


def _require_room(protocol: Protocol, classes: int) -> None:
    for option, size in (
        ("--train-size", protocol.train_size),
        ("--test-size", protocol.test_size),
        ("--test-size", protocol.natural_size),
    ):
        comments = size.comments if isinstance(size, AtMost) else size
        if comments is not None and comments < classes:
            raise OptionError(
                f"{option} is {comments}; with {classes} classes it takes a number of comments from "
                f"{classes} up"
            )


def draw_test_set(
    corpus: pa.Table, protocol: Protocol, size: int, excluded: Folds
) -> tuple[Rows, tuple[Step, ...]]:
    """Draw an out-of-domain test set by the rules of a settled protocol.

    The rules for language, duplicates and balance are the same. The corpus's own split does not matter,
    because nobody trains on it.

    Args:
        size: the maximum number of comments.
        excluded: comments not to test on, by the name of the set that has them.

    Returns:
        Row numbers, and the steps that led to them.

    Raises:
        DataError: fewer than two classes have comments left.
    """
    selection = _Selection(corpus, protocol)
    rows = selection.filter()
    folds = column(corpus, "fold")
    for name, present in excluded.items():
        rows = selection.add(f"not in the {name}", rows[~np.isin(folds[rows], present)])
    present_classes = [part for part in selection.shuffle_by_class(rows) if len(part)]
    if selection.lacks_classes(rows):
        if about(corpus).label_sets:
            raise DataError(
                "some label is left on all comments or on none, so it cannot be tested: "
                + selection.described(rows)
            )
        raise DataError(
            "fewer than two classes have comments left to test on: " + selection.described(rows)
        )
    if protocol.balance:
        fewest = min(map(len, present_classes))
        present_classes = [part[:fewest] for part in present_classes]
    drawn = selection.draw(present_classes, AtMost(size), "")
    selection.add("tested on, balanced" if protocol.balance else "tested on", drawn)
    return drawn, tuple(selection.steps)


class _Selection:
    """Selects comments step by step, and counts them by class after each step."""

    def __init__(self, corpus: pa.Table, protocol: Protocol) -> None:
        self._corpus, self._protocol = corpus, protocol
        self._labels: Rows = column(corpus, "label").astype(np.int64)
        self._rng = np.random.default_rng(protocol.seed)
        known = about(corpus)
        self.classes = known.classes
        #: what comments are drawn by: classes, or strata of several labels
        self._strata, self._kinds = self._labels, len(self.classes)
        self._label_sets = None
        if known.label_sets:
            self._label_sets = label_sets.matrix(known)
            self._strata = label_sets.strata(self._labels, known)
            self._kinds = int(self._strata.max()) + 1
        self.steps: list[Step] = []
        self.notes: tuple[str, ...] = ()

    def counts(self, rows: Rows) -> Rows:
        """Comments of each class, or with each label."""
        if self._label_sets is not None:
            of_labels: Rows = self._label_sets[self._labels[rows]].sum(axis=0, dtype=np.int64)
            return of_labels
        return np.bincount(self._labels[rows], minlength=len(self.classes))

    def add(self, name: str, rows: Rows) -> Rows:
        self.steps.append(Step(name, len(rows), tuple(self.counts(rows).tolist())))
        return rows

    def described(self, rows: Rows) -> str:
        counted = zip(self.counts(rows).tolist(), self.classes, strict=True)
        return ", ".join(f"{count:,} {name!r}" for count, name in counted)

    def lacks_classes(self, rows: Rows) -> bool:
        """True if these comments have fewer than two classes, or some label is always or never there."""
        if self._label_sets is not None:
            return bool(label_sets.lacking(self._corpus, (rows,)).any())
        return int((self.counts(rows) > 0).sum()) < 2

    def require_both_sides(self, both: Sides) -> tuple[str, ...]:
        """Notes on classes that are not tested.

        Raises:
            DataError: a class has no comments to train on, or too few classes have comments to test on.
        """
        if self._label_sets is not None:  # `label_sets.lacking` looks at each label
            for side, does in ((both.train, "train"), (both.test, "test")):
                if not any(map(len, side)):
                    raise DataError(
                        f"no comment is left to {does} on; give both sides of the split comments, or omit it"
                        f"{self._removed()}"
                    )
            return ()
        untested = [
            name
            for rows, name in zip(reversed(both.test), self.classes, strict=True)
            if not len(rows)
        ]
        if untested and (self._protocol.balance or len(self.classes) - len(untested) < 2):
            raise DataError(self._too_few(untested[0], "test", both.given))
        for rows, name in zip(reversed(both.train), self.classes, strict=True):
            if not len(rows):
                raise DataError(self._too_few(name, "train", both.given))
        if not untested:
            return ()
        some = f"{len(untested):,} class{'es have' if len(untested) > 1 else ' has'}"
        return (
            f"{some} no test comment, so how well it is found is unknown: {listed(untested, 3)}",
        )

    def _too_few(self, name: str, does: str, given: bool) -> str:
        if given:
            return (
                f"no comment of the class {name} is left to {does} on; give both sides of the split "
                "comments of every class, or omit the split"
            )
        last = self.steps[-1]
        pairs = sorted(zip(last.counts, self.classes, strict=True))
        rarest = ", ".join(f"{count:,} {name!r}" for count, name in pairs[:3])
        of = "" if len(pairs) <= 3 else f" (the rarest of {len(pairs)} classes)"
        return (
            f"too few comments are left after filtering to train and test on: {rarest}{of}{self._removed()}; "
            "give at least 10 of each class"
        )

    def _removed(self) -> str:
        """How many comments each step has removed, and what keeps them; begins with a semicolon."""
        lost = [(a.comments - b.comments, b.name) for a, b in pairwise(self.steps)]
        foreign = sum(count for count, name in lost if "English" in name)
        copies = sum(count for count, name in lost if "duplicates" in name)
        text = f"; {foreign:,} were not English, --language any keeps them" if foreign else ""
        return text + (f"; {copies:,} repeat another one" if copies else "")

    def filter(self) -> Rows:
        corpus, protocol = self._corpus, self._protocol
        unlabelled = about(corpus).unlabelled
        without = f", {unlabelled:,} rows without a label left out" if unlabelled else ""
        rows = self.add(f"in the corpus{without}", np.arange(corpus.num_rows))
        rows = self.add("not empty", rows[pc.greater(pc.utf8_length(corpus["text"]), 0).to_numpy()])
        if protocol.language == "en":
            confident = column(corpus, "foreign") >= protocol.foreign_confidence
            rows = self.add("English, or not confidently foreign", rows[~confident[rows]])
        self.notes = duplicates.contradictions(column(corpus, "fold")[rows], self._labels[rows])
        rows = self.add(
            "without exact duplicates", duplicates.first_of_each(duplicates.exact(corpus), rows)
        )
        return self.add(
            "without duplicates but for case and white space",
            duplicates.first_of_each(column(corpus, "fold"), rows),
        )

    def shuffle_by_class(self, rows: Rows) -> ByClass:
        kinds = reversed(range(self._kinds))
        return [self._rng.permutation(rows[self._strata[rows] == kind]) for kind in kinds]

    def draw_sides(self, rows: Rows) -> Sides:
        corpus, protocol = self._corpus, self._protocol
        plan = Plan(
            protocol.test_share,
            protocol.validation_share,
            protocol.validation_size.comments,
            bool(protocol.balance),
            protocol.seed,
        )
        given, grouped = "side" in corpus.column_names, "group" in corpus.column_names
        if given and grouped:
            rows = self.add(
                "without training comments of groups that are tested on",
                sides.without_shared_groups(corpus, rows),
            )
        if given or grouped:
            return sides.split_as_given(corpus, rows, self._strata, self._kinds, plan, self._rng)
        return sides.split_at_random(self.shuffle_by_class(rows), plan)

    def draw(self, by_class: ByClass, size: Size, option: str) -> Rows:
        draw = draws.evenly if self._protocol.balance else draws.in_proportion
        return draw(by_class, size, option, self._rng)

    def draw_parts(self, both: Sides, rows: Rows) -> Split:
        """Draw all parts, balanced or with the classes' own shares.

        Only with balance is there a second test set with the classes' own shares.
        """
        protocol, suffix = self._protocol, ", balanced" if self._protocol.balance else ""
        try:
            test = self.draw(both.test, protocol.test_size, "--test-size")
            train = self.draw(both.train, protocol.train_size, "--train-size")
        except DataError as error:
            unused = len(rows) - len(both.rows)
            hint = f"; balancing removed {unused:,}, --no-balance keeps them" if unused else ""
            raise DataError(f"{error}{self._removed()}{hint}") from None
        validation = self.draw(both.validation, protocol.validation_size, "")
        if protocol.balance:
            natural, population, stream = self._draw_natural(both, rows)
            self.add("balanced", both.rows)
        else:
            # With several labels, the natural comments stand for themselves.
            whole = test if self._label_sets is not None else np.concatenate(both.test)
            natural, population, stream = test, whole, ""
        self.add(f"train{suffix}", train)
        self.add(f"validation{suffix}", validation)
        self.add(f"test{suffix}", test)
        if stream:
            self.add(f"drawn at random from {stream}", population)
        how = ", rare classes oversampled" if protocol.balance else " (the same)"
        self.add(f"natural test set{how}", natural)
        counts = tuple(self.counts(population).tolist())
        return Split(train, test, natural, validation, tuple(self.steps), counts, stream)

    def _draw_natural(self, both: Sides, rows: Rows) -> tuple[Rows, Rows, str]:
        """The natural test set, the population that it stands for, and the stream behind that."""
        # What balancing left out can be tested on, too: nobody trains on it.
        pools = [np.concatenate(pair) for pair in zip(both.test, both.surplus, strict=True)]
        population = np.concatenate(pools) if both.given else rows
        stream = about(self._corpus).stream
        if stream:
            random = self._corpus["random"].to_numpy()
            drawn = [pool[random[pool]] for pool in pools]
            # Too small a corpus may have no random comment of a class to test on.
            if all(map(len, drawn)):
                pools, population = drawn, population[random[population]]
            else:
                stream = ""
        counts = self.counts(population)[::-1]
        size = self._protocol.natural_size
        return draws.stratified(pools, counts / counts.sum(), size, self._rng), population, stream
