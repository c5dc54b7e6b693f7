"""A user's table, from a file or a folder. Nothing is downloaded, and nothing leaves the machine.

In a folder, either all files, or the folders they are in, are named after a side of the split, such as
train.csv and test.csv; or none is, and all are read as one table. Or each file is a text, in a folder
named after its class; or a class, such as Fake.csv and True.csv; or the texts and their labels are in two
files. The sheets of an Excel file may be named after sides, too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from worthit.datasets.cache import short_hash
from worthit.datasets.errors import DataError
from worthit.datasets.formats import files, formats, sheets, stream, whole
from worthit.datasets.formats.reading import SHEET, Reading
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.registry import Source
from worthit.datasets.tables import assemble, class_files, paired_files, text_folders
from worthit.datasets.tables.assemble import Piece
from worthit.datasets.tables.class_files import ClassFiles
from worthit.datasets.tables.columns import Choices, side_in
from worthit.datasets.tables.paired_files import PairedFiles
from worthit.datasets.tables.text_folders import TextFile

_MOST_FILES = 1_000
_NOT_DATA = re.compile(r"read.?me|licen[sc]e|requirements|notes?\b|changelog", re.IGNORECASE)


@dataclass(frozen=True)
class _SideSheet:
    """A sheet of an Excel file that is named after a side of the split."""

    file: Path
    title: str
    side: str


#: a table, a sheet, files of one text each or of one class each, or a file of texts and one of their labels
_Content = Path | _SideSheet | tuple[TextFile, ...] | ClassFiles | PairedFiles
_Sided = tuple[str | None, _Content]


def source(argument: str, choices: Choices) -> Source:
    path = Path(argument).expanduser()
    with files.readable(path):
        if path.is_dir():
            path = path.resolve()
            if any((path / name).exists() for name in ("dataset_dict.json", "state.json")):
                from worthit.datasets.sources import hub  # saved by Hugging Face's `datasets`

                return hub.saved(path, choices)
        else:
            path = files.existing(path)
    return Source(
        "table",
        path.name,
        "the user's data",
        fingerprint=partial(_fingerprint, path, choices),
        read=partial(_read, path, choices),
        own=True,
    )


def _fingerprint(path: Path, choices: Choices) -> str:
    hashes = (f"{side}:{_identity(content)}" for side, content in _files(path, choices))
    return "; ".join((assemble.VERSION, *hashes, json.dumps(choices.settings())))


def _read(path: Path, choices: Choices) -> pa.Table:
    sided = _files(path, choices)
    if choices.test_file is None and not any(_has_table(content) for _, content in sided):
        stream.require_as_found(path.name, choices.reading)
    given = [content.name for _, content in sided if isinstance(content, Path)]
    readings = [_reading(content, given, choices.reading) for _, content in sided]
    pieces = [
        Piece(_rows(content, path, reading), side)
        for (side, content), reading in zip(sided, readings, strict=True)
    ]
    return assemble.corpus_of(pieces, choices)


def _reading(content: _Content, given: Sequence[str], reading: Reading) -> Reading:
    """How a file is read, without the options that only another of the given files can need."""
    kind = formats.format_of(content.name) if isinstance(content, Path) else None
    if kind is None:
        return reading
    kinds = {formats.format_of(name) for name in given}
    needed_by = {"delimiter": {*formats.DELIMITERS}, "sheet": {"xlsx"}}
    needed_by["columns"] = needed_by["delimiter"] | needed_by["sheet"]
    unneeded = (name for name, forms in needed_by.items() if kind not in forms and kinds & forms)
    absent: dict[str, Any] = dict.fromkeys(unneeded)
    return replace(reading, **absent)


def _has_table(content: _Content) -> bool:
    """False for files of texts, or of lines that are texts or labels."""
    if isinstance(content, ClassFiles):
        return content.are_tables
    if isinstance(content, PairedFiles):
        return content.have_a_table
    return not isinstance(content, tuple)


def _identity(content: _Content) -> str:
    if isinstance(content, Path):
        return f"{content.name}:{files.sha256(content)}"
    if isinstance(content, _SideSheet):
        return short_hash(content.title, files.sha256(content.file))
    if isinstance(content, ClassFiles):
        return short_hash(*(f"{label}:{files.sha256(f)}" for f, label in content.labels.items()))
    if isinstance(content, PairedFiles):
        return short_hash(*map(files.sha256, content.files))
    return short_hash(*(f"{text.label}:{files.sha256(text.path)}" for text in content))


def _rows(content: _Content, given: Path, reading: Reading) -> StringTable:
    if isinstance(content, Path):
        return whole.read(content, reading=reading)
    if isinstance(content, _SideSheet):
        return _of_sheet(content, reading)
    if isinstance(content, ClassFiles):
        return class_files.read(given.name, content, reading)
    if isinstance(content, PairedFiles):
        return paired_files.read(content, reading)
    return text_folders.read(given.name, content, reading)


def _files(path: Path, choices: Choices) -> list[_Sided]:
    """What there is to read, and its side of the split."""
    sided: list[_Sided] = (
        _in_folder(path, choices)
        if path.is_dir()
        else [*_side_sheets(path, choices)] or [(None, path)]
    )
    if choices.test_file is None:
        return sided
    if any(side == "test" for side, _ in sided):
        raise DataError(
            f"{path.name} already has a test side; omit --test-file, or give the training file itself"
        )
    train = [(side or "train", file) for side, file in sided]
    return [*train, ("test", files.existing(choices.test_file))]


def _side_sheets(path: Path, choices: Choices) -> list[_Sided]:
    """The sheets of the sides of a split, if an Excel file has some for training and for testing; else none."""
    is_one_table = choices.sheet or choices.split_column or choices.test_file
    if is_one_table or formats.format_of(path.name) != "xlsx":
        return []
    sided = [(side, title) for title in sheets.titles(path) if (side := side_in([title]))]
    if not {"train", "test"} <= {side for side, _ in sided}:
        return []
    return [(side, _SideSheet(path, title, side)) for side, title in sided]


def _of_sheet(sheet: _SideSheet, reading: Reading) -> StringTable:
    found = whole.read(sheet.file, reading=replace(reading, sheet=sheet.title))
    note = f"the sheet {sheet.title} of {found.name} is the {sheet.side} side ({SHEET} reads one sheet)"
    return replace(found, name=f"{found.name} (sheet {sheet.title})", notes=(note, *found.notes))


def _in_folder(folder: Path, choices: Choices) -> list[_Sided]:
    with files.readable(folder):
        present = sorted(file for file in folder.rglob("*") if _is_visible(file, folder))
    if pairs := paired_files.find(folder, present, choices.reading):
        return [*pairs]
    tables = sorted(file for file in present if _is_table(file))
    if all(file.suffix.lower() == ".txt" for file in tables) and (found := _texts(folder, present)):
        return found
    if not tables:
        tables = [file for file in present if file.suffix.lower() in class_files.CLASS_SUFFIXES]
    if not tables:  # else a .txt is more likely a licence or a note
        tables = sorted(file for file in present if _is_text(file))
    if not tables or len(tables) > _MOST_FILES:
        content = f"{len(tables):,} tables" if tables else "no table"
        raise DataError(
            f"the folder {folder} holds {content} ({', '.join(formats.SUFFIXES)}); give a file, or a "
            "folder with a few"
        )
    sided = [(side_in(file.relative_to(folder).parts), file) for file in tables]
    without = [file for side, file in sided if side is None]
    if without and len(without) < len(tables):
        raise DataError(
            f"the folder {folder} holds {without[0].name}, whose name says neither train nor test, while "
            "others do; move it, or give one file (and --test-file)"
        )
    _require_one_kind(folder, sided)
    if len(without) > 1 and choices.label_column is None:
        by_class = class_files.find(without, choices.reading)
        return [(None, by_class)] if by_class else [*sided]
    return [*sided]


def _texts(folder: Path, present: Sequence[Path]) -> list[_Sided]:
    """The texts of each side, if each file holds one; else none."""
    texts = text_folders.find(folder, sorted(present))
    sides = dict.fromkeys(text.side for text in texts)
    return [(side, tuple(text for text in texts if text.side == side)) for side in sides]


def _require_one_kind(folder: Path, sided: Sequence[tuple[str | None, Path]]) -> None:
    """The same rows are often saved in several formats; read together, all would be duplicates."""
    first: dict[str | None, Path] = {}
    for side, file in sided:
        other = first.setdefault(side, file)
        if _kind(other) != _kind(file):
            of_side = f" for the {side} side" if side else ""
            raise DataError(
                f"the folder {folder} holds {other.name} and {file.name}{of_side}, which are of different "
                "formats; give one of them, or move the others"
            )


def _is_visible(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    return file.is_file() and not any(part.startswith((".", "~$")) for part in parts)


def _bare(file: Path) -> Path:
    return Path(file.stem) if file.suffix.lower() in files.PACKED else file


def _kind(file: Path) -> str | None:
    return formats.format_of(_bare(file).name)


def _is_table(file: Path) -> bool:
    """True by its suffix; a .txt must also be named after a side."""
    if _bare(file).suffix.lower() == ".txt":
        return side_in([file.name]) is not None
    return _kind(file) is not None


def _is_text(file: Path) -> bool:
    return _bare(file).suffix.lower() == ".txt" and _NOT_DATA.search(file.name) is None
