"""Encodes tables of scores as bytes, one chunk at a time, in any format that is written."""

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets.errors import OutputError
from worthit.datasets.formats.chunks import Values
from worthit.datasets.formats.formats import DELIMITERS

#: name → values, all of the same length
ScoreTable = dict[str, Values]
#: (a chunk, True for the first of a file) → its bytes
Encoder = Callable[[ScoreTable, bool], bytes]

_ROW_GROUP = 1 << 16


def encoder(form: str, begun: Path | None = None) -> Encoder:
    """The function that encodes the chunks of one file.

    Args:
        form: one of `worthit.datasets.formats.formats.STREAMED`. Parquet has its index at the end, so
            its chunks are written as an Arrow stream, which `to_parquet` converts.
        begun: a partial file to resume.
    """
    if form == "jsonl":
        return _json_lines
    if form == "parquet":
        return _ArrowStream(begun)
    return lambda columns, is_first: _delimited(columns, is_first, DELIMITERS[form])


def _json_lines(columns: ScoreTable, is_first: bool) -> bytes:
    names, values = list(columns), [to_python(name, column) for name, column in columns.items()]
    records = (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
    return msgspec.json.Encoder(enc_hook=str).encode_lines(records)


def _delimited(columns: ScoreTable, is_first: bool, delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if is_first:
        writer.writerow(columns)
    values = [map(_cell, to_python(name, column)) for name, column in columns.items()]
    writer.writerows(zip(*values, strict=True))
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Texts and numbers as they are, other values as JSON; null is an empty field."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return msgspec.json.Encoder(enc_hook=str).encode(value).decode()


def to_python(name: str, values: Values) -> list[Any]:
    """One column as Python values.

    Raises:
        OutputError: Python has no values of its type.
    """
    if isinstance(values, list):
        return values
    try:
        if pa.types.is_temporal(values.type):
            values = values.cast(pa.string())  # Python has no nanoseconds
        converted: list[Any] = values.to_pylist()
    except (pa.ArrowException, ValueError) as error:
        raise OutputError(
            f"the column {name} ({values.type}) cannot be carried along; omit it from --keep"
        ) from error
    return converted


class _ArrowStream:
    """An Arrow IPC stream, one message per chunk. The first chunk determines the types."""

    def __init__(self, begun: Path | None) -> None:
        self._schema: pa.Schema | None = None
        if begun is not None:
            with pa.ipc.open_stream(begun) as stream:
                self._schema = stream.schema

    def __call__(self, columns: ScoreTable, is_first: bool) -> bytes:
        if is_first:
            self._schema = pa.schema([(name, column_type(name, columns[name])) for name in columns])
        assert self._schema is not None
        arrays = [to_arrow(field, columns[field.name]) for field in self._schema]
        batch = pa.record_batch(arrays, schema=self._schema)
        head = self._schema.serialize().to_pybytes() if is_first else b""
        return head + bytes(batch.serialize())


def column_type(name: str, values: Values) -> pa.DataType:
    """The type of a column of Parquet, by its first values.

    Raises:
        OutputError: they have several types.
    """
    if name == "row":
        return pa.int64()
    try:
        kind = values.type if isinstance(values, pa.Array) else pa.array(values).type
    except pa.ArrowException as error:
        raise _mixed(name) from error
    return pa.string() if pa.types.is_null(kind) else kind


def to_arrow(field: pa.Field, values: Values) -> pa.Array:
    """Values of one column as the type that it has in Parquet.

    Raises:
        OutputError: they have another one.
    """
    try:
        return (
            values.cast(field.type)
            if isinstance(values, pa.Array)
            else pa.array(values, field.type)
        )
    except (pa.ArrowException, OverflowError) as error:
        raise _mixed(field.name) from error


def _mixed(name: str) -> OutputError:
    return OutputError(
        f"the column {name} holds values of several types, but a Parquet column has one; "
        "omit it from --keep or, without --cluster, give --output-format jsonl"
    )


def to_parquet(stream: Path, target: Path) -> None:
    """Convert an Arrow stream to a Parquet file, one row group at a time, and flush it to disk."""
    with pa.ipc.open_stream(stream) as reader, target.open("wb") as file:
        with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in reader:
                waiting.append(batch)
                if sum(map(len, waiting)) >= _ROW_GROUP:
                    _write(writer, waiting)
                    waiting = []
            if waiting:
                _write(writer, waiting)
        file.flush()
        os.fsync(file.fileno())


def _write(writer: pq.ParquetWriter, batches: list[pa.RecordBatch]) -> None:
    table = pa.Table.from_batches(batches)
    writer.write_table(table, row_group_size=max(len(table), 1))
