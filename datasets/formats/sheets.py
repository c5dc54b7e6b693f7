"""Rows of an Excel file (.xlsx), as a person sees them in the first sheet."""

import datetime
import importlib.util
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from worthit.datasets.errors import DataError, OptionError, listed, one_line
from worthit.datasets.formats import header
from worthit.datasets.formats.files import Input, readable
from worthit.datasets.formats.reading import Reading

_SAMPLE_ROWS = 512
_NEEDED = "pip install 'worthit[xlsx]'"


class Sheet:
    """The first sheet of a workbook; formulas count as the values that Excel saved.

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
        sample = list(itertools.islice(self._cells(is_first=True), _SAMPLE_ROWS))
        if not sample:
            raise DataError(f"{name} is empty; give a table with a header and rows")
        self._width = max(map(len, sample))
        first, *others = [self._of_width(row) for row in sample]
        found = header.settle(first, others, reading, name)
        unnamed = sum(not column for column in found.names)
        left_out = f"{unnamed} column{'s' * (unnamed > 1)} of {name} without a name left out"
        self.notes += (*found.notes, *([left_out] if unnamed else []))
        self.names = [column for column in found.names if column]
        times = Counter(self.names)
        self._places = {n: i for i, n in enumerate(found.names) if n and times[n] == 1}
        rows = map(self._of_width, self._cells())
        self.rows = itertools.islice(rows, 1 if found.is_first_row else 0, None)

    def columns(self, rows: list[list[str]], names: Sequence[str] | None) -> dict[str, list[str]]:
        """The values of each column."""
        return {
            name: [row[self._places[name]] for row in rows]
            for name in (self._places if names is None else names)
        }

    def _of_width(self, row: list[str]) -> list[str]:
        return [*row, *[""] * (self._width - len(row))][: self._width]

    def _cells(self, *, is_first: bool = False) -> Iterator[list[str]]:
        import openpyxl

        with self._source.open() as unpacked, readable(self._source.path):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of styles and extensions
                    book = openpyxl.load_workbook(unpacked.stream, read_only=True, data_only=True)
                if not book.worksheets:
                    raise DataError(f"{self._name} holds no sheet of cells; save the table as CSV")
                sheet = book.worksheets[0]
                if is_first and len(book.worksheets) > 1:
                    others = listed([other.title for other in book.worksheets[1:]])
                    self.notes += (
                        f"{self._name}: the sheet {sheet.title} is read, not {others}; save another as CSV",
                    )
                sheet.reset_dimensions()  # some writers save wrong ones
                for row in sheet.iter_rows():
                    cells = [as_seen(cell) for cell in row]
                    while cells and not cells[-1]:
                        cells.pop()
                    if cells:
                        yield cells
            except (KeyError, ValueError, TypeError, AttributeError, SyntaxError) as error:
                raise DataError(
                    f"{self._name} cannot be read as an Excel file ({one_line(error)}); save it again, or "
                    "as CSV"
                ) from error


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
    return str(value)


def _number(value: float, form: str) -> str:
    if re.fullmatch(r"0+", form) and float(value).is_integer():
        return f"{value:.0f}".zfill(len(form))
    if fixed := re.fullmatch(r"(?:0|#,##0)(?:\.(0+))?(%?)", form):
        comma = "," if form.startswith("#") else ""
        scaled = value * 100 if fixed[2] else value
        return f"{scaled:{comma}.{len(fixed[1] or '')}f}{fixed[2]}"
    return f"{value:.15g}"
