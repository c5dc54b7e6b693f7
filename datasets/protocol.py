"""The one data protocol: from a corpus to training and test comments. Pure and seeded.

English only → duplicates out → test side set apart, once, for every size → balanced training and
test sets, and a second test set at the corpus's natural prevalence, none of it ever trained on. A
validation set, for what is chosen after training, comes off the training side.
All sets of one seed are nested: a smaller training set is part of a larger one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.corpus import column
from worthit.datasets.errors import DataError, OptionError

Rows = npt.NDArray[np.int64]


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

    def __post_init__(self) -> None:
        for name in ("train_size", "test_size", "natural_size"):
            size = getattr(self, name)
            if isinstance(size, int) and size < 2:
                option = "--" + name.replace("_", "-")
                raise OptionError(f"{option} is {size}; it takes a number of comments from 2 up")


@dataclass(frozen=True)
class Step:
    """What is left after one step of the protocol."""

    name: str
    comments: int
    toxic: int


@dataclass(frozen=True)
class Split:
    """Row numbers into the corpus, in the order in which models see them, and the counts."""

    train: Rows
    test: Rows
    natural: Rows
    validation: Rows
    steps: tuple[Step, ...]


def split(corpus: pa.Table, protocol: Protocol) -> Split:
    """Apply the protocol to a corpus.

    Raises:
        DataError: a class is empty after filtering, or a size asked for is not to be had.
    """
    labels = column(corpus, "label").astype(bool)
    steps: list[Step] = []

    def note(name: str, rows: Rows) -> Rows:
        steps.append(Step(name, len(rows), int(labels[rows].sum())))
        return rows

    rows = note("in the corpus", np.arange(len(labels)))
    rows = note("not empty", rows[_not_empty(corpus)[rows]])
    confident = column(corpus, "foreign") >= protocol.foreign_confidence
    rows = note("English, or not confidently foreign", rows[~confident[rows]])
    rows = note("without exact duplicates", _first_of_each(_exact(corpus), rows))
    rows = note(
        "without duplicates but for case and white space",
        _first_of_each(column(corpus, "fold"), rows),
    )
    prevalence = float(labels[rows].mean()) if len(rows) else 0.0

    rng = np.random.default_rng(protocol.seed)
    toxic, other = (rng.permutation(rows[labels[rows] == kind]) for kind in (True, False))
    pairs = min(len(toxic), len(other))
    for_test = round(pairs * protocol.test_share)
    if not 0 < for_test < pairs:
        raise DataError(
            f"after filtering {len(toxic):,} toxic and {len(other):,} other comments are left, too few "
            "to train and test on; give a corpus with at least 10 of each"
        )
    note("balanced", np.concatenate([toxic[:pairs], other[:pairs]]))

    held_out = round((pairs - for_test) * protocol.validation_share)
    held_out = min(held_out, protocol.validation_size.comments // 2)
    end = pairs - held_out
    test = _balanced(toxic[:for_test], other[:for_test], protocol.test_size, "--test-size", rng)
    train = _balanced(
        toxic[for_test:end], other[for_test:end], protocol.train_size, "--train-size", rng
    )
    validation = rng.permutation(np.concatenate([toxic[end:pairs], other[end:pairs]]))
    # The negatives that balancing left out are on the test side too: nobody trains on them.
    natural = _at_prevalence(
        toxic[:for_test],
        np.concatenate([other[:for_test], other[pairs:]]),
        prevalence,
        protocol.natural_size,
        rng,
    )
    note("train, balanced", train)
    note("validation, balanced", validation)
    note("test, balanced", test)
    note("test, natural prevalence", natural)
    return Split(train, test, natural, validation, tuple(steps))


def _not_empty(corpus: pa.Table) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.greater(pc.utf8_length(corpus["text"]), 0).to_numpy())


def _exact(corpus: pa.Table) -> npt.NDArray[np.int64]:
    """The same number for the same text, letter by letter."""
    return np.asarray(corpus["text"].combine_chunks().dictionary_encode().indices.to_numpy())


def _first_of_each(keys: npt.NDArray[np.generic], rows: Rows) -> Rows:
    _, first = np.unique(keys[rows], return_index=True)
    kept: Rows = rows[np.sort(first)]
    return kept


def _balanced(toxic: Rows, other: Rows, size: Size, option: str, rng: np.random.Generator) -> Rows:
    chosen = _chosen(size, 2 * len(toxic), option)
    return rng.permutation(np.concatenate([toxic[: (chosen + 1) // 2], other[: chosen // 2]]))


def _at_prevalence(
    toxic: Rows, other: Rows, prevalence: float, size: Size, rng: np.random.Generator
) -> Rows:
    largest = int(min(len(toxic) / prevalence, len(other) / (1 - prevalence)))
    chosen = _chosen(size, largest, "--test-size")
    positives = max(1, round(chosen * prevalence))
    return rng.permutation(np.concatenate([toxic[:positives], other[: chosen - positives]]))


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
