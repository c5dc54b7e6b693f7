"""Rows of CSV and TSV (RFC 4180) with a header; other delimiters are found in the header."""

import csv
import io
import itertools
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

from worthit.datasets.errors import DataError
from worthit.datasets.tables.files import Input

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LONGEST_NAME = 100
_LONGEST_HEADER = 100_000
# Beyond it, a quote that is never closed would read the rest of the input as one text.
_LONGEST_FIELD = 1 << 26
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class _SpanningRows:
    """Counts the rows of a TSV that span several lines, to decide whether quotes enclose texts.

    Many TSV files are written without quoting. A text that begins with a quote then seems to go on until
    another text ends with one. All rows between are read as one, and a parser reports no error.

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


class Delimited:
    """A table in CSV or TSV.

    Attributes:
        header: the names of the columns, without outer white space.
        rows: the others, each as wide as the header; blank lines are skipped.
        notes: a line on each repair.

    Raises:
        DataError: a row is malformed; names its line.
    """

    def __init__(self, source: Input, name: str, usual: str) -> None:
        self._name, self._is_pipe = name, not source.rereadable
        self.notes: tuple[str, ...] = ()
        csv.field_size_limit(_LONGEST_FIELD)
        lines = source.lines("")
        head = _first_row(lines)
        self._delimiter = _delimiter(head, usual)
        if self._delimiter != usual:
            self.notes += (f"{name} is separated by {_DELIMITERS[self._delimiter]}",)
        if self._is_pipe:
            spanning = _SpanningRows() if self._delimiter == "\t" else None
            rows = self._rows(itertools.chain(head, lines), spanning=spanning)
        else:
            lines.close()
            rows = self._rows(source.lines(""), is_quoted=self._is_quoted(source))
        self.header, self.rows = next(rows), rows
        times = Counter(self.header)
        self._places = {name: i for i, name in enumerate(self.header) if times[name] == 1}

    def columns(self, rows: list[list[str]], names: Sequence[str] | None) -> dict[str, list[str]]:
        """The values of each column; `names` are by default those that are there once."""
        return {
            name: [row[self._places[name]] for row in rows]
            for name in (self._places if names is None else names)
        }

    def _is_quoted(self, source: Input) -> bool:
        """True if quotes enclose texts. Reads a TSV whole, at most once each way."""
        if self._delimiter != "\t":
            return True
        spanning, problem = _SpanningRows(), None
        try:
            _read_all(self._rows(source.lines(""), spanning=spanning))
        except DataError:
            pass
        else:
            if not spanning.mostly_whole_rows:
                return True
            problem = _unclear(self._name)
        try:
            _read_all(self._rows(source.lines(""), is_quoted=False))
        except DataError as error:
            if problem is None:
                raise
            raise problem from error
        self.notes += (f"quotes in {self._name} are read as part of the texts",)
        return False

    def _rows(
        self,
        lines: Iterable[str],
        *,
        is_quoted: bool = True,
        spanning: _SpanningRows | None = None,
    ) -> Iterator[list[str]]:
        """The header, then all other rows."""
        rows = self._numbered(lines, is_quoted, spanning)
        header = [cell.strip() for cell in next(rows, (1, []))[1]]
        if not any(header) and next(rows, None) is None:
            raise DataError(f"{self._name} is empty; give a table with a header and rows")
        self._require_names(header)
        yield header
        width = len(header)
        for line, row in rows:
            if len(row) > width and not any(row[width:]):
                row = row[:width]  # spreadsheets append empty cells
            if len(row) != width:
                raise DataError(
                    f"{self._name} is not a well-formed CSV: the row that begins in line {line:,} has "
                    f"{len(row)} columns, the header {width}; put texts that contain "
                    f"{_DELIMITERS[self._delimiter]} in double quotes"
                )
            yield row

    def _numbered(
        self, lines: Iterable[str], is_quoted: bool, spanning: _SpanningRows | None
    ) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not blank, each with the line it begins in."""
        reader = csv.reader(
            lines,
            delimiter=self._delimiter,
            quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
            strict=True,
        )
        begins = 1
        try:
            for row in reader:
                if spanning is not None and reader.line_num > begins:
                    spanning.add(row)
                    if self._is_pipe and spanning.mostly_whole_rows:
                        raise _unclear(
                            f"{self._name} (from line {begins:,} on)",
                            "give the file itself, not a pipe, or ",
                        )
                if row:
                    yield begins, row
                begins = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{self._name} is not a well-formed CSV: {error} (the row that begins in line "
                f"{begins:,}); double the quotes within quoted texts"
            ) from error

    def _require_names(self, header: list[str]) -> None:
        named = [cell for cell in header if cell]
        if not named or any(len(cell) > _LONGEST_NAME or _is_number(cell) for cell in named):
            raise DataError(
                f"{self._name} has no header: its first line holds values, not column names; add one"
            )


def _unclear(name: str, remedy: str = "") -> DataError:
    return DataError(
        f"texts in double quotes enclose whole rows of {name}, so quotes may be part of the texts; "
        f"{remedy}quote every text that has some and double them, or write JSON lines"
    )


def _read_all(rows: Iterator[object]) -> None:
    deque(rows, maxlen=0)


def _first_row(lines: Iterator[str]) -> list[str]:
    head: list[str] = []
    quotes = characters = 0
    for line in lines:
        head.append(line)
        quotes, characters = quotes + line.count('"'), characters + len(line)
        is_whole = line.strip() and quotes % 2 == 0
        if is_whole or characters > _LONGEST_HEADER:
            break
    return head


def _delimiter(head: list[str], usual: str) -> str:
    """The delimiter that splits the header into most columns; the usual one on a tie."""
    text = "".join(head)[:_LONGEST_HEADER].lstrip("\r\n")

    def columns(delimiter: str) -> int:
        return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []))

    return max((usual, *_DELIMITERS), key=columns)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
