"""Objects of JSON lines (jsonlines.org) and of JSON arrays, one after the other."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from worthit.datasets.errors import DataError
from worthit.datasets.tables.files import one_line

_LONGEST_OBJECT = 1 << 26
_BLANK = re.compile(r"\s*")
_MALFORMED = (msgspec.MsgspecError, RecursionError, UnicodeError, json.JSONDecodeError)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def of_lines(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    """One object per line; blank lines are skipped.

    Raises:
        DataError: a line is not an object; names it.
    """
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            try:
                yield _decode(line)
            except _MALFORMED as error:
                raise DataError(
                    f"line {number:,} of {name} is not a JSON object ({one_line(error)}); "
                    "JSON lines hold one object per line"
                ) from error


def of_array(blocks: Iterator[str], name: str) -> Iterator[dict[str, Any]]:
    """The objects of one array. Memory holds a block and an object.

    Raises:
        DataError: it is not an array of objects; names the object.
    """
    number = 0
    text = _Text(blocks)
    try:
        text.take("[")
        if text.peek() == "]":
            text.take("]")
        else:
            for number in itertools.count(1):
                yield _decode(text.take_value())
                if text.take(",]") == "]":
                    break
        if text.peek():
            raise ValueError("text after the end of the array")
    except (*_MALFORMED, ValueError) as error:
        raise DataError(
            f"{name} is not an array of JSON objects (object {number:,}: {one_line(error)}); "
            "write JSON lines"
        ) from error


class _Text:
    """Text that is read a block at a time."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks, self._text, self._at = blocks, "", 0
        self._find_value = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or not self._read_more():
                return self._text[self._at : self._at + 1]

    def take(self, allowed: str) -> str:
        found = self.peek()
        if not found or found not in allowed:
            raise ValueError(f"expected one of {allowed}, got {found or 'the end of the file'}")
        self._at += 1
        return found

    def take_value(self) -> str:
        self.peek()
        while True:
            begins = self._at
            try:
                _, self._at = self._find_value(self._text, begins)
            except json.JSONDecodeError:
                left = len(self._text) - begins
                if left > _LONGEST_OBJECT or not self._read_more(left):
                    raise
            else:
                return self._text[begins : self._at]

    def _read_more(self, characters: int = 1) -> bool:
        """Drop what was taken, and append at least as many characters if there are any."""
        parts, length = [self._text[self._at :]], 0
        while length < characters and (block := next(self._blocks, "")):
            parts.append(block)
            length += len(block)
        self._text, self._at = "".join(parts), 0
        return length > 0
