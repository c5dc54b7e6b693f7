"""What every reader of tables yields: chunks of consecutive rows, by column."""

import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa

from worthit.datasets.errors import DataError

#: guesses look at this many rows
HEAD_ROWS = 512

#: one column of a chunk: values of JSON, texts of CSV, or what Parquet holds, with its type
Values: TypeAlias = list[Any] | pa.Array


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows, by column."""

    first: int  # number of the first row, from 1
    rows: int
    columns: Mapping[str, Values]

    @property
    def last(self) -> int:
        return self.first + self.rows - 1


class TableReader(ABC):
    """The rows of a table, read once and in order.

    Attributes:
        name: of the file, for messages.
        notes: a line on each repair.
        unusable: column → why no chunk has it.
    """

    name: str
    notes: tuple[str, ...] = ()
    unusable: dict[str, str]

    @abstractmethod
    def head(self) -> Chunk:
        """The first `HEAD_ROWS` rows, which `chunks` yields again."""

    @abstractmethod
    def chunks(self, size: int, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """All rows in order, `size` at a time.

        Args:
            names: the columns to read; None for all.

        Raises:
            DataError: a row is malformed; names its line.
        """

    @abstractmethod
    def share_read(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None for a pipe."""


def repeated(names: Iterable[str]) -> dict[str, str]:
    """The names that several columns have, and why these columns are unusable."""
    counts = Counter(names)
    return {name: f"appears {times} times" for name, times in counts.items() if times > 1}


Record = TypeVar("Record")


def peeked(records: Iterator[Record], most: int) -> tuple[list[Record], Iterator[Record]]:
    """The first records, and all of them; an error after the first is raised where it occurs.

    Raises:
        DataError: the first record is malformed.
    """
    first: list[Record] = []
    rest = records
    try:
        for record in itertools.islice(records, most):
            first.append(record)
    except DataError as error:
        if not first:
            raise
        rest = _raise_later(error)
    return first, itertools.chain(first, rest)


def _raise_later(error: DataError) -> Iterator[Any]:
    raise error
    yield
