"""Rows of an Excel file (.xlsx), as a person sees them in the first sheet that holds a table."""

import datetime
import importlib.util
import itertools
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from worthit.datasets.errors import DataError, OptionError, counted, listed, one_line
from worthit.datasets.formats import header
from worthit.datasets.formats.files import Input, readable
from worthit.datasets.formats.reading import SHEET, Reading

_Rows = list[list[str]]
_SAMPLE_ROWS = 512
_MOST_ABOVE = 10  # rows above a header
_SHORT = 10  # times fewer rows than another sheet: rather a legend
_CONTROL = re.compile(r"_x00([01][0-9A-Fa-f])_")  # a line break is `_x000D_` (ECMA-376, ST_Xstring)
_NEEDED = "pip install 'worthit[xlsx]'"


def titles(path: Path) -> list[str]:
    """The titles of the sheets that a person sees; none without openpyxl, or of another kind of file.

    Raises:
        DataError: the file cannot be read.
    """
    if importlib.util.find_spec("openpyxl") is None or not zipfile.is_zipfile(path):
        return []
    with Input(path, in_memory=True) as source, _opened(source, path.name) as book:
        return [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]


class Sheet:
    """A sheet of a workbook; formulas count as the values that Excel saved.

    It is the one that the user named, or the first visible one that holds a table. A readme may come first.

    Attributes:
        names: of the columns; those without a name are left out.
        rows: each as wide as the table, texts; empty rows are skipped.
        notes: a line on each decision.

    Raises:
        DataError: it cannot be read.
        OptionError: it is a pipe.
    """

    def __init__(self, source: Input, name: str, reading: Reading) -> None:
        if not source.rereadable:
            raise OptionError("an Excel file cannot be read from a pipe; give the file as INPUT")
        if importlib.util.find_spec("openpyxl") is None:
            raise DataError(f"{name} is an Excel file; {_NEEDED}, or save the sheet as CSV")
        self._source, self._name = source, name
        self.notes: tuple[str, ...] = ()
        self._title, sample = self._choose(reading.sheet)
        if not sample:
            raise DataError(f"{name} is empty; give a table with a header and rows")
        self._skip = _lines_above(sample)
        if self._skip:
            self.notes += (f"{counted(self._skip, 'row')} above the header of {name} skipped",)
        sample = sample[self._skip :]
        self._width = max(map(len, sample))
        first, *others = [self._of_width(row) for row in sample]
        found = header.settle(first, others, reading, name)
        unnamed = sum(not column for column in found.names)
        left_out = f"{unnamed} column{'s' * (unnamed > 1)} of {name} without a name left out"
        self.notes += (*found.notes, *([left_out] if unnamed else []))
        self.names = [column for column in found.names if column]
        times = Counter(self.names)
        self._places = {n: i for i, n in enumerate(found.names) if n and times[n] == 1}
        rows = map(self._of_width, self._all_rows())
        self.rows = itertools.islice(
            rows, self._skip + found.is_first_row + found.described_in, None
        )

    def columns(self, rows: list[list[str]], names: Sequence[str] | None) -> dict[str, list[str]]:
        """The values of each column."""
        return {
            name: [row[self._places[name]] for row in rows]
            for name in (self._places if names is None else names)
        }

    def _of_width(self, row: list[str]) -> list[str]:
        return [*row, *[""] * (self._width - len(row))][: self._width]

    def _choose(self, given: str | None) -> tuple[str, _Rows]:
        """The title of the sheet to read, and its first rows."""
        with _opened(self._source, self._name) as book:
            titles = [sheet.title for sheet in book.worksheets]
            if not titles:
                raise DataError(f"{self._name} holds no sheet of cells; save the table as CSV")
            if given is not None and given not in titles:
                raise DataError(
                    f"{self._name} has no sheet {given!r}; name one of {listed(titles)} with {SHEET}"
                )
            wanted = [
                sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"
            ] or titles
            wanted = [given] if given is not None else wanted
            samples = {
                title: list(itertools.islice(_cells(book[title]), _SAMPLE_ROWS)) for title in wanted
            }
        most = max(map(len, samples.values()))
        tables = [title for title in wanted if _is_table(samples[title], most)]
        filled = [title for title in wanted if samples[title]]
        title = next(iter([*tables, *filled, *wanted]))
        if given is None and len(titles) > 1:
            others = listed([other for other in titles if other != title])
            self.notes += (
                f"{self._name}: the sheet {title} is read, not {others} ({SHEET} names another)",
            )
        return title, samples[title]

    def _all_rows(self) -> Iterator[list[str]]:
        with _opened(self._source, self._name) as book:
            yield from _cells(book[self._title])


@contextmanager
def _opened(source: Input, name: str) -> Iterator[Any]:
    """A workbook of openpyxl."""
    import openpyxl

    with source.open() as unpacked, readable(source.path):
        try:
            # Of styles and extensions, and, while rows are read, of dates that there are not.
            warnings.filterwarnings("ignore", module="openpyxl")
            book = openpyxl.load_workbook(unpacked.stream, read_only=True, data_only=True)
            yield book
        except (LookupError, ValueError, TypeError, AttributeError, SyntaxError) as error:
            raise DataError(
                f"{name} cannot be read as an Excel file ({one_line(error)}); save it again, or as CSV"
            ) from error


def _lines_above(rows: _Rows) -> int:
    """How many rows of one cell, such as a title, are above a table of several columns."""
    widths = [sum(map(bool, row)) for row in rows]
    above = next((i for i, width in enumerate(widths) if width > 1), 0)
    return above if above <= _MOST_ABOVE and median(widths[above:]) > 1 else 0


def _is_table(rows: _Rows, most: int) -> bool:
    """True for rows of several columns, if no other sheet has far more rows.

    Args:
        most: the rows of the longest sheet.
    """
    widths = [sum(map(bool, row)) for row in rows]
    return len(rows) > 1 and _SHORT * len(rows) >= most and median(widths) > 1


def _cells(sheet: Any) -> Iterator[list[str]]:
    """Rows with values; empty cells at their end are left out."""
    sheet.reset_dimensions()  # some writers save wrong ones
    for row in sheet.iter_rows():
        cells = [as_seen(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def as_seen(cell: Any) -> str:
    """The text of a cell, about as Excel shows it; dates as ISO 8601."""
    value, form = cell.value, str(getattr(cell, "number_format", None) or "General")
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        has_time = value.time() != datetime.time() or "h" in form.lower()
        return value.isoformat(" ", "seconds") if has_time else value.date().isoformat()
    if isinstance(value, int | float):
        return _number(value, form)
    return _CONTROL.sub(lambda code: chr(int(code[1], 16)), str(value))


def _number(value: float, form: str) -> str:
    if re.fullmatch(r"0+", form) and float(value).is_integer():
        return f"{value:.0f}".zfill(len(form))
    if fixed := re.fullmatch(r"(?:0|#,##0)(?:\.(0+))?(%?)", form):
        comma = "," if form.startswith("#") else ""
        scaled = value * 100 if fixed[2] else value
        return f"{scaled:{comma}.{len(fixed[1] or '')}f}{fixed[2]}"
    return f"{value:.15g}"
