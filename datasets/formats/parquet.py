"""Rows of Parquet, row group after row group."""

import copy
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.formats.chunks import HEAD_ROWS, Chunk, TableReader, repeated
from worthit.datasets.formats.files import LARGEST_BYTES, Input, readable

_MOST_ROWS = 50_000_000  # a Parquet file of one repeated text packs to nothing


class Parquet(TableReader):
    """Row groups one after the other."""

    def __init__(self, source: Input, name: str) -> None:
        if not source.rereadable:
            raise OptionError(
                "Parquet cannot be read from a pipe, its index is at the end; give the file as INPUT"
            )
        self._source, self.name, self._rows_read = source, name, 0
        with source.open() as unpacked:
            #: False: a packed file, all of which is unpacked for any of its rows
            self.is_seekable = unpacked.stream.seekable()
        with self._open() as file:
            names, self.rows = file.schema_arrow.names, int(file.metadata.num_rows)
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        unpacked_bytes = sum(group.total_byte_size for group in groups)
        if source.in_memory and (unpacked_bytes > LARGEST_BYTES or self.rows > _MOST_ROWS):
            raise DataError(
                f"{name} holds {self.rows:,} rows, {unpacked_bytes / 1e9:.1f} GB unpacked; the limits "
                f"are {_MOST_ROWS:,} rows and {LARGEST_BYTES / 1e9:g} GB: give a part of it"
            )
        self.unusable = repeated(names)
        self._names = [name for name in names if name not in self.unusable]
        self._group_rows = [group.num_rows for group in groups]
        self._first, self._last = 1, self.rows

    def between(self, first: int, last: int) -> "Parquet":
        """The same table, reduced to the rows from `first` to `last`, which keep their numbers."""
        part = copy.copy(self)
        part._first, part._last = first, min(last, self.rows)
        return part

    def head(self) -> Chunk:
        return next(self.chunks(HEAD_ROWS), Chunk(1, 0, {name: [] for name in self._names}))

    def chunks(self, size: int, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        names = self._names if names is None else names
        groups, skipped = self._groups()
        first = self._first
        with self._open() as file:
            batches = file.iter_batches(size, row_groups=groups, columns=list(names))
            for table in _of_size(size, batches, skipped, self._last - self._first + 1):
                columns = {name: self._plain_column(table, name) for name in names}
                self._rows_read = first + table.num_rows - 1
                yield Chunk(first, table.num_rows, columns)
                first += table.num_rows

    def _groups(self) -> tuple[list[int], int]:
        """The row groups that hold the rows wanted, and how many rows of the first come before them."""
        ends = list(itertools.accumulate(self._group_rows))
        starts = [end - rows for end, rows in zip(ends, self._group_rows, strict=True)]
        wanted = [
            group
            for group, (start, end) in enumerate(zip(starts, ends, strict=True))
            if start < self._last and end >= self._first
        ]
        return wanted, self._first - 1 - starts[wanted[0]] if wanted else 0

    def share_read(self) -> float:
        return self._rows_read / max(self.rows, 1)

    def _plain_column(self, table: pa.Table, name: str) -> pa.Array:
        """One array: pyarrow has one for each row group if there are dictionaries."""
        return pa.concat_arrays([self._plain(part, name) for part in table.column(name).chunks])

    def _plain(self, column: pa.Array, name: str) -> pa.Array:
        """Without a dictionary, which would differ from chunk to chunk; text is UTF-8."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise DataError(
                    f"the column {name} of {self.name} holds text that is not UTF-8, which Parquet "
                    "requires; write the file again with decoded texts, or as CSV and give --encoding"
                ) from error
        return column

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with self._source.open() as unpacked, readable(self._source.path):
            if unpacked.stream.seekable():
                yield pq.ParquetFile(unpacked.stream)
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(unpacked.stream, cast("BinaryIO", copy))
                yield pq.ParquetFile(copy)


def _of_size(
    size: int, batches: Iterable[pa.RecordBatch], skipped: int, most: int
) -> Iterator[pa.Table]:
    """Tables of `size` rows, the last of fewer: pyarrow ends batches of dictionaries at row groups.

    Args:
        skipped: rows to leave out at the beginning.
        most: rows to yield.
    """
    waiting: pa.Table | None = None
    for batch in batches:
        rows = pa.Table.from_batches([batch]).slice(skipped)
        skipped -= min(skipped, batch.num_rows)
        rows = rows.slice(0, most)
        most -= rows.num_rows
        waiting = rows if waiting is None else pa.concat_tables([waiting, rows])
        while waiting.num_rows >= size:
            yield waiting.slice(0, size)
            waiting = waiting.slice(size)
        if not most:
            break
    if waiting is not None and waiting.num_rows:
        yield waiting
