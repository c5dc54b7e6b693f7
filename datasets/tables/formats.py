"""Tables out of files: CSV, TSV, JSON lines and Parquet become columns of strings.

Nothing is guessed of what a column means, and no row is left out: a row that does not fit is an error
with its line number. Values stay as they are written (`1.0`, `True`, `NA`).
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worthit.datasets.errors import DataError
from worthit.datasets.tables import files
from worthit.datasets.tables.files import Content
from worthit.datasets.tables.quoting import REMEDY, Spanning

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LONGEST_NAME = 100
LARGEST_COLUMN_BYTES = 2**31 - 1  # what Arrow's strings can hold in one piece
_MOST_ROWS = 50_000_000  # a Parquet file of one repeated text packs to nothing


@dataclass(frozen=True)
class Rows:
    """A table as read: every column a string, null where the file has nothing."""

    name: str  # of the file, for messages
    table: pa.Table
    unusable: dict[str, str] = field(default_factory=dict)  # column → what it holds instead
    notes: tuple[str, ...] = ()  # a line on every repair


def read(path: Path) -> Rows:
    """The rows of a file.

    Raises:
        DataError: it cannot be read, is of no known format, or a row does not fit.
    """
    return parsed(files.unpacked(path))


def parsed(content: Content) -> Rows:
    """The rows of a file's content, by its first bytes and its name."""
    if content.data.startswith(b"PAR1"):
        return _parquet(content)
    suffix = Path(content.name).suffix.lower()
    if suffix not in FORMATS:
        hint = "; save the sheet as CSV" if suffix.startswith((".xls", ".ods")) else ""
        raise DataError(
            f"{content.name} is of no known format; known: {', '.join(FORMATS)}, "
            f"also packed as .gz, .zst or .zip{hint}"
        )
    rows = FORMATS[suffix](content)
    if not rows.table.num_rows and not rows.unusable:
        raise DataError(f"{content.name} has no rows; give a table of texts and labels")
    return rows


def _tsv(content: Content) -> Rows:
    return delimited(content, "\t")


def delimited(content: Content, usual: str = ",") -> Rows:
    """The rows of a CSV; another delimiter than the usual one is found, and said."""
    text, notes = files.decoded(content)
    delimiter = _delimiter(text, usual)
    if delimiter != usual:
        notes += (f"{content.name} is separated by {_DELIMITERS[delimiter]}",)
    if delimiter != "\t":
        table = _split(text, delimiter, content.name)
    else:
        table, more_notes = _split_at_tabs(text, content.name)
        notes += more_notes
    return Rows(content.name, table, notes=notes)


def _split_at_tabs(text: str, name: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Many a TSV is written without quoting: quotes are then part of the texts, and that is said."""
    spanning = Spanning()
    try:
        table = _split(text, "\t", name, spanning=spanning)
    except DataError:
        unquoted = _split(text, "\t", name, csv.QUOTE_NONE)
    else:
        if not spanning.mostly_whole_rows:
            return table, ()
        try:
            unquoted = _split(text, "\t", name, csv.QUOTE_NONE)
        except DataError as error:
            raise DataError(
                f"texts in double quotes take in whole rows of {name}, {REMEDY}"
            ) from error
    return unquoted, (f"quotes in {name} are read as part of the texts",)


def _delimiter(text: str, usual: str) -> str:
    """What cuts the header into most columns; the usual one, unless another does better."""
    head = text[:100_000].lstrip("\r\n")

    def columns(delimiter: str) -> int:
        return len(next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), []))

    return max((usual, *_DELIMITERS), key=columns)


def _split(
    text: str,
    delimiter: str,
    name: str,
    quoting: Any = csv.QUOTE_MINIMAL,
    spanning: Spanning | None = None,
) -> pa.Table:
    """The table, its rows that span lines counted."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a comment may be of any length
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
    )
    rows = _numbered(lines, name, spanning)
    _, header = next(rows, (1, []))
    header = [column.strip() for column in header]
    _require_names(header, name)
    width = len(header)
    kept = []
    for line, row in rows:
        if len(row) > width and not any(row[width:]):
            row = row[:width]  # spreadsheets append empty cells
        if len(row) != width:
            raise DataError(
                f"{name} is not a well-formed CSV: the row that begins in line {line:,} has {len(row)} "
                f"columns, the header {width}; put texts that hold {_DELIMITERS[delimiter]} in double quotes"
            )
        kept.append(row)
    columns: Iterable[tuple[str, ...]] = zip(*kept, strict=True) if kept else [()] * width
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names=header)


