"""Rows of CSV, TSV and their relatives (RFC 4180), with a header or with names that the user gives."""

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from worthit.datasets.errors import DataError, counted
from worthit.datasets.formats import dialect, header
from worthit.datasets.formats.dialect import ESCAPED, QUOTED, UNQUOTED, Dialect
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.quote_check import QuoteCheck
from worthit.datasets.formats.reading import DELIMITER, Reading

_NEARLY_ALL, _FEW = 0.99, 0.1
_MOST_ABOVE = 10  # lines above a header
_END_OF_FILE = "\x1a"  # of DOS
_NOTES = {
    QUOTED: "",
    ESCAPED: "quotes within the texts of {name} are escaped by backslashes",
    UNQUOTED: "quotes in {name} are read as part of the texts",
}


@dataclass
class _Scan:
    """What all rows show."""

    rows: int = 0
    filled: Counter[int] = field(default_factory=Counter)  # place of a column → values in it
    repeats: int = 0  # rows that repeat the header


class Delimited:
    """A table in CSV or TSV. A file is read twice, so that repairs hold for all of it.

    Attributes:
        names: of the columns, without outer white space; those without a name are left out.
        rows: each as wide as the table; blank lines are skipped.
        notes: a line on each repair.

    Raises:
        DataError: a row is malformed; names its line.
    """

    def __init__(self, source: Input, name: str, usual: str, reading: Reading) -> None:
        self._name = name
        lines = source.lines("")
        head, is_all = dialect.sample(lines)
        self._dialect = dialect.find(head, usual, reading.delimiter, is_all=is_all)
        self._head, self._is_all = head, is_all
        again: Callable[[], Iterable[str]] | None = None
        if is_all:
            again = partial_of(head)
        elif source.rereadable:
            again = partial_of(source)
        if again is not None:
            lines.close()
        above = self._lines_above()
        self._dialect = replace(self._dialect, skip=self._dialect.skip + above)
        self._width = self._find_width()
        scan = None if again is None else self._find_quotes(again)
        self._settle(reading)
        self.notes = (*self._repairs(usual, reading), *self._header.notes, *self._left_out(scan))
        self.names = [column for column in self._header.names if column]
        times = Counter(self.names)
        places = enumerate(self._header.names)
        self._places = {column: i for i, column in places if column and times[column] == 1}
        self.rows = self._rows(again() if again else itertools.chain(head, lines), again is None)

    def columns(self, rows: list[list[str]], names: Sequence[str] | None) -> dict[str, list[str]]:
        """The values of each column; `names` are by default those that are there once."""
        return {
            name: [row[self._places[name]] for row in rows]
            for name in (self._places if names is None else names)
        }

    def _sample(self) -> list[list[str]]:
        try:
            rows = [row for row in self._dialect.reader(self._lines_below(), strict=False) if row]
        except csv.Error as error:
            raise DataError(
                f"{self._name} is not a well-formed CSV: {error}; close the quotes of each text"
            ) from error
        return rows if self._is_all or len(rows) == 1 else rows[:-1]

    def _lines_below(self) -> list[str]:
        return self._head[self._dialect.skip :]

    def _lines_above(self) -> int:
        """How many lines of one cell, such as a title, are above what is surely a header."""
        below = self._lines_below()
        rows = (next(iter(self._parsed([line])), []) for line in below[: _MOST_ABOVE + 1])
        filled = (sum(bool(cell.strip()) for cell in row) for row in rows)
        place = next((place for place, cells in enumerate(filled) if cells > 1), 0)
        if (
            place == 0
            or not dialect.fit(below[place:], self._dialect.delimiter, is_all=self._is_all).fits
        ):
            return 0
        first, *others = self._parsed(below[place:])
        return place if header.judge(first, others[:-1]) else 0

    def _parsed(self, lines: list[str]) -> list[list[str]]:
        try:
            return list(filter(None, self._dialect.reader(lines, strict=False)))
        except csv.Error:
            return []

    def _find_width(self) -> int:
        """Columns of a row. R writes no name above the names of rows."""
        below = self._lines_below()
        if not any(cell.strip() for row in self._sample() for cell in row):
            is_empty = "is empty" if self._is_all else "begins with blank lines only"
            raise DataError(f"{self._name} {is_empty}; give a table with a header and rows")
        shape = dialect.fit(below, self._dialect.delimiter, is_all=self._is_all)
        self._has_row_names = False
        if shape.share < _FEW and shape.width < shape.usual_width:
            names = [row[0] for row in self._sample()[1:]]
            if (
                all(map(str.isdecimal, names))
                and 1 < shape.width == shape.usual_width - 1
                and shape.usual_share >= _NEARLY_ALL
            ):
                self._has_row_names = True
                return shape.usual_width
            if shape.usual_share >= dialect.CONSISTENT:
                raise DataError(
                    f"the first line of {self._name} has {counted(shape.width, 'column')}, but most others have "
                    f"{shape.usual_width}; delete lines above the header, or put texts that contain "
                    f"{self._dialect.word} in double quotes"
                )
        return shape.width

    def _find_quotes(self, again: Callable[[], Iterable[str]]) -> _Scan:
        """How quotes are used; reads the file once each way."""
        check = QuoteCheck(self._dialect.delimiter)
        try:
            scan = self._scan(again(), QUOTED, check)
            problem = _unclear(self._name)
            if self._dialect.delimiter == "," or not check.mostly_whole_rows:
                return scan
        except DataError as error:
            problem = error
        # In a table of one column any line is a row.
        for quotes in (ESCAPED, UNQUOTED) if self._width > 1 else ():
            check = QuoteCheck(self._dialect.delimiter)
            try:
                scan = self._scan(again(), quotes, check)
            except DataError:
                continue
            if not (check.mostly_whole_rows if quotes == ESCAPED else check.mostly_enclosed):
                self._dialect = replace(self._dialect, quotes=quotes)
                return scan
        raise problem

    def _scan(self, lines: Iterable[str], quotes: str, check: QuoteCheck) -> _Scan:
        scan = _Scan()
        numbered = self._numbered(lines, replace(self._dialect, quotes=quotes), check)
        first: list[str] | None = None
        for _, row in self._of_width(numbered):
            if first is None:
                first = row
                unnamed = [i for i, cell in enumerate(row) if not cell.strip()]
            elif _repeats(row, first):
                scan.repeats += 1
            else:
                scan.rows += 1
                scan.filled.update(i for i in unnamed if row[i].strip())
        return scan

    def _settle(self, reading: Reading) -> None:
        first, *others = [self._padded(row) for row in self._sample()] or [[]]
        self._first = first
        self._header = header.settle(first, others, reading, self._name)

    def _padded(self, row: list[str]) -> list[str]:
        return ["", *row] if self._has_row_names and len(row) < self._width else row

    def _rows(self, lines: Iterable[str], is_pipe: bool) -> Iterator[list[str]]:
        """All rows of data."""
        check = QuoteCheck(self._dialect.delimiter)
        numbered = self._of_width(self._numbered(lines, self._dialect, check, is_pipe=is_pipe))
        for place, (line, row) in enumerate(numbered):
            if place == 0:
                if not self._header.is_first_row:
                    yield row
            elif place <= self._header.described_in:
                continue
            elif not self._header.is_first_row or not _repeats(row, self._first):
                yield row
            elif is_pipe:
                raise DataError(
                    f"line {line:,} of {self._name} repeats the header; delete it, or give the file "
                    "itself, not a pipe"
                )

    def _of_width(
        self, numbered: Iterator[tuple[int, list[str]]]
    ) -> Iterator[tuple[int, list[str]]]:
        """Rows of equal width, the first one first."""
        unnamed_from = self._width
        for place, (line, row) in enumerate(numbered):
            if place == 0:
                row = self._padded(row)
                unnamed_from = min(unnamed_from, len(row))
                while unnamed_from and not row[unnamed_from - 1].strip():
                    unnamed_from -= 1
            if len(row) > self._width and not any(row[self._width :]):
                row = row[: self._width]  # spreadsheets append empty cells
            if unnamed_from <= len(row) < self._width:
                row = [*row, *[""] * (self._width - len(row))]
            if len(row) != self._width:
                remedy = (
                    f"put texts that contain {self._dialect.word} in double quotes"
                    if len(row) > self._width
                    else f"add the missing {self._dialect.word}"
                )
                if self._width == 1:
                    remedy += f", or name another delimiter with {DELIMITER}"
                raise DataError(
                    f"{self._name} is not a well-formed CSV: the row that begins in line {line:,} has "
                    f"{counted(len(row), 'column')}, the header {self._width}; {remedy}"
                )
            yield line, row

    def _numbered(
        self, lines: Iterable[str], kind: Dialect, check: QuoteCheck, *, is_pipe: bool = False
    ) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank, each with the line it begins in."""
        reader = kind.reader(itertools.islice(lines, kind.skip, None))
        begins = 1
        try:
            for row in reader:
                check.add(row, spans_lines=reader.line_num > begins)
                if is_pipe and kind.delimiter != "," and check.mostly_whole_rows:
                    raise _unclear(
                        f"{self._name} (from line {begins + kind.skip:,} on)",
                        "give the file itself, not a pipe, or ",
                    )
                if row and row != [_END_OF_FILE]:
                    yield begins + kind.skip, row
                begins = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{self._name} is not a well-formed CSV: {error} (the row that begins in line "
                f"{begins + kind.skip:,}); double the quotes within quoted texts"
            ) from error

    def _repairs(self, usual: str, reading: Reading) -> list[str]:
        notes = []
        if self._dialect.delimiter == dialect.WHOLE_LINES:
            notes.append(f"each line of {self._name} below the header is read as a text")
        elif self._dialect.delimiter != usual and reading.delimiter is None:
            notes.append(f"{self._name} is separated by {self._dialect.word}")
        if self._dialect.skip:
            lines = "1 line is" if self._dialect.skip == 1 else f"{self._dialect.skip} lines are"
            notes.append(f"{lines} skipped above the header of {self._name}")
        if note := _NOTES[self._dialect.quotes]:
            notes.append(note.format(name=self._name))
        return notes

    def _left_out(self, scan: _Scan | None) -> list[str]:
        """Columns without a name, and rows that repeat the header."""
        notes = []
        unnamed = [i for i, column in enumerate(self._header.names) if not column]
        empty = [] if scan is None else [i for i in unnamed if not scan.filled[i]]
        full = [i for i in unnamed if i not in empty]
        if empty:
            columns = counted(len(empty), "column")
            notes.append(f"{columns} of {self._name} without a name or values left out")
        if full:
            columns = counted(len(full), "column")
            values = max((scan.filled[i] for i in full), default=0) if scan else 0
            held = f" (values in {values:,} of {scan.rows:,} rows)" if scan else ""
            notes.append(f"{columns} of {self._name} without a name left out{held}")
        if scan and scan.repeats and self._header.is_first_row:
            rows = "1 row" if scan.repeats == 1 else f"{scan.repeats:,} rows"
            notes.append(f"{rows} of {self._name} that repeat the header left out")
        return notes


def partial_of(source: Input | list[str]) -> Callable[[], Iterable[str]]:
    """Gives all lines each time that it is called."""
    return (lambda: source) if isinstance(source, list) else (lambda: source.lines(""))


def _repeats(row: Sequence[str], first: Sequence[str]) -> bool:
    """A text may be the name of its only column by chance."""
    is_same = len(row) == len(first) and all(map(_is_same_name, row, first))
    return is_same and sum(1 for cell in first if cell.strip()) > 1


def _is_same_name(cell: str, other: str) -> bool:
    """Files that were joined may have a mark of byte order at each beginning."""
    return cell.strip().strip("\ufeff") == other.strip().strip("\ufeff")


def _unclear(name: str, remedy: str = "") -> DataError:
    return DataError(
        f"texts in double quotes enclose whole rows of {name}, so quotes may be part of the texts; "
        f"{remedy}quote every text that has some and double them, or write JSON lines"
    )
