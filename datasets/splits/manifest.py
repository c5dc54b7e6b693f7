"""What is known about prepared comments, without the comments themselves.

Reading it needs none of the libraries that read comments: a process that only loads a model and scores
must not pay for them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from worthit.datasets.cache import cache_folder
from worthit.datasets.errors import DataError

FILE = "manifest.json"
PARTS = ("train", "test", "natural", "validation")
#: with fewer test comments, a difference between models is hardly ever shown
FEW_TEST_COMMENTS = 100
FEW_OF_A_CLASS = 10  # test comments

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True)
class Step:
    """The comments left after one step of the protocol."""

    name: str
    comments: Count
    counts: tuple[Count, ...]  # of each class; of multi-label data they may add to more or less

    @property
    def toxic(self) -> int:
        """Comments of the positive class, if there are two classes."""
        return self.counts[1]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A prepared split, as the cache and a run describe it."""

    key: str  # the split's folder in the cache
    dataset: str  # the dataset's name, without a path
    title: str
    citation: str
    fingerprint: str  # of the dataset
    seed: int
    language: str  # "any": comments of all languages are kept
    balanced: bool  # all parts but the natural one; otherwise classes keep their own shares
    weighted: bool  # training counts each class the same, however few comments it has
    #: comments of each class that the natural part stands for; of multi-label data, the natural part's own
    population: Annotated[tuple[Count, ...], msgspec.Meta(min_length=2)]
    stream: str  # what the population is a random sample of; empty if it is the data as it is
    classes: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]  # of two, 1 is the positive one
    #: True: each comment has any number of `classes`, and counts are of the comments with each
    multilabel: bool
    steps: tuple[Step, ...]
    text_column: str | None  # of a user's table
    notes: tuple[str, ...]  # guesses, repairs and decisions about a user's table, a line each

    def step(self, name: str) -> Step:
        """The first step whose name begins with `name`."""
        return next(step for step in self.steps if step.name.startswith(name))


@dataclass(frozen=True, kw_only=True)
class OutOfDomainSet:
    """A test set from another dataset."""

    key: str  # its folder in the cache
    name: str  # as the user wrote it, without a path
    title: str
    citation: str
    fingerprint: str
    classes: tuple[str, ...]  # its own
    mapped_to: tuple[str | None, ...]  # the in-domain class of each; None: left out
    same_label: bool  # its classes have the names of the in-domain ones
    warning: str  # what its labels may mean instead, or which are left out; may be empty
    #: counts are of in-domain classes
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Size, labels and warning, in one line."""
        labels = ", ".join(
            own if own == mapped else f"{own} as {mapped}"
            for own, mapped in zip(self.classes, self.mapped_to, strict=True)
            if mapped is not None
        )
        warning = f"; {self.warning}" if self.warning else ""
        return f"{self.name}: {self.steps[-1].comments:,} comments ({labels}){warning}"


def read(key: str) -> Prepared:
    """Read what `worthit.datasets.prepare` wrote about the split with this key.

    Raises:
        DataError: the cache does not have it, or it is damaged.
    """
    folder = cache_folder("splits", key)
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Prepared)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"prepared data in {folder} cannot be read; delete that folder and run again"
        ) from error


def write(prepared: Prepared, folder: Path) -> None:
    (folder / FILE).write_bytes(msgspec.json.encode(prepared))