def _numbered(lines: Any, name: str, spanning: Spanning | None) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line it begins in."""
    begins = 1
    try:
        for row in lines:
            if spanning is not None and lines.line_num > begins:
                spanning.add(row)
            if row:
                yield begins, row
            begins = lines.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name} is not a well-formed CSV: {error} (the row that begins in line {begins:,}); "
            "double the quotes within quoted texts"
        ) from error


def _require_names(header: list[str], name: str) -> None:
    named = [column for column in header if column]
    if not named or any(len(column) > _LONGEST_NAME or _is_number(column) for column in named):
        raise DataError(
            f"{name} has no header: its first line holds values, not the names of columns; add one"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json_lines(content: Content) -> Rows:
    text, notes = files.decoded(content)
    decoder = msgspec.json.Decoder(dict[str, Any])
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                records.append(decoder.decode(line))
            except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
                raise DataError(
                    f"line {number:,} of {content.name} is not a JSON object ({files.one_line(error)}); "
                    "JSON lines hold one object a line"
                ) from error
    return _from_records(content.name, records, notes)


def _json(content: Content) -> Rows:
    """An array of objects; a file of JSON lines is often called .json, too."""
    text, notes = files.decoded(content)
    if not text.lstrip().startswith("["):
        return _json_lines(content)
    try:
        records = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
        raise DataError(
            f"{content.name} is not an array of JSON objects ({files.one_line(error)}); write JSON lines"
        ) from error
    return _from_records(content.name, records, notes)


def _from_records(name: str, records: list[dict[str, Any]], notes: tuple[str, ...]) -> Rows:
    columns: dict[str, list[str | None]] = {}
    unusable: dict[str, str] = {}
    for column in dict.fromkeys(key for record in records for key in record):
        values = [record.get(column) for record in records]
        if any(isinstance(value, dict | list) for value in values):
            unusable[column] = "lists or objects"
        else:
            columns[column] = [_plain(value) for value in values]
    arrays = {column: pa.array(values, pa.string()) for column, values in columns.items()}
    return Rows(name, pa.table(arrays), unusable, notes)


def _plain(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)  # true, 1, 1.0


def _parquet(content: Content) -> Rows:
    with files.readable(Path(content.name)):
        file = pq.ParquetFile(pa.BufferReader(content.data))
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        unpacked_bytes = sum(group.total_byte_size for group in groups)
        if unpacked_bytes > files.LARGEST_BYTES or file.metadata.num_rows > _MOST_ROWS:
            raise DataError(
                f"{content.name} holds {file.metadata.num_rows:,} rows, {unpacked_bytes / 1e9:.1f} GB "
                f"unpacked; up to {_MOST_ROWS:,} rows and {files.LARGEST_BYTES / 1e9:g} GB are read: "
                "give a part of it"
            )
        return from_arrow(content.name, file.read())


def from_arrow(name: str, table: pa.Table) -> Rows:
    """Rows of a typed table: what cannot be written as one string a row is set aside."""
    kept, unusable = {}, {}
    for column in table.column_names:
        values = table[column] if table.column_names.count(column) == 1 else None
        if values is None:
            unusable[column] = "two columns of that name"
            continue
        try:
            kept[column] = _as_strings(values)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            unusable[column] = (
                f"more than {LARGEST_COLUMN_BYTES / 1e9:.1f} GB of text"
                if pa.types.is_large_string(values.type)
                else f"{values.type}, not text"
            )
    return Rows(name, pa.table(kept), unusable)


def _as_strings(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        raise pa.ArrowNotImplementedError
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return values.cast(pa.string())


#: suffix → reader; Parquet is told by its first bytes, whatever it is called
FORMATS: dict[str, Callable[[Content], Rows]] = {
    ".csv": delimited,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".ndjson": _json_lines,
    ".tab": _tsv,
    ".txt": delimited,
}
