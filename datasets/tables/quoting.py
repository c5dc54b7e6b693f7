"""Decides whether the double quotes in a TSV enclose texts, or are part of them.

Many TSV files are written without quoting. A text that begins with a quote then seems to go on until
another text ends with one. All rows between are read as one, and a parser reports no error.
"""

import re
from collections.abc import Sequence

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


def unclear(name: str, remedy: str = "") -> DataError:
    return DataError(
        f"texts in double quotes enclose whole rows of {name}, so quotes may be part of the texts; "
        f"{remedy}quote every text that has some and double them, or write JSON lines"
    )
