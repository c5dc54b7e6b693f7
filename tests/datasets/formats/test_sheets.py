"""datasets/formats/sheets.py: Excel files, read as a person sees them."""

import datetime
import importlib.util
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.formats import whole
from worthit.datasets.formats.files import Input
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.stream import open_table

_TOLD = "mine.xlsx: the sheet Data is read, not Notes (--sheet names another)"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Two sheets; the first has numbers, dates and percentages."""
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.title = "Data"
    sheet.append(["text", "label", "day", "code", "share", "price", "none"])
    for i in range(4):
        day = datetime.date(2024, 1, 1 + i)
        sheet.append([f"a note, {i}", i % 2 == 0, day, 7 + i, 0.5, 1234.5, None])
        for column, form in ((4, "00000"), (5, "0%"), (6, "#,##0.00")):
            sheet.cell(i + 2, column).number_format = form
    workbook.create_sheet("Notes").append(["not this"])
    workbook.save(tmp_path / "mine.xlsx")
    return tmp_path / "mine.xlsx"


def test_the_first_sheet_is_read_as_a_person_sees_it(book: Path) -> None:
    found = whole.read(book)
    assert found.notes == (_TOLD,)
    assert found.table.slice(0, 2).to_pylist() == [
        {"text": "a note, 0", "label": "TRUE", "day": "2024-01-01", "code": "00007", "share": "50%",
         "price": "1,234.50", "none": ""},
        {"text": "a note, 1", "label": "FALSE", "day": "2024-01-02", "code": "00008", "share": "50%",
         "price": "1,234.50", "none": ""},
    ]  # fmt: skip


def test_an_excel_file_by_another_name_or_in_a_zip_is_recognized(book: Path) -> None:
    other = book.with_name("mine.csv")
    other.write_bytes(book.read_bytes())
    packed = book.with_name("mine.zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(book, book.name)
    assert whole.read(other).table == whole.read(packed).table == whole.read(book).table
    assert whole.read(other).notes[0] == "mine.csv is read as an Excel file, by its content"


def test_a_sheet_without_a_header_needs_names(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    for i in range(6):
        sheet.append([f"a longer note of some words {i}", "up" if i % 2 else "down"])
    workbook.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"^a.xlsx has no header: .* give --columns text,label "):
        whole.read(tmp_path / "a.xlsx")
    found = whole.read(tmp_path / "a.xlsx", reading=Reading(columns=("text", "label")))
    assert found.table.num_rows == 6


def a_book(path: Path, **sheets: list[list[Any]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


TABLE = [["text", "label"], *([f"a note {i}", "up"] for i in range(30))]
BEFORE: dict[str, list[list[str]]] = {
    "nothing": [],
    "a readme": [["Comments of May"], [], ["Made by me; see the next sheet."]],
    "a legend": [["column", "meaning"], ["text", "the comment"], ["label", "its class"]],
}


@pytest.mark.parametrize("what", BEFORE)
def test_a_sheet_without_a_table_is_passed_over(what: str, tmp_path: Path) -> None:
    path = a_book(tmp_path / "a.xlsx", First=BEFORE[what], Data=TABLE, Old=TABLE[:20])
    found = whole.read(path)
    assert found.table.num_rows == 30
    assert found.notes == (
        "a.xlsx: the sheet Data is read, not First, Old (--sheet names another)",
    )
    old = whole.read(path, reading=Reading(sheet="Old"))
    assert (old.table.num_rows, old.notes) == (19, ())


def test_a_hidden_sheet_is_read_only_if_it_is_named(tmp_path: Path) -> None:
    path = a_book(tmp_path / "a.xlsx", Lists=TABLE[:20], Data=TABLE)
    book = openpyxl.load_workbook(path)
    book["Lists"].sheet_state = "hidden"
    book.save(path)
    assert whole.read(path).table.num_rows == 30
    assert whole.read(path, reading=Reading(sheet="Lists")).table.num_rows == 19


def test_options_that_do_not_fit_a_file_are_refused(book: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        whole.read(book, reading=Reading(sheet="Other"))
    assert str(caught.value) == (
        "mine.xlsx has no sheet 'Other'; name one of Data, Notes with --sheet"
    )
    with pytest.raises(DataError) as caught:
        whole.read(book, reading=Reading(delimiter=";"))
    assert str(caught.value) == (
        "--delimiter is for CSV and its relatives, which mine.xlsx is not; omit it"
    )
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError) as caught:
        whole.read(tmp_path / "a.csv", reading=Reading(sheet="Data"))
    assert str(caught.value) == "--sheet is for Excel files, which a.csv is not; omit it"


def test_an_excel_file_needs_its_extra(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError) as caught:
        whole.read(book)
    assert str(caught.value) == (
        "mine.xlsx is an Excel file; pip install 'worthit[xlsx]', or save the sheet as CSV"
    )


@pytest.mark.parametrize(
    ("member", "line"),
    [
        ("word/document.xml", "a.xlsx is a Word document, which cannot be read; open it and save the table "
                              "as .xlsx or CSV"),
        ("content.xml", "a.xlsx is an OpenDocument file, which cannot be read; open it and save the table "
                        "as .xlsx or CSV"),
        ("else", "a.xlsx is not an Excel file or is damaged; save it again"),
        ("xl/workbook.xml", "a.xlsx cannot be read as an Excel file ("),
    ],
)  # fmt: skip
def test_another_document_or_a_damaged_one_is_refused(
    member: str, line: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr(member, "<x/>")
    with pytest.raises(DataError) as caught:
        whole.read(tmp_path / "a.xlsx")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_rows_above_the_header_are_skipped(tmp_path: Path) -> None:
    path = a_book(tmp_path / "a.xlsx", Data=[["Comments of May"], [], ["by me"], *TABLE])
    found = whole.read(path)
    assert found.table["text"].to_pylist() == [row[0] for row in TABLE[1:]]
    assert found.notes == ("2 rows above the header of a.xlsx skipped",)


class Pipe(io.BytesIO):
    """Bytes that are read once."""

    def seekable(self) -> bool:
        return False


def test_a_pipe_is_refused(book: Path) -> None:
    with pytest.raises(OptionError) as caught:
        open_table(Input(Path("stdin"), io.BufferedReader(Pipe(book.read_bytes()))), "csv")
    assert str(caught.value) == "an Excel file cannot be read from a pipe; give the file as INPUT"


def test_rows_of_qualtrics_below_the_header_are_skipped(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    for row in (
        ("Q1", "Q2"),
        ("What was it?", "How?"),
        ('{"ImportId":"QID1"}', '{"ImportId":"QID2"}'),
    ):
        sheet.append(row)
    for i in range(6):
        sheet.append([f"a longer note of some words {i}", "up" if i % 2 else "down"])
    workbook.save(tmp_path / "a.xlsx")
    assert whole.read(tmp_path / "a.xlsx").table["Q2"].to_pylist() == ["down", "up"] * 3


def test_a_workbook_without_its_texts_is_refused(book: Path, tmp_path: Path) -> None:
    """Its cells name texts of a list that is not there."""
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, re.sub(rb't="inlineStr"><is>.*?</is>', b't="s"><v>0</v>', content))
    with pytest.raises(DataError, match=r"^a\.xlsx cannot be read as an Excel file \(list index"):
        whole.read(tmp_path / "a.xlsx")


def test_a_date_that_there_is_not_is_an_error_value_without_a_warning(tmp_path: Path) -> None:
    rows = [[f"a note {i}", "up" if i % 2 else "down", 1e10] for i in range(6)]
    path = a_book(tmp_path / "a.xlsx", Data=[["text", "label", "day"], *rows])
    book = openpyxl.load_workbook(path)
    for row in range(2, 8):
        book["Data"].cell(row, 3).number_format = "yyyy-mm-dd"
    book.save(path)
    assert whole.read(path).table["day"].to_pylist() == ["#VALUE!"] * 6


def test_line_breaks_that_a_workbook_escapes_are_line_breaks(tmp_path: Path) -> None:
    rows = [[f"one_x000D_\ntwo {i}", "up" if i % 2 else "down"] for i in range(6)]
    path = a_book(tmp_path / "a.xlsx", Data=[["text", "label"], *rows])
    assert whole.read(path).table["text"].to_pylist() == [f"one\r\ntwo {i}" for i in range(6)]
