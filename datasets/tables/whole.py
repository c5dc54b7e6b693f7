"""Whole tables in memory: columns of strings, as they are written in the file (`1.0`, `True`, `NA`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.errors import DataError
from worthit.datasets.tables.chunks import Chunk, Values, repeated
from worthit.datasets.tables.files import Input
from worthit.datasets.tables.reading import AS_FOUND, Reading
from worthit.datasets.tables.stream import open_table

LARGEST_COLUMN_BYTES = 2**31 - 1  # what Arrow's strings can hold in one piece
_CHUNK_ROWS = 1 << 16


class NotTextError(Exception):
    """A column has values that are not strings or numbers."""


@dataclass(frozen=True)
class StringTable:
    """A table as read: every column a string, null where the file has no value.

    Lists and objects are JSON: `["up", "urgent"]`, `{"up": true}`.
    """

    name: str  # of the file, for messages
    table: pa.Table
    unusable: dict[str, str] = field(default_factory=dict)  # column → why
    notes: tuple[str, ...] = ()  # a line on each repair
    nested: frozenset[str] = frozenset()  # columns that hold lists or objects


def read(
    path: Path,
    form: str | None = None,
    members: Sequence[str] = (),
    reading: Reading = AS_FOUND,
) -> StringTable:
    """All rows of a file.

    Args:
        form, members, reading: see `open_table` and `Input`.

    Raises:
        DataError: it cannot be read, is not of a known format, or a row is malformed.
    """
    chunks: list[pa.Table] = []
    unusable: dict[str, str] = {}
    nested: set[str] = set()
    encoding = reading.encoding
    with Input(path, members=members, in_memory=True, encoding=encoding) as source:
        reader = open_table(source, form, reading=reading)
        unusable |= reader.unusable
        for chunk in reader.chunks(_CHUNK_ROWS):
            chunks.append(_strings(chunk.columns, unusable))
            nested.update(_nested(chunk.columns))
    if not chunks:
        raise DataError(f"{reader.name} has no rows; give a table with a header and rows")
    table = pa.concat_tables(chunks, promote_options="default")
    table = table.select([name for name in table.column_names if name not in unusable])
    return StringTable(reader.name, table, unusable, reader.notes, frozenset(nested))


def of_chunk(name: str, chunk: Chunk, unusable: Mapping[str, str]) -> StringTable:
    unusable = dict(unusable)
    table = _strings(chunk.columns, unusable)
    return StringTable(name, table, unusable, nested=_nested(chunk.columns))


def from_arrow(name: str, table: pa.Table) -> StringTable:
    """A typed table as strings."""
    unusable = repeated(table.column_names)
    columns = {column: table[column] for column in table.column_names if column not in unusable}
    strings = _strings(columns, unusable)
    return StringTable(name, strings, unusable, nested=_nested(columns))


def _strings(columns: Mapping[str, Values | pa.ChunkedArray], unusable: dict[str, str]) -> pa.Table:
    """The columns as strings; adds those that are not text to `unusable`."""
    texts = {}
    for name, values in columns.items():
        try:
            texts[name] = as_strings(values)
        except NotTextError as error:
            unusable[name] = str(error)
    return pa.table(texts)


def _nested(columns: Mapping[str, Values | pa.ChunkedArray]) -> frozenset[str]:
    return frozenset(name for name, values in columns.items() if is_nested(values))


def is_nested(values: Values | pa.ChunkedArray) -> bool:
    """True if they are lists or objects, or some are."""
    if isinstance(values, list):
        return any(isinstance(value, dict | list) for value in values)
    return bool(pa.types.is_nested(values.type))


def as_strings(values: Values | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Values as strings; NaN becomes null, a list or an object JSON.

    Raises:
        NotTextError: they are of another kind, or too long.
    """
    if isinstance(values, list):
        return pa.array(map(_as_string, values), pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        return _as_json(values)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise NotTextError(
            f"holds more than {LARGEST_COLUMN_BYTES / 1e9:.1f} GB of text"
            if pa.types.is_large_string(values.type)
            else f"holds {values.type}, not text"
        ) from error


def _as_json(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Lists and structs as JSON. Lists of fractions are vectors, which are of no use here."""
    kind = values.type
    if not pa.types.is_struct(kind) and pa.types.is_floating(getattr(kind, "value_type", kind)):
        raise NotTextError(f"holds {kind}, not text")
    try:
        return pa.array(map(_as_string, values.to_pylist()), pa.string())
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise NotTextError(f"holds {kind}, not text") from error


def _as_string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)  # true, 1, 1.0, ["a"]
