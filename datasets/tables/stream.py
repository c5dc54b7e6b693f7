"""Comments in files or pipes of any length, read a chunk at a time: JSONL, CSV, TSV, Parquet.

Memory holds one chunk (of Parquet, what pyarrow buffers of a row group too), never the whole input.
"""

import csv
import io
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.tables.quoting import REMEDY, Spanning

#: format → the suffixes of its files
FORMATS = {
    "jsonl": (".jsonl", ".ndjson"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "parquet": (".parquet", ".pq"),
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
ALL = "all"

# Beyond it a quote that nobody closed would take the rest of the file for one comment.
_LONGEST_FIELD = 16 << 20

#: one column of a chunk; of a Parquet file as Arrow keeps it, so that its type is not lost
Values: TypeAlias = list[Any] | pa.Array
_Record = tuple[str | None, list[Any]]


@dataclass(frozen=True)
class Rows:
    """Some rows that follow each other."""

    first: int  # number of the first one, counted from 1
    texts: list[str | None]  # None: the row has no text, or nothing but white space
    kept: dict[str, Values]

    @property
    def last(self) -> int:
        return self.first + len(self.texts) - 1


class Source(ABC):
    """Rows of comments that are read as they are asked for.

    Attributes:
        kept: the columns to carry along, in order.
    """

    kept: tuple[str, ...]

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows in order, `size` at a time.

        Raises:
            DataError: a row is malformed; says which one.
        """

    @abstractmethod
    def share_read(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None where nobody knows its size."""


def format_of(name: str) -> str | None:
    """The format that a file's suffix stands for."""
    suffix = Path(name).suffix.lower()
    return next((known for known, suffixes in FORMATS.items() if suffix in suffixes), None)


def source(
    stream: IO[bytes], name: str, form: str, text_column: str, keep: Sequence[str]
) -> Source:
    """The rows of a binary stream.

    Args:
        name: what to call it in messages.
        form: one of `FORMATS`.
        text_column: which column holds the comments.
        keep: further columns to carry along; `[ALL]` for all there are.

    Raises:
        DataError: it is empty, malformed, or has no such columns.
        OptionError: Parquet out of a pipe.
    """
    if form == "jsonl":
        return _JsonLines(stream, name, text_column, keep)
    if form == "parquet":
        return _Parquet(stream, name, text_column, keep)
    return _Delimited(stream, name, text_column, keep, DELIMITERS[form])


@contextmanager
def _well_formed(name: str) -> Iterator[None]:
    """Turn what pyarrow says of a damaged file into one line."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{name} cannot be read as Parquet ({reason}); write it again") from error


class _Lines(Source):
    """What formats of text have in common: records one after the other."""

    def __init__(self, stream: IO[bytes], name: str, text_column: str) -> None:
        self._stream, self._name, self._text_column = stream, name, text_column
        self._size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0

    def chunks(self, size: int) -> Iterator[Rows]:
        records, first = self._records(), 1
        while chunk := list(itertools.islice(records, size)):
            texts, kept = zip(*chunk, strict=True)
            columns = zip(*kept, strict=True) if self.kept else ()
            yield Rows(first, list(texts), dict(zip(self.kept, map(list, columns), strict=True)))
            first += len(chunk)

    def share_read(self) -> float | None:
        return min(self._stream.tell() / self._size, 1.0) if self._size else None

    @abstractmethod
    def _records(self) -> Iterator[_Record]: ...


class _JsonLines(_Lines):
    """One JSON object a line (jsonlines.org); blank lines are passed over."""

    def __init__(self, stream: IO[bytes], name: str, text_column: str, keep: Sequence[str]) -> None:
        super().__init__(stream, name, text_column)
        self._objects = self._read()
        self._strict = list(keep) == [ALL]
        self.kept = tuple(keep)
        if self._strict:
            first = next(self._objects, None)
            self.kept = tuple(key for key in first[1] if key != text_column) if first else ()
            self._objects = itertools.chain([first] if first else [], self._objects)

    def _read(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(self._stream, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            try:
                yield number, msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
                raise DataError(
                    f"line {number:,} of {self._name} is no JSON object ({error}); JSONL has one a line"
                ) from error

    def _records(self) -> Iterator[_Record]:
        for number, found in self._objects:
            if self._text_column not in found:
                raise DataError(
                    _no_column(f"line {number:,} of {self._name}", self._text_column, found)
                )
            text = found[self._text_column]
            if text is not None and not isinstance(text, str):
                raise DataError(
                    f"line {number:,} of {self._name}: {self._text_column} is "
                    f"a {type(text).__name__}, not a text"
                )
            if self._strict and (others := found.keys() - {self._text_column, *self.kept}):
                raise DataError(
                    f"line {number:,} of {self._name} has {', '.join(sorted(others))}, which the "
                    "first has not; name the columns to keep"
                )
            yield _text(text), [found.get(key) for key in self.kept]


class _Delimited(_Lines):
    """CSV as of RFC 4180, UTF-8, with a header; TSV the same with tabs. All values are texts."""

    def __init__(
        self, stream: IO[bytes], name: str, text_column: str, keep: Sequence[str], delimiter: str
    ) -> None:
        super().__init__(stream, name, text_column)
        csv.field_size_limit(_LONGEST_FIELD)
        # Bytes that are no UTF-8 are let through here and refused with the number of their row.
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        self._rows = csv.reader(text, delimiter=delimiter, strict=True)
        self._spanning = Spanning() if delimiter == "\t" else None
        header = next(self._checked(), None)
        if header is None:
            raise DataError(f"{name} is empty; its first line names the columns")
        if len(set(header)) < len(header):
            raise DataError(f"{name} names a column twice ({', '.join(header)}); rename one")
        self.kept = _wanted(name, header, text_column, keep)
        self._width = len(header)
        self._text_at = header.index(text_column)
        self._kept_at = [header.index(column) for column in self.kept]

    def _records(self) -> Iterator[_Record]:
        for number, row in enumerate(self._checked(), 1):
            if len(row) != self._width:
                raise DataError(
                    f"row {number:,} of {self._name} (up to line {self._rows.line_num:,}) has "
                    f"{len(row)} fields, the header has {self._width}"
                )
            yield _text(row[self._text_at]), [row[place] for place in self._kept_at]

    def _checked(self) -> Iterator[list[str]]:
        """The rows that are not blank, header first."""
        try:
            for begins, row in self._numbered():
                "".join(row).encode()
                if self._spanning is not None and self._rows.line_num > begins:
                    self._require_quoted(row, begins, self._spanning)
                if row:
                    yield row
        except (csv.Error, UnicodeEncodeError) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeEncodeError) else str(error)
            raise DataError(
                f"{self._name} cannot be read at line {self._rows.line_num:,} ({reason})"
            ) from error

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the line it begins in."""
        begins = self._rows.line_num + 1
        for row in self._rows:
            yield begins, row
            begins = self._rows.line_num + 1

    def _require_quoted(self, row: list[str], line: int, spanning: Spanning) -> None:
        """Rows before it may be scored already, too late to read their quotes another way."""
        spanning.add(row)
        if spanning.mostly_whole_rows:
            raise DataError(
                f"a text in double quotes takes in whole rows of {self._name} (from line {line:,} on), {REMEDY}"
            )


class _Parquet(Source):
    """Row groups one after the other, only the columns that are asked for."""

    def __init__(self, stream: IO[bytes], name: str, text_column: str, keep: Sequence[str]) -> None:
        if not stream.seekable():
            raise OptionError(
                "Parquet cannot be read from a pipe, its index is at the end; give the file as INPUT"
            )
        self._name = name
        with _well_formed(name):
            self._file = pq.ParquetFile(stream)
        schema = self._file.schema_arrow
        self.kept = _wanted(name, schema.names, text_column, keep)
        self._text_column, self._done = text_column, 0
        kind = schema.field(text_column).type
        values = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (
            pa.types.is_string(values)
            or pa.types.is_large_string(values)
            or pa.types.is_null(values)
        ):
            raise DataError(f"{name}: the column {text_column} is {kind}, not a text")

    def chunks(self, size: int) -> Iterator[Rows]:
        wanted = [self._text_column, *self.kept]
        batches = self._file.iter_batches(size, columns=wanted)
        while True:
            with _well_formed(self._name):
                batch = next(batches, None)
            if batch is None:
                return
            columns = {name: _plain(batch.column(name)) for name in wanted}
            texts = [_text(text) for text in columns[self._text_column].to_pylist()]
            first, self._done = self._done + 1, self._done + len(texts)
            yield Rows(first, texts, {name: columns[name] for name in self.kept})

    def share_read(self) -> float:
        return self._done / max(int(self._file.metadata.num_rows), 1)


def _plain(column: pa.Array) -> pa.Array:
    """Without a dictionary, which would differ from chunk to chunk."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _text(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


def _wanted(
    name: str, columns: Sequence[str], text_column: str, keep: Sequence[str]
) -> tuple[str, ...]:
    """The columns to keep; refuses those that are not there."""
    for column in (text_column, *(() if list(keep) == [ALL] else keep)):
        if column not in columns:
            raise DataError(_no_column(name, column, columns))
    if list(keep) == [ALL]:
        return tuple(column for column in columns if column != text_column)
    return tuple(keep)


def _no_column(where: str, column: str, columns: Any) -> str:
    return (
        f"{where} has {', '.join(columns) or 'nothing'}, but no {column!r}; "
        "name the column of the comments with --text-column, others with --keep"
    )
