"""Whole tables in memory: columns of strings, as they are written in the file (`1.0`, `True`, `NA`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from worthit.datasets.errors import DataError
from worthit.datasets.formats.chunks import Chunk, Values, repeated
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.reading import AS_FOUND, Reading
from worthit.datasets.formats.stream import open_table

LARGEST_COLUMN_BYTES = 2**31 - 1  # what Arrow's strings can hold in one piece
_CHUNK_ROWS = 1 << 16
_LONGEST_LABELS = 32  # labels of a row, on average


class NotTextError(Exception):
    """A column has values that are not strings or numbers."""


@dataclass(frozen=True)
class StringTable:
    """A table as read: every column a string, null where the file has no value."""

    name: str  # of the file, for messages
    table: pa.Table
    #: column → why it is not text; short lists and objects, which may be labels, are in the table as JSON
    unusable: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # a line on each repair


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
    encoding = reading.encoding
    with Input(path, members=members, in_memory=True, encoding=encoding) as source:
        reader = open_table(source, form, reading=reading)
        unusable |= reader.unusable
        for chunk in reader.chunks(_CHUNK_ROWS):
            chunks.append(_strings(chunk.columns, unusable))
    if not chunks:
        raise DataError(f"{reader.name} has no rows; give a table with a header and rows")
    table = pa.concat_tables(chunks, promote_options="default")
    everywhere = set.intersection(*(set(chunk.column_names) for chunk in chunks))
    table = table.select(
        [name for name in table.column_names if name not in unusable or name in everywhere]
    )
    return StringTable(reader.name, table, unusable, reader.notes)


def of_chunk(name: str, chunk: Chunk, unusable: Mapping[str, str]) -> StringTable:
    unusable = dict(unusable)
    return StringTable(name, _strings(chunk.columns, unusable), unusable)


def from_arrow(name: str, table: pa.Table) -> StringTable:
    """A typed table as strings."""
    unusable = repeated(table.column_names)
    columns = {column: table[column] for column in table.column_names if column not in unusable}
    return StringTable(name, _strings(columns, unusable), unusable)


def _strings(columns: Mapping[str, Values | pa.ChunkedArray], unusable: dict[str, str]) -> pa.Table:
    """The columns as strings; adds those that are not text to `unusable`."""
    texts = {}
    for name, values in columns.items():
        try:
            texts[name] = as_strings(values)
        except NotTextError as error:
            unusable[name] = str(error)
            if (values_as_json := _as_json(values)) is not None:
                texts[name] = values_as_json
    return pa.table(texts)


def _as_json(values: Values | pa.ChunkedArray) -> pa.Array | None:
    """Short lists and objects as JSON; None for anything else, such as tokens and embeddings."""
    is_nested = isinstance(values, list) or pa.types.is_nested(values.type)
    try:
        plain = (values if isinstance(values, list) else values.to_pylist()) if is_nested else []
    except (ValueError, OverflowError):  # not UTF-8, fields of one name, dates that Python lacks
        return None
    sizes = [len(value) for value in plain if isinstance(value, list | dict)]
    if not sizes or sum(sizes) > _LONGEST_LABELS * len(sizes) or _has_fractions(plain):
        return None
    return pa.array(map(_as_string, plain), pa.string())


def _has_fractions(values: list[Any]) -> bool:
    lists = (value for value in values if isinstance(value, list))
    return any(isinstance(item, float) for value in lists for item in value[:2])


def as_strings(values: Values | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Values as strings; NaN becomes null.

    Raises:
        NotTextError: they are lists or objects, or too long.
    """
    if isinstance(values, list):
        if any(isinstance(value, dict | list) for value in values):
            raise NotTextError("holds lists or objects")
        return pa.array(map(_as_string, values), pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        raise NotTextError(f"holds {values.type}, not text")
    try:
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise NotTextError(
            f"holds more than {LARGEST_COLUMN_BYTES / 1e9:.1f} GB of text"
            if pa.types.is_large_string(values.type)
            else f"holds {values.type}, not text"
        ) from error


def _as_string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)  # true, 1, 1.0
