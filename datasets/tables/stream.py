"""The one reader of tables: CSV, TSV, JSON and Parquet in chunks, from files and pipes of any length.

Memory holds one chunk (of Parquet, what pyarrow buffers of a row group too). No row is left out: a
row that is malformed is an error with its line number.
"""

import itertools
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, cast

import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.tables import json_objects
from worthit.datasets.tables.delimited import Delimited
from worthit.datasets.tables.files import LARGEST_BYTES, Input, encoding_of, readable, require_text
from worthit.datasets.tables.formats import DELIMITERS, SUFFIXES, format_of

#: guesses look at this many rows
HEAD_ROWS = 512
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # white space and byte-order marks
_MOST_ROWS = 50_000_000  # a Parquet file of one repeated text packs to nothing

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


def open_table(source: Input, form: str | None = None, option: str = "") -> TableReader:
    """The table of a file or a pipe.

    Args:
        form: csv, tsv, jsonl, json or parquet; by default by the suffix of the file.
        option: the user's option for `form`, for messages.

    Raises:
        DataError: it cannot be read, or is not of a known format.
        OptionError: Parquet from a pipe.
    """
    with source.open() as unpacked, readable(source.path):
        name, head = unpacked.name, unpacked.head()
    form = "parquet" if head.startswith(b"PAR1") else form or format_of(name)
    if form is None:
        hint = f"; or give {option}" if option else ""
        if name.lower().endswith((".xls", ".xlsx", ".ods")):
            hint = "; save the sheet as CSV"
        raise DataError(
            f"{name} is not in a known format; known: {', '.join(SUFFIXES)}, "
            f"also packed as .gz, .zst or .zip{hint}"
        )
    if form == "parquet":
        return _Parquet(source, name)
    require_text(name, head)
    if form in DELIMITERS:
        table = Delimited(source, name, DELIMITERS[form])
        reader = _RecordReader(source, name, table.rows, table.columns)
        reader.notes, reader.unusable = table.notes, repeated(table.header)
    else:
        is_array = form == "json" and head.lstrip(_BEFORE_JSON).startswith(b"[")
        objects = (
            json_objects.of_array(source.blocks(), name)
            if is_array
            else json_objects.of_lines(source.lines("\n"), name)
        )
        reader = _RecordReader(source, name, objects, json_objects.columns)
    if encoding := encoding_of(head):
        reader.notes = (f"{name} is read as {encoding.upper()}", *reader.notes)
    return reader


class _RecordReader(TableReader):
    """Formats of text: records one after the other."""

    def __init__(
        self,
        source: Input,
        name: str,
        records: Iterator[Any],
        columns: Callable[[list[Any], Sequence[str] | None], Mapping[str, Values]],
    ) -> None:
        self._source, self._records, self._columns = source, records, columns
        self.name, self.unusable = name, {}

    def head(self) -> Chunk:
        first: list[Any] = []
        rest = self._records
        try:
            for record in itertools.islice(self._records, HEAD_ROWS):
                first.append(record)
        except DataError as error:
            if not first:
                raise
            rest = _raise_later(error)
        self._records = itertools.chain(first, rest)
        return Chunk(1, len(first), self._columns(first, None))

    def chunks(self, size: int, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        first = 1
        while records := list(itertools.islice(self._records, size)):
            yield Chunk(first, len(records), self._columns(records, names))
            first += len(records)

    def share_read(self) -> float | None:
        return self._source.share_read()


class _Parquet(TableReader):
    """Row groups one after the other."""

    def __init__(self, source: Input, name: str) -> None:
        if not source.rereadable:
            raise OptionError(
                "Parquet cannot be read from a pipe, its index is at the end; give the file as INPUT"
            )
        self._source, self.name, self._rows_read = source, name, 0
        with self._open() as file:
            names, self._rows = file.schema_arrow.names, file.metadata.num_rows
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        unpacked_bytes = sum(group.total_byte_size for group in groups)
        if source.in_memory and (unpacked_bytes > LARGEST_BYTES or self._rows > _MOST_ROWS):
            raise DataError(
                f"{name} holds {self._rows:,} rows, {unpacked_bytes / 1e9:.1f} GB unpacked; the limits "
                f"are {_MOST_ROWS:,} rows and {LARGEST_BYTES / 1e9:g} GB: give a part of it"
            )
        self.unusable = repeated(names)
        self._names = [name for name in names if name not in self.unusable]

    def head(self) -> Chunk:
        return next(self.chunks(HEAD_ROWS), Chunk(1, 0, {name: [] for name in self._names}))

    def chunks(self, size: int, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        names = self._names if names is None else names
        first = 1
        with self._open() as file:
            for batch in file.iter_batches(size, columns=list(names)):
                columns = {name: _plain(batch.column(name)) for name in names}
                self._rows_read = first + batch.num_rows - 1
                yield Chunk(first, batch.num_rows, columns)
                first += batch.num_rows

    def share_read(self) -> float:
        return self._rows_read / max(int(self._rows), 1)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with self._source.open() as unpacked, readable(self._source.path):
            if unpacked.stream.seekable():
                yield pq.ParquetFile(unpacked.stream)
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(unpacked.stream, cast("BinaryIO", copy))
                yield pq.ParquetFile(copy)


def _raise_later(error: DataError) -> Iterator[Any]:
    raise error
    yield


def repeated(names: Iterable[str]) -> dict[str, str]:
    """The names that several columns have, and why these columns are unusable."""
    counts = Counter(names)
    return {name: f"appears {times} times" for name, times in counts.items() if times > 1}


def _plain(column: pa.Array) -> pa.Array:
    """Without a dictionary, which would differ from chunk to chunk."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
