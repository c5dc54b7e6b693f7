"""Do quotes enclose texts, or are they part of them?"""

import re
from collections.abc import Sequence

from worthit.datasets.formats.header import is_number

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_MOST_VALUES = 1_000  # of a column that are kept
_FEW_VALUES = 0.5  # of the rows: such a column has classes, not texts
_MOST_SUSPECTS = 1_000


class QuoteCheck:
    """Counts rows, to decide whether quotes enclose texts or are part of them.

    Many TSV files are written without quoting. A text that begins with a quote then seems to go on until
    another text ends with one. All rows between are read as one, and a parser reports no error.

    A quoted text of several lines may look like whole rows by chance: of 94,726 such Wikipedia
    comments at most 30 do. So the file is taken as not quoting if most of its rows of several lines do,
    with numbers and classes in the columns where other rows have them.
    """

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._rows = self._enclosed = self._spanning = 0
        self._columns: list[_Column] = []
        self._suspects: list[list[list[str]]] = []  # rows, as the rows that their lines would be

    def add(self, row: Sequence[str], *, spans_lines: bool) -> None:
        self._rows += 1
        self._enclosed += any(
            len(cell) > 1 and cell.startswith('"') and cell.endswith('"') for cell in row
        )
        if spans_lines:
            self._spanning += 1
            if (lines := self._as_whole_rows(row)) and len(self._suspects) < _MOST_SUSPECTS:
                self._suspects.append(lines)
        elif self._rows > 1:  # the first one is hardly data
            if not self._columns:
                self._columns = [_Column() for _ in row]
            for column, cell in zip(self._columns, row, strict=False):
                column.add(cell)

    @property
    def mostly_whole_rows(self) -> bool:
        if 2 * len(self._suspects) <= min(self._spanning, _MOST_SUSPECTS):
            return False
        likely = sum(all(map(self._is_usual, lines)) for lines in self._suspects)
        return 2 * likely > min(self._spanning, _MOST_SUSPECTS)

    @property
    def mostly_enclosed(self) -> bool:
        """Read without quoting, most rows have a text in quotes: then quotes do enclose texts."""
        return 2 * self._enclosed > self._rows

    def _as_whole_rows(self, row: Sequence[str]) -> list[list[str]]:
        """The rows that its lines would be by themselves; none unless all are of the same width."""
        if not any(self._delimiter in field for field in row):
            return []
        lines = [line for line in _LINE_BREAK.split(self._delimiter.join(row)) if line]
        rows = [line.split(self._delimiter) for line in lines]
        return rows if len(rows) > 1 and all(len(one) == len(row) for one in rows) else []

    def _is_usual(self, row: Sequence[str]) -> bool:
        return all(
            column.could_hold(cell) for column, cell in zip(self._columns, row, strict=False)
        )


class _Column:
    """The values of a column, as far as they tell what else it may hold."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._rows, self._are_numbers = 0, True

    def add(self, cell: str) -> None:
        self._rows += 1
        cell = cell.strip().strip('"')
        self._are_numbers = self._are_numbers and (not cell or is_number(cell))
        if len(self._values) < _MOST_VALUES:
            self._values.add(cell)

    def could_hold(self, cell: str) -> bool:
        """False for a word among numbers, or a value that is not one of a few."""
        cell = cell.strip().strip('"')
        if self._rows < 2:
            return True
        if self._are_numbers:
            return not cell or is_number(cell)
        has_many = len(self._values) > min(_FEW_VALUES * self._rows, _MOST_VALUES - 1)
        return has_many or cell in self._values
