"""Folders with one file per class, such as Fake.csv and True.csv, or rt-polarity.pos and rt-polarity.neg.

The files are tables of the same columns without a label, or hold one text in each line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import DataError, listed
from worthit.datasets.formats import dialect, formats, whole
from worthit.datasets.formats.files import PACKED, Input
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.stream import open_table
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.tables import label_column, positive

_MOST_CLASSES = 100
_LABEL = "label"
#: suffixes that are classes, of files with one text in each line
CLASS_SUFFIXES = (".pos", ".neg")
_OF_LINES = (".txt", "", *CLASS_SUFFIXES)


@dataclass(frozen=True)
class ClassFiles:
    """Files of one class each."""

    labels: dict[Path, str]

    @property
    def are_tables(self) -> bool:
        """False if each line of a file is a text."""
        return not all(map(_is_of_lines, self.labels))


def find(files: Sequence[Path], reading: Reading) -> ClassFiles | None:
    """The class of each file, if its name tells it and no column could.

    Args:
        files: all files of a folder; tables, or texts in lines.
    """
    labels = _names(files)
    if labels is None:
        return None
    if all(map(_is_of_lines, files)):
        return ClassFiles(labels)
    if any(map(_is_of_lines, files)):
        return None
    are_known = any(positive.is_known(label.casefold()) for label in labels.values())
    if any(has_label(file, reading, by_values=not are_known) for file in files):
        return None
    return ClassFiles(labels)


def has_label(file: Path, reading: Reading, *, by_values: bool) -> bool:
    """True if a column of a table could be its label; see `label_column.could_be_one`."""
    with Input(file, encoding=reading.encoding) as source:
        table = open_table(source, reading=reading)
        head = whole.of_chunk(table.name, table.head(), table.unusable)
    return label_column.could_be_one(head, by_values=by_values)


def _names(files: Sequence[Path]) -> dict[Path, str] | None:
    """What the names of the files do not share; None if these are hardly classes."""
    words = [_words(file) for file in files]
    if not 2 <= len(files) <= _MOST_CLASSES or len({len(of_file) for of_file in words}) != 1:
        return None
    different = [
        place for place, of_all in enumerate(zip(*words, strict=True)) if len({*of_all}) > 1
    ]
    labels = [" ".join(of_file[place] for place in different) for of_file in words]
    if len({*labels}) < len(files) or any(
        re.search(r"\d|^(part|chunk|batch)?.?$", label) for label in labels
    ):
        return None
    return dict(zip(files, labels, strict=True))


def _words(file: Path) -> list[str]:
    name = file.stem if file.suffix.lower() in PACKED else file.name
    bare = name if Path(name).suffix.lower() in CLASS_SUFFIXES else Path(name).stem
    return re.findall(r"[^\W_]+", bare)


def _is_of_lines(file: Path) -> bool:
    """True for a file of one text in each line."""
    if file.suffix.lower() not in _OF_LINES:
        return False
    with Input(file, encoding="latin-1") as source:  # letters do not matter here
        lines = source.lines("")
        sample, is_all = dialect.sample(lines)
        lines.close()
    return formats.by_content(sample, is_all=is_all) is None


def read(name: str, found: ClassFiles, reading: Reading) -> StringTable:
    """All rows, with the class of their file in the column `label`.

    Args:
        name: of the folder.

    Raises:
        DataError: a file cannot be read.
    """
    tables = []
    notes: list[str] = []
    for file, label in found.labels.items():
        rows = (
            StringTable(file.name, lines_of(file, reading))
            if _is_of_lines(file)
            else whole.read(file, reading=reading)
        )
        if _LABEL in rows.table.column_names:
            raise DataError(
                f"{file.name} has a column {_LABEL}, but other files of {name} do not; add or omit it"
            )
        notes += rows.notes
        labels = pa.array([label] * rows.table.num_rows, pa.string())
        tables.append(rows.table.append_column(_LABEL, labels))
    line = f"each file of {name} is read as a class: {listed([*found.labels.values()])}"
    table = pa.concat_tables(tables, promote_options="default")
    return StringTable(name, table, notes=(line, *dict.fromkeys(notes)))


def lines_of(file: Path, reading: Reading) -> pa.Table:
    """The lines of a file in the column `text`."""
    with Input(file, in_memory=True, encoding=reading.encoding) as source:
        lines = [line.strip() for line in source.lines("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return pa.table({"text": pa.array(lines, pa.string())})
