"""Folders with texts and labels in two files, line by line or row by row.

TweetEval has train_text.txt, train_labels.txt and mapping.txt, SNIPS has train/seq.in and train/label,
others have X_train.csv and y_train.csv.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import DataError
from worthit.datasets.formats import formats, whole
from worthit.datasets.formats.reading import Reading
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.tables import class_files
from worthit.datasets.tables.class_files import lines_of
from worthit.datasets.tables.columns import side_in

_TEXTS = (
    "text",
    "texts",
    "x",
    "data",
    "sentences",
    "tweets",
    "comments",
    "documents",
    "inputs",
    "seq",
)
_LABELS = ("label", "labels", "y", "target", "targets")
_MAPPINGS = ("mapping.txt", "label_names.txt", "classes.txt", "labels_names.txt")


@dataclass(frozen=True)
class PairedFiles:
    """Texts, their labels, and a file of the labels' names, if there is one."""

    texts: Path
    labels: Path
    names: Path | None

    @property
    def files(self) -> list[Path]:
        return [file for file in (self.texts, self.labels, self.names) if file]

    @property
    def have_a_table(self) -> bool:
        """False if texts and labels are each a line of their file."""
        return not (_is_of_lines(self.texts) and _is_of_lines(self.labels))


def find(
    root: Path, files: Sequence[Path], reading: Reading
) -> list[tuple[str | None, PairedFiles]]:
    """The pairs of a folder, each with its side of the split.

    Args:
        files: below the folder, at any depth.
    """
    by_words = {(file.parent, _words(file)): file for file in files if _is_readable(file)}
    names = {file.parent: file for file in files if file.name.lower() in _MAPPINGS}
    return [
        (side_in(labels.relative_to(root).parts), PairedFiles(texts, labels, names.get(folder)))
        for (folder, words), labels in by_words.items()
        for texts in _partners(by_words, folder, words)
        if _is_of_lines(texts) or not class_files.has_label(texts, reading, by_values=False)
    ]


def _is_readable(file: Path) -> bool:
    return file.suffix.lower() in ("", ".txt", ".csv", ".tsv", ".labels", ".text", ".in")


def _words(file: Path) -> tuple[str, ...]:
    stem = file.name if file.suffix.lower() in (".labels", ".text") else file.stem
    return tuple(re.findall(r"[^\W_]+", stem.lower()))


def _partners(
    by_words: dict[tuple[Path, tuple[str, ...]], Path], folder: Path, words: tuple[str, ...]
) -> Iterator[Path]:
    """The file of the texts whose name differs in one word from that of the labels."""
    for place, word in enumerate(words):
        if word in _LABELS:
            for other in _TEXTS:
                key = (folder, (*words[:place], other, *words[place + 1 :]))
                if key in by_words:
                    yield by_words[key]
                    return


def read(pair: PairedFiles, reading: Reading) -> StringTable:
    """The texts in the column `text` and the labels in `label`; of tables, all their columns.

    Raises:
        DataError: they do not have equally many lines.
    """
    texts, labels = (_table(file, reading) for file in (pair.texts, pair.labels))
    if texts.table.num_rows != labels.table.num_rows:
        raise DataError(
            f"{pair.texts.name} has {texts.table.num_rows:,} texts, {pair.labels.name} has "
            f"{labels.table.num_rows:,} labels; give both the same number of lines"
        )
    table = texts.table
    for name in labels.table.column_names:
        column = labels.table[name]
        if _is_of_lines(pair.labels):
            table = table.append_column("label", _named(column, pair.names, reading))
        elif name not in table.column_names:
            table = table.append_column(name, column)
        elif not table[name].equals(column):
            raise DataError(
                f"the column {name} of {pair.texts.name} and {pair.labels.name} differs; save both as one table"
            )
    notes = (
        f"the labels of {pair.texts.name} are those of {pair.labels.name}",
        *texts.notes,
        *labels.notes,
    )
    return StringTable(pair.texts.name, table, texts.unusable | labels.unusable, notes)


def _is_of_lines(file: Path) -> bool:
    return formats.format_of(file.name) is None or file.suffix.lower() == ".txt"


def _table(file: Path, reading: Reading) -> StringTable:
    if _is_of_lines(file):
        return StringTable(file.name, lines_of(file, reading))
    return whole.read(file, reading=reading)


def _named(
    labels: pa.ChunkedArray, names: Path | None, reading: Reading
) -> pa.ChunkedArray | pa.Array:
    """The names of numbered labels; the labels themselves if a number has none."""
    if names is None:
        return labels
    lines = [line.split(maxsplit=1) for line in lines_of(names, reading)["text"].to_pylist()]
    by_number = {words[0]: words[1].strip() for words in lines if len(words) == 2}
    values = labels.to_pylist()
    if not {*values} <= by_number.keys():
        return labels
    return pa.array([by_number[value] for value in values], pa.string())
