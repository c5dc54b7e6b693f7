"""The known datasets. A new one is a file with a `source` function, and a line here."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import OptionError, UnknownNameError
from worthit.datasets.tables.columns import NOTHING, Choices

#: name → (module, what may follow the name)
DATASETS = {
    "wikipedia": ("worthit.datasets.sources.wikipedia", "wikipedia"),
    "jigsaw": ("worthit.datasets.sources.jigsaw", "jigsaw:PATH"),
    "synthetic": ("worthit.datasets.sources.synthetic", "synthetic[:COMMENTS]"),
    "table": (
        "worthit.datasets.sources.table",
        "a file (.csv, .tsv, .jsonl, .parquet, .xlsx) or folder",
    ),
    "hub": ("worthit.datasets.sources.hub", "hub:OWNER/NAME[:CONFIGURATION]"),
}
#: the user's data, whose `source` takes the choices of columns, too
OWN = ("table", "hub")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """Where comments come from. Nothing is read or downloaded before `read` is called."""

    name: str
    title: str  # the name, for people
    citation: str  # authors and licence
    fingerprint: Callable[[], str]  # changes whenever the data does; cached copies depend on it
    read: Callable[[], pa.Table]  # the comments, from `worthit.datasets.corpus.comments`
    own: bool = False  # the user's data, in any language and with any classes


@dataclass(frozen=True)
class DatasetName:
    """A value of --dataset, parsed: `jigsaw:train.csv`, or just `mine.csv`."""

    name: str
    argument: str

    @property
    def shown(self) -> str:
        """As it was written, with a path shortened to its name."""
        if self.name == "hub":
            return f"hub:{self.argument}"
        argument = Path(self.argument).expanduser().resolve().name if self.argument else ""
        if self.name == "table":
            return argument
        return f"{self.name}:{argument}" if argument else self.name


def parse(given: str) -> DatasetName:
    """Parse `NAME`, `NAME:ARGUMENT`, a path or a hub id.

    Raises:
        UnknownNameError: the name is not registered; lists the known ones.
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
    """True if it exists, or can only be a path."""
    if given.startswith(("/", "./", "../", "~")) or "\\" in given:
        return True
    try:
        return Path(given).exists() or re.search(r"\.[A-Za-z]\w*$", given) is not None
    except (OSError, ValueError):  # too long, or with a NUL, to be a path
        return False


def source(given: str, choices: Choices = NOTHING) -> Source:
    """The source of a dataset. Only its module is imported.

    Raises:
        UnknownNameError, OptionError: the name or its argument is not allowed.
        DataError: there is no such file.
    """
    parsed = parse(given)
    module = importlib.import_module(DATASETS[parsed.name][0])
    if parsed.name not in OWN and (unused := choices.options()):
        raise OptionError(
            f"{next(iter(unused))} is for your own table; {parsed.name} has fixed columns, labels and "
            "split: omit it"
        )
    arguments = (parsed.argument, choices) if parsed.name in OWN else (parsed.argument,)
    made: Source = module.source(*arguments)
    return made
