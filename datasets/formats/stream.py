"""The one reader of tables, in chunks, from files and pipes of any length.

Memory holds one chunk (of Parquet, what pyarrow buffers of a row group too; of a JSON document that is
one object, all of it). No row is left out without a note: a row that is malformed is an error with its
line number.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from worthit.datasets.errors import DataError
from worthit.datasets.formats import (
    annotated,
    dialect,
    formats,
    json_documents,
    json_objects,
    label_lines,
)
from worthit.datasets.formats.chunks import HEAD_ROWS, Chunk, TableReader, Values, peeked, repeated
from worthit.datasets.formats.delimited import Delimited
from worthit.datasets.formats.files import Input, readable
from worthit.datasets.formats.parquet import Parquet
from worthit.datasets.formats.reading import AS_FOUND, COLUMNS, DELIMITER, SHEET, Reading
from worthit.datasets.formats.sheets import Sheet

_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # white space and byte-order marks
_JSON = re.compile(rb'(\[\s*)?\{\s*"')  # hardly the header of a CSV


def open_table(
    source: Input, form: str | None = None, option: str = "", reading: Reading = AS_FOUND
) -> TableReader:
    """The table of a file or a pipe.

    Args:
        form: csv, tsv, jsonl, json, parquet, xlsx or fasttext; by default by the content and the
            suffix of the file.
        option: the user's option for `form`, for messages.
        reading: what the user says about the file. Its encoding is that of `source`.

    Raises:
        DataError: it cannot be read, or is not of a known format.
        OptionError: Parquet from a pipe.
    """
    with source.open() as unpacked, readable(source.path):
        name, head = unpacked.name, unpacked.head()
    found, notes = _format(source, name, head, form, option)
    if found != "xlsx":
        _require_no_sheet(name, reading)
    if found == "parquet":
        _require_names_unneeded(name, reading)
        return Parquet(source, name)
    if found == "xlsx":
        _require_names_unneeded(name, replace(reading, columns=None))
        sheet = Sheet(source, name, reading)
        return _RecordReader(
            source, name, sheet.rows, sheet.columns, (*notes, *sheet.notes), repeated(sheet.names)
        )
    formats.require_text(name, head, source.encoding)
    if encoding_note := source.encoding_note(name):
        notes = (encoding_note, *notes)
    if found in formats.DELIMITERS:
        table = Delimited(source, name, formats.DELIMITERS[found], reading)
        return _RecordReader(
            source, name, table.rows, table.columns, (*notes, *table.notes), repeated(table.names)
        )
    _require_names_unneeded(name, reading)
    if found in label_lines.NOTES:
        rows = label_lines.of_lines(source.lines("\n"), found)
        notes = (*notes, label_lines.NOTES[found].format(name=name))
    else:
        folded, where = _json(source, name, head, found)
        rows, how = annotated.unfolded(folded, name)
        notes = (*notes, *where, *how)
    return _RecordReader(source, name, rows, json_objects.columns, notes, {})


def _format(
    source: Input, name: str, head: bytes, form: str | None, option: str
) -> tuple[str, tuple[str, ...]]:
    """The format of a table, and a note if its suffix says another."""
    by_suffix = formats.format_of(name)
    found = formats.by_magic(name, head) or form
    if found == "xlsx" and by_suffix != "xlsx":
        return found, (f"{name} is read as an Excel file, by its content",)
    if found:
        return found, ()
    formats.require_known(name)
    by_content = _by_content(source, name, head, by_suffix)
    if by_content is None and by_suffix is None:
        is_text = source.rereadable and bool(head) and not formats.is_binary(head)
        raise formats.unknown(name, option, is_text=is_text)
    if by_content in (None, by_suffix) or by_content in label_lines.NOTES:
        return by_content or by_suffix or "", ()
    return by_content, (f"{name} is read as {by_content.upper()}, by its content",)


def _by_content(source: Input, name: str, head: bytes, by_suffix: str | None) -> str | None:
    """The format of a file whose suffix says little, or that its first bytes contradict."""
    start = head.lstrip(_BEFORE_JSON)
    if by_suffix in formats.DELIMITERS and _JSON.match(start):
        return "json"
    is_json = by_suffix in ("json", "jsonl")
    is_unsure = by_suffix is None or Path(name).suffix.lower() == ".txt"
    if not (is_unsure or (is_json and not start.startswith((b"{", b"[")))):
        return None
    if not source.rereadable or not head or formats.is_binary(head):
        return None
    formats.require_text(name, head, source.encoding)
    lines = source.lines("")
    sample, is_all = dialect.sample(lines)
    lines.close()
    found = formats.by_content(sample, is_all=is_all)
    is_same_kind = found in formats.DELIMITERS and by_suffix in formats.DELIMITERS
    return by_suffix if is_same_kind or (is_json and found == "json") else found


def require_as_found(name: str, reading: Reading) -> None:
    """Raise DataError if the user says how columns are written, but there is no table."""
    _require_names_unneeded(name, reading)
    _require_no_sheet(name, reading)


def _require_names_unneeded(name: str, reading: Reading) -> None:
    for option, given in ((COLUMNS, reading.columns), (DELIMITER, reading.delimiter)):
        if given is not None and not reading.is_borrowed:
            raise DataError(f"{option} is for CSV and its relatives, which {name} is not; omit it")


def _require_no_sheet(name: str, reading: Reading) -> None:
    if reading.sheet is not None and not reading.is_borrowed:
        raise DataError(f"{SHEET} is for Excel files, which {name} is not; omit it")


def _json(
    source: Input, name: str, head: bytes, form: str
) -> tuple[Iterator[dict[str, Any]], tuple[str, ...]]:
    """The rows of JSON lines, an array or another document."""
    start = head.lstrip(_BEFORE_JSON)
    begins = start[1:].lstrip(_BEFORE_JSON)[:1]
    if start.startswith(b"[") and (form == "json" or begins in (b"{", b"")):
        return json_objects.of_array(source.blocks(), name), ()
    lines = source.lines("\n")
    if not start.startswith(b"{"):
        return json_objects.of_lines(lines, name), ()
    first, is_document = json_documents.begins(lines)
    everything = itertools.chain(first, lines)
    if is_document:
        rows, notes = json_documents.rows(everything, name)
        return iter(rows), notes
    return json_objects.of_lines(everything, name), ()


class _RecordReader(TableReader):
    """Formats of text: records one after the other."""

    def __init__(
        self,
        source: Input,
        name: str,
        records: Iterator[Any],
        columns: Callable[[list[Any], Sequence[str] | None], Mapping[str, Values]],
        notes: tuple[str, ...],
        unusable: dict[str, str],
    ) -> None:
        self._source, self._records, self._columns = source, records, columns
        self.name, self.notes, self.unusable = name, notes, unusable

    def head(self) -> Chunk:
        first, self._records = peeked(self._records, HEAD_ROWS)
        return Chunk(1, len(first), self._columns(first, None))

    def chunks(self, size: int, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        first = 1
        while records := list(itertools.islice(self._records, size)):
            yield Chunk(first, len(records), self._columns(records, names))
            first += len(records)

    def share_read(self) -> float | None:
        return self._source.share_read()
