"""Whether the quotes in a TSV quote, or are part of texts that nobody quoted.

Of a file that does not quote, a text that begins with a quote seems to go on until another one ends
with a quote: the rows between are read as one, and no parser takes offence.
"""

import re
from collections.abc import Sequence

_LINE_BREAK = re.compile(r"\r\n|\r|\n")

REMEDY = (
    "so quotes may be part of the texts; quote every text that has some, doubling them, or write "
    "JSON lines"
)


class Spanning:
    """Counts the rows of a TSV that span lines.

    A quoted text may look like whole rows by chance, though seldom: of 94,726 Wikipedia comments of
    several lines 30 do at worst. So the file is taken not to quote where most of its rows do.
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
    """Whether each line would be a row by itself, as wide as the one that they were read as."""
    if not any("\t" in field for field in row):
        return False
    lines = [line for line in _LINE_BREAK.split("\t".join(row)) if line]
    return len(lines) > 1 and all(line.count("\t") == len(row) - 1 for line in lines)
