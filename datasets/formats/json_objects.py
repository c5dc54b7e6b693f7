"""Objects of JSON lines (jsonlines.org) and of JSON arrays, one after the other."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from worthit.datasets.errors import DataError, one_line
from worthit.datasets.formats.files import BLOCK

_LONGEST_OBJECT = 1 << 26
_UNNAMED = {"[": "rows without names of columns", '"': "texts without labels"}
_MALFORMED = (msgspec.MsgspecError, RecursionError, ValueError)  # of encoding, too
_find_value = json.JSONDecoder().raw_decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def _require_names(first: str, name: str) -> None:
    """Raise DataError if rows are arrays or texts, such as `["a text", "its class"]`."""
    if kind := _UNNAMED.get(first.lstrip()[:1]):
        raise DataError(
            f"{name} holds {kind}; write them as CSV with a header such as text,label, or as JSON lines of "
            "objects"
        )


def _decode(text: str) -> dict[str, Any]:
    """An object; NaN, which Python and pandas write, becomes null."""
    try:
        return _decode_object(text)
    except msgspec.DecodeError as error:
        if "NaN" not in text and "Infinity" not in text:
            raise
        try:
            value = json.loads(text, parse_constant=lambda _: None)
            json.dumps(value, ensure_ascii=False).encode()  # Python reads half a surrogate
        except ValueError:
            raise error from None
        if not isinstance(value, dict):
            raise
        return value


def of_lines(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    """One object per line; blank lines are skipped.

    Raises:
        DataError: a line is not an object; names it.
    """
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            if number == 1:
                _require_names(line, name)
            try:
                yield _decode(line)
            except _MALFORMED as error:
                raise DataError(
                    f"line {number:,} of {name} is not a JSON object ({one_line(error)}); "
                    "JSON lines hold one object per line"
                ) from error


def of_array(blocks: Iterator[str], name: str) -> Iterator[dict[str, Any]]:
    """The objects of an array. Memory holds a block and an object.

    Args:
        blocks: of text that begins with [.

    Raises:
        DataError: it is not an array of objects; names the object.
    """
    number, ends = 0, "["
    text = next(blocks).lstrip().removeprefix("[").lstrip()
    if text.startswith("]"):
        ends, text = "]", text[1:]
    try:
        while ends != "]":
            number += 1
            value, ends, text = _next_value(text, blocks)
            if number == 1:
                _require_names(value, name)
            yield _decode(value)
        if text.strip() or any(not block.isspace() for block in blocks):
            raise ValueError("text after the end of the array")
    except _MALFORMED as error:
        raise DataError(
            f"{name} is not an array of JSON objects (object {number:,}: {one_line(error)}); "
            "write JSON lines"
        ) from error


def columns(records: list[dict[str, Any]], names: Sequence[str] | None) -> dict[str, list[Any]]:
    """The values of each key; `names` are all keys by default."""
    if names is None:
        names = list(dict.fromkeys(key for record in records for key in record))
    return {name: [record.get(name) for record in records] for name in names}


def _next_value(text: str, blocks: Iterator[str]) -> tuple[str, str, str]:
    """The next value, the comma or bracket after it, and the rest of the text."""
    while True:
        text = text.lstrip()
        try:
            _, end = _find_value(text)
            rest = text[end:].lstrip()
            if rest[:1] in (",", "]"):
                return text[:end], rest[0], rest[1:]
            problem = ValueError("no comma or bracket after it")
        except json.JSONDecodeError as error:
            problem = error
        more = "".join(itertools.islice(blocks, 1 + len(text) // BLOCK))
        if not more or len(text) > _LONGEST_OBJECT:
            raise problem
        text += more
