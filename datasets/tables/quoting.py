"""Decides whether the double quotes in a TSV enclose texts, or are part of them.

Many TSV files are written without quoting. A text that begins with a quote then seems to go on until
another text ends with one. All rows between are read as one, and a parser reports no error.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from worthit.datasets.errors import DataError

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class SpanningRows:
    """Counts the rows of a TSV that span several lines.

    A quoted text of several lines may look like whole rows by chance: of 94,726 such Wikipedia
    comments at most 30 do. So the file is taken as not quoting if most of its rows of several lines do.
    """

    def __init__(self) -> None:
        self._rows, self._of_whole_rows = 0, 0

    def add(self, row: Sequence[str]) -> None:
        self._rows += 1
        self._of_whole_rows += _is_whole_rows(row)

    @property
    def mostly_whole_rows(self) -> bool:
        return 2 * self._of_whole_rows > self._rows


def _is_whole_rows(row: Sequence[str]) -> bool:
    """True if each line would be a row of the same width by itself."""
    if not any("\t" in field for field in row):
        return False
    lines = [line for line in _LINE_BREAK.split("\t".join(row)) if line]
    return len(lines) > 1 and all(line.count("\t") == len(row) - 1 for line in lines)


def whole_rows_quoted(name: str, remedy: str = "") -> DataError:
    return DataError(
        f"texts in double quotes enclose whole rows of {name}, so quotes may be part of the texts; "
        f"{remedy}quote every text that has some and double them, or write JSON lines"
    )


def encloses_texts(
    name: str, rows: Callable[[SpanningRows], Iterator[object]], unquoted: Iterator[object]
) -> bool:
    """True if the quotes of a TSV enclose texts. Reads it whole, at most once each way.

    Args:
        rows: reads it with quoting, and counts the rows that span lines.
        unquoted: reads it without.

    Raises:
        DataError: it is well-formed neither way, or unclear.
    """
    spanning = SpanningRows()
    try:
        _read_all(rows(spanning))
    except DataError:
        _read_all(unquoted)
        return False
    if not spanning.mostly_whole_rows:
        return True
    try:
        _read_all(unquoted)
    except DataError as error:
        raise whole_rows_quoted(name) from error
    return False


def _read_all(rows: Iterator[object]) -> None:
    deque(rows, maxlen=0)
