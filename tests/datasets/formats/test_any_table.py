"""Any table that common writers write is read with the same texts and labels, or refused in one line."""

import csv
import gzip
import importlib.util
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from worthit.datasets.errors import WorthitError
from worthit.datasets.formats import reading, whole
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.reading import AS_FOUND, Reading
from worthit.datasets.formats.stream import open_table
from worthit.datasets.tables.comments import CommentReader

Columns = dict[str, list[str]]


@dataclass(frozen=True)
class Written:
    table: Columns
    name: str  # of the file
    content: bytes
    reading: Reading = AS_FOUND


_LETTERS = st.characters(codec="cp1252", exclude_characters="\r\0", exclude_categories=["Cc"])
_TEXTS = st.text(_LETTERS | st.sampled_from(list(',;\t|"\n\\ ')), min_size=1, max_size=30)
_OTHERS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_LABELS = st.sampled_from(["up", "down", "neutral", "yes", "1", "0"])
_UTF = ["utf-8", "utf-8-sig", "utf-16"]
_NAMED = ["utf-16-le", "cp1252", "latin-1"]  # encodings that the user must name


@st.composite
def columns(draw: st.DrawFn, texts: st.SearchStrategy[str] = _TEXTS | _OTHERS) -> Columns:
    rows = draw(st.lists(st.tuples(texts, _LABELS), min_size=2, max_size=12))
    table = {
        "text": [text for text, _ in rows],
        "label": [label for _, label in rows],
        "id": [f"n{i}" for i in range(len(rows))],
    }
    order = draw(st.permutations(list(table)))
    return {name: table[name] for name in order if name != "id" or draw(st.booleans())}


def assume_clear(table: Columns, delimiter: str) -> None:
    """A text with delimiters and line breaks may look like rows of a file that does not quote."""
    texts = table["text"]
    assume(delimiter == "," or not any(delimiter in one and "\n" in one for one in texts))


@st.composite
def by_csv(draw: st.DrawFn) -> Written:
    table = draw(columns())
    delimiter = draw(st.sampled_from(",;\t|"))
    assume_clear(table, delimiter)
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=delimiter,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    encoding = draw(st.sampled_from(_UTF + _NAMED))
    content = buffer.getvalue().encode(encoding, "replace")
    table["text"] = [text.encode(encoding, "replace").decode(encoding) for text in table["text"]]
    is_named = draw(st.sampled_from([True, True, True, False]))
    named = reading.encoding(encoding) if is_named or encoding in _UTF else None
    assume(
        encoding in _UTF or content.isascii() or not is_utf8(content)
    )  # else it is read as UTF-8
    given_delimiter = delimiter if draw(st.booleans()) else None
    suffix = draw(st.sampled_from(["csv", "tsv", "txt", "csv.gz"]))
    if suffix.endswith("gz"):
        content = gzip.compress(content)
    return Written(table, f"mine.{suffix}", content, Reading(named, given_delimiter))


@st.composite
def by_pyarrow(draw: st.DrawFn) -> Written:
    table = draw(columns())
    sink = io.BytesIO()
    if draw(st.booleans()):
        kind = draw(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
        arrays = {name: pa.array(values).cast(kind) for name, values in table.items()}
        if draw(st.booleans()):
            arrays["label"] = arrays["label"].cast(pa.string()).dictionary_encode()
        pq.write_table(pa.table(arrays), sink)
        return Written(table, "mine.parquet", sink.getvalue())
    delimiter = draw(st.sampled_from(",;\t|"))
    assume_clear(table, delimiter)
    pa.csv.write_csv(pa.table(table), sink, pa.csv.WriteOptions(delimiter=delimiter))
    return Written(table, "mine.csv", sink.getvalue())


@st.composite
def as_json(draw: st.DrawFn) -> Written:
    table = draw(columns())
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    is_ascii, indent = draw(st.booleans()), draw(st.sampled_from([None, 1]))

    def dumped(value: Any, indent: int | None = indent) -> str:
        return json.dumps(value, ensure_ascii=is_ascii, indent=indent)

    content = draw(
        st.sampled_from(
            [
                "\n".join(dumped(row, None) for row in rows),
                dumped(rows),
                dumped({"data": rows, "version": 1}),
                dumped({name: dict(enumerate(values)) for name, values in table.items()}),
                dumped(table),
            ]
        )
    )
    suffix = draw(st.sampled_from(["json", "jsonl"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-16"]))
    return Written(table, f"mine.{suffix}", content.encode(encoding))


@st.composite
def by_pandas(draw: st.DrawFn) -> Written:
    import pandas as pd

    table = draw(columns())
    frame = pd.DataFrame(table)
    if draw(st.booleans()):
        orient = draw(st.sampled_from(["columns", "index", "split", "records", "table"]))
        return Written(table, "mine.json", frame.to_json(orient=orient).encode())
    delimiter = draw(st.sampled_from(",;\t|"))
    assume_clear(table, delimiter)
    content = frame.to_csv(index=draw(st.booleans()), sep=delimiter)
    return Written(table, "mine.csv", content.encode())


def is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def texts_and_labels(path: Path, how: Reading) -> tuple[list[str], list[str | None]]:
    """As the benchmark reads them."""
    table = whole.read(path, reading=how).table
    texts = [(text or "").replace("\0", "").strip() for text in table["text"].to_pylist()]
    return texts, table["label"].to_pylist()


def scored(path: Path, how: Reading) -> tuple[list[str], list[str | None]]:
    """As `worthit score` reads them."""
    texts: list[str] = []
    labels: list[str | None] = []
    with Input(path, encoding=how.encoding) as source:
        for chunk in CommentReader(open_table(source, reading=how), "text", ["label"]).chunks(5):
            texts += [text or "" for text in chunk.texts]
            column = chunk.extras["label"]
            labels += column if isinstance(column, list) else column.to_pylist()
    return texts, labels


_WRITERS: dict[str, Callable[[], st.SearchStrategy[Written]]] = {
    "csv": by_csv,
    "pyarrow": by_pyarrow,
    "json": as_json,
}
if importlib.util.find_spec("pandas"):
    _WRITERS["pandas"] = by_pandas


@pytest.mark.parametrize("writer", _WRITERS)
def test_any_table_is_read_as_it_was_written_or_refused_in_one_line(
    writer: str, tmp_path: Path
) -> None:
    outcomes = Counter[str]()

    @settings(max_examples=30, derandomize=True, deadline=None, database=None)
    @given(_WRITERS[writer]())
    def check(written: Written) -> None:
        path = tmp_path / written.name
        path.write_bytes(written.content)
        expected = ([text.strip() for text in written.table["text"]], written.table["label"])
        for read in (texts_and_labels, scored):
            try:
                found = read(path, written.reading)
            except WorthitError as error:
                lines = str(error).splitlines()
                outcomes["refused" if len(lines) == 1 else "refused in several lines"] += 1
            else:
                assert found == expected
                outcomes["read"] += 1

    check()
    assert outcomes.keys() <= {"read", "refused"}
    assert outcomes["read"] > 4 * outcomes["refused"], outcomes
