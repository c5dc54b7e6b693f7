"""The known datasets. A new one is a file with a `source` function, and a line here."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from worthit.datasets.errors import OptionError, UnknownNameError
from worthit.datasets.tables.columns import NOTHING, Choices

#: name → (module, what may follow the name)
DATASETS = {
    "wikipedia": ("worthit.datasets.sources.wikipedia", "wikipedia"),
    "jigsaw": ("worthit.datasets.sources.jigsaw", "jigsaw:PATH"),
    "synthetic": ("worthit.datasets.sources.synthetic", "synthetic[:COMMENTS]"),
    "table": ("worthit.datasets.sources.table", "a file (.csv, .tsv, .jsonl, .parquet) or folder"),
    "hub": ("worthit.datasets.sources.hub", "hub:OWNER/NAME[:CONFIGURATION]"),
}
#: those of the user, whose `source` takes the choices of columns too
OWN = ("table", "hub")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


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

    @property
    def own(self) -> bool:
        """Whether it is the user's, of any language and with any classes."""

    def fingerprint(self) -> str:
        """What decides whether a cached copy still stands for it."""

    def read(self) -> pa.Table:
        """The comments, as `worthit.datasets.corpus.comments` makes them."""


@dataclass(frozen=True)
class DatasetName:
    """What a user writes after --dataset, taken apart: `jigsaw:train.csv`, or just `mine.csv`."""

    name: str
    argument: str

    @property
    def shown(self) -> str:
        """As it was written, but a path shortened to its name."""
        if self.name == "hub":
            return f"hub:{self.argument}"
        argument = Path(self.argument).expanduser().resolve().name if self.argument else ""
        if self.name == "table":
            return argument
        return f"{self.name}:{argument}" if argument else self.name


def parse(given: str) -> DatasetName:
    """Take `NAME`, `NAME:ARGUMENT`, a path or a hub id apart.

    Raises:
        UnknownNameError: nobody registered that name; the message lists those known.
    """
    name, _, argument = given.partition(":")
    if name in DATASETS and not (name in OWN and not argument):
        return DatasetName(name, argument)
    if _is_path(given):
        return DatasetName("table", given)
    if _HUB_ID.fullmatch(given):
        return DatasetName("hub", given)
    raise UnknownNameError("dataset", given, (usage for _, usage in DATASETS.values()))


def _is_path(given: str) -> bool:
    """Something that is there, or is written as only paths are."""
    if given.startswith(("/", "./", "../", "~")) or "\\" in given:
        return True
    try:
        return Path(given).exists() or re.search(r"\.[A-Za-z]\w*$", given) is not None
    except (OSError, ValueError):  # too long, or with a NUL, to be a path
        return False


def source(given: str, choices: Choices = NOTHING) -> Source:
    """The source that a user named; its file is imported only now.

    Raises:
        UnknownNameError, OptionError: the name or what follows it is not allowed.
        DataError: there is no such file.
    """
    parsed = parse(given)
    module = importlib.import_module(DATASETS[parsed.name][0])
    if parsed.name not in OWN and (unused := choices.options()):
        raise OptionError(
            f"{next(iter(unused))} is for a table of your own; {parsed.name} has its columns, labels and "
            "split: leave it out"
        )
    arguments = (parsed.argument, choices) if parsed.name in OWN else (parsed.argument,)
    made: Source = module.source(*arguments)
    return made
