"""Rows of Parquet, row group after row group."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
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
                columns = {name: self._plain(batch.column(name), name) for name in names}
                self._rows_read = first + batch.num_rows - 1
                yield Chunk(first, batch.num_rows, columns)
                first += batch.num_rows

    def share_read(self) -> float:
        return self._rows_read / max(int(self._rows), 1)

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
