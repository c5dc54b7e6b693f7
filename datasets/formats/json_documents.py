"""JSON that is neither lines nor an array: one object that holds a whole table.

Known are an array under a key, `{"data": [{…}, …]}`, and what `pandas.DataFrame.to_json` writes: by
column (its default), by row (`orient="index"`) and split. Memory holds the whole document.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from worthit.datasets.errors import DataError, listed, one_line
from worthit.datasets.formats.files import LARGEST_BYTES

Row = dict[str, Any]
_MANY_TEXTS = 10
_DEEPEST = 6  # keys above the rows
#: keys of arrays that describe the columns, beside the rows
_DESCRIPTIONS = {"features", "schema", "fields", "columns", "labels", "classes", "categories"}


def begins(lines: Iterator[str]) -> tuple[list[str], bool]:
    """The lines up to the second that is not blank, and whether a document of several rows begins.

    JSON lines have a whole object in the first line; so has a document that is one line.
    """
    head: list[str] = []
    present = 0
    for line in lines:
        head.append(line)
        present += not line.isspace()
        if present == 2:
            break
    first = next((line for line in head if not line.isspace()), "").strip()
    try:
        json.loads(first.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        return head, error.pos >= len(
            first.removeprefix("\ufeff")
        ) - 1  # it goes on in the next line
    except (ValueError, RecursionError):
        return head, False
    return head, present < 2


def rows(lines: Iterable[str], name: str) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a document, and a note on where they were.

    Raises:
        DataError: it is not JSON, or holds no table.
    """
    text = _joined(lines, name)
    values = _values(text, name)
    if len(values) > 1 or not values:
        return values, ()
    document = values[0]
    if {"columns", "data"} <= document.keys() and _is_split(document):
        names = [str(column) for column in document["columns"]]
        return [dict(zip(names, row, strict=False)) for row in document["data"]], ()
    if arrays := _without_descriptions(_arrays(document)):
        if len(arrays) > 1:
            raise DataError(
                f"{name} holds several arrays of rows: {listed(list(arrays))}; save each as a file, "
                "such as train.json and test.json in one folder"
            )
        ((key, table),) = arrays.items()
        return table, (f"the rows of {name} are those under {key!r}",)
    if document and all(map(_are_lists, document.values())):
        raise DataError(
            f"{name} holds rows without names of columns, under {listed(list(document))}; write them as CSV "
            "with a header such as text,label, in files such as train.csv and test.csv of one folder"
        )
    if all(isinstance(value, dict) for value in document.values()):
        return _of_objects(document, name)
    if found := _by_class(document):
        return found, (f"each key of {name} is read as a class of the texts under it",)
    if _are_texts(document):
        pairs = [{"text": text, "label": label} for text, label in document.items()]
        return pairs, (f"each key of {name} is read as a text, and its value as the label",)
    # A row may hold lists, too, but not all of the same length.
    lengths = {len(value) if isinstance(value, list) else -1 for value in document.values()}
    if len(lengths) == 1 and max(lengths) > 1:
        columns = document.values()
        return [dict(zip(document, row, strict=True)) for row in zip(*columns, strict=True)], ()
    return [document], ()


def _joined(lines: Iterable[str], name: str) -> str:
    kept, size = [], 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > LARGEST_BYTES:
            raise DataError(f"{name} is one JSON object of over 4 GB; write JSON lines")
    return "".join(kept).strip().removeprefix("\ufeff").strip("\0 \t\r\n")


def _values(text: str, name: str) -> list[Row]:
    """One object, or several one after the other."""
    try:
        return [msgspec.json.decode(text, type=Row)]
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        problem = error
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    found: list[Row] = []
    place = 0
    try:
        while place < len(text):
            value, place = decoder.raw_decode(text, place)
            json.dumps(value, ensure_ascii=False).encode()  # Python reads half a surrogate
            if not isinstance(value, dict):
                raise TypeError
            found.append(value)
            while place < len(text) and text[place] in " \t\r\n,":
                place += 1
    except (ValueError, RecursionError, TypeError) as error:
        is_half = isinstance(error, UnicodeEncodeError)  # msgspec calls some of them truncated
        why = "a text has half a surrogate pair" if is_half else one_line(problem)
        raise DataError(
            f"{name} is not JSON of rows ({why}); write JSON lines, one object per line, or an "
            "array of objects"
        ) from error
    return found


def _is_split(document: Mapping[str, Any]) -> bool:
    columns, data = document["columns"], document["data"]
    are_lists = isinstance(columns, list) and isinstance(data, list)
    return are_lists and all(isinstance(row, list) for row in data)


def _arrays(document: Mapping[str, Any], depth: int = _DEEPEST) -> dict[str, list[Row]]:
    """Key → rows, of the arrays of objects nearest to the top."""
    found = {
        key: value
        for key, value in document.items()
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    }
    if found or depth == 1:
        return found
    return {
        f"{key}.{name}": table
        for key, value in document.items()
        if isinstance(value, dict)
        for name, table in _arrays(value, depth - 1).items()
    }


def _are_texts(document: Mapping[str, Any]) -> bool:
    """True for {"a text": "its class", …}."""
    texts = sum(key.count(" ") > 1 for key in document)
    is_flat = not any(isinstance(value, list | dict) for value in document.values())
    return is_flat and len(document) >= _MANY_TEXTS and 2 * texts > len(document)


def _by_class(document: Mapping[str, Any]) -> list[Row]:
    """{"spam": ["a text", …], "ham": […]} as rows; columns as lists have the same length."""
    values = list(document.values())
    if len(values) < 2 or not all(isinstance(value, list) for value in values):
        return []
    are_texts = all(isinstance(text, str) for value in values for text in value)
    if not are_texts or len({len(value) for value in values}) == 1:
        return []
    return [{"text": text, "label": key} for key, value in document.items() for text in value]


def _without_descriptions(found: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The arrays of rows with texts, if others describe columns or classes."""
    rows = {key: table for key, table in found.items() if key.split(".")[-1] not in _DESCRIPTIONS}
    texts = {key: table for key, table in rows.items() if any(map(_has_text, table[:_MANY_TEXTS]))}
    return texts or rows or found


def _has_text(row: Row) -> bool:
    return any(isinstance(value, str) and value.count(" ") > 1 for value in row.values())


def _are_lists(value: Any) -> bool:
    """True for [["a text", "its class"], …]."""
    return (
        isinstance(value, list) and len(value) > 1 and all(isinstance(row, list) for row in value)
    )


def _of_objects(document: dict[str, Row], name: str) -> tuple[list[Row], tuple[str, ...]]:
    """By column, {"text": {"0": "…"}}, or by row, {"0": {"text": "…"}}."""
    inner = list(dict.fromkeys(itertools.chain.from_iterable(document.values())))
    by_column = _are_numbers(inner) or (not _are_numbers(document) and len(document) <= len(inner))
    if by_column:
        found = [{column: document[column].get(key) for column in document} for key in inner]
        note = f"{name} is read by column: {listed(list(document))}"
    else:
        found = list(document.values())
        note = f"{name} is read by row: each key holds one"
    return found, (note,)


def _are_numbers(keys: Iterable[str]) -> bool:
    return all(key.isdecimal() for key in keys)
