"""The known datasets. A new one is a file with a `source` function, and a line here."""

import importlib
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from worthit.datasets.errors import UnknownNameError

#: name → (module, what may follow the name)
DATASETS = {
    "wikipedia": ("worthit.datasets.wikipedia", "wikipedia"),
    "jigsaw": ("worthit.datasets.jigsaw", "jigsaw:PATH"),
    "synthetic": ("worthit.datasets.synthetic", "synthetic[:COMMENTS]"),
}


class Source(Protocol):
    """Where comments come from. Nothing is read or downloaded before `read` is called."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str:
        """For people: what it is, from where."""

    @property
    def citation(self) -> str:
        """Who made it, and under which licence."""

    def fingerprint(self) -> str:
        """What decides whether a cached copy still stands for it."""

    def read(self) -> pa.Table:
        """The comments, as `worthit.datasets.corpus.comments` makes them."""


@dataclass(frozen=True)
class DatasetName:
    """What a user writes after --dataset, taken apart: `jigsaw:train.csv`."""

    name: str
    argument: str


def parse(given: str) -> DatasetName:
    """Take `NAME` or `NAME:ARGUMENT` apart.

    Raises:
        UnknownNameError: nobody registered that name; the message lists those known.
    """
    name, _, argument = given.partition(":")
    if name not in DATASETS:
        raise UnknownNameError("dataset", given, (usage for _, usage in DATASETS.values()))
    return DatasetName(name, argument)


def source(given: str) -> Source:
    """The source that a user named; its file is imported only now.

    Raises:
        UnknownNameError, OptionError: the name or what follows it is not allowed.
    """
    parsed = parse(given)
    made: Source = importlib.import_module(DATASETS[parsed.name][0]).source(parsed.argument)
    return made
