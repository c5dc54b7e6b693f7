"""Folders of texts: one text in each file, in a folder named after its class, as in train/pos/12_9.txt.

Many corpora come like that (aclImdb, 20 Newsgroups, BBC News). scikit-learn's `load_files` reads them,
too, but knows neither sides of a split nor files that have no class.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import DataError, counted
from worthit.datasets.formats.reading import ENCODING, Reading
from worthit.datasets.formats.whole import StringTable
from worthit.datasets.tables.columns import side_in

#: files of a class, on average; with fewer they are rather tables
_FEWEST = 10
#: folders of texts without a class, such as aclImdb's train/unsup
_UNLABELLED = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
_SUFFIXES = {"", ".txt"}


@dataclass(frozen=True)
class TextFile:
    """One text, its class and its side of the split."""

    path: Path
    label: str
    side: str | None


def find(folder: Path, files: Sequence[Path]) -> list[TextFile]:
    """The texts among the files of a folder; none unless at least two folders of texts are classes.

    Args:
        files: below the folder, at any depth.
    """
    within = [file for file in files if file.suffix.lower() in _SUFFIXES and file.parent != folder]
    texts = [
        TextFile(file, file.parent.name, side_in(file.relative_to(folder).parts[:-2]))
        for file in within
        if side_in([file.parent.name]) is None
    ]
    classes = Counter(text.label for text in texts if text.label.lower() not in _UNLABELLED)
    if len(classes) < 2 or classes.total() < _FEWEST * len(classes):
        return []
    return [text for text in texts if text.label in classes]


def read(name: str, texts: Sequence[TextFile], reading: Reading) -> StringTable:
    """The texts in the columns `text` and `label`.

    Raises:
        DataError: a file is not in the encoding.
    """
    columns = {
        "text": [_content(text.path, reading) for text in texts],
        "label": [text.label for text in texts],
    }
    note = f"each file of {name} is a text, and the folder it is in names its class"
    return StringTable(name, pa.table(columns), notes=(note, *_without_class(texts)))


def _without_class(texts: Sequence[TextFile]) -> list[str]:
    """A line on each folder of texts without a class, beside those of the classes."""
    beside = {text.path.parent.parent for text in texts}
    folders = sorted(folder for parent in beside for folder in parent.iterdir())
    return [
        f"left out, without a class: {counted(sum(1 for _ in folder.iterdir()), 'text')} of {folder.name}"
        for folder in folders
        if folder.name.lower() in _UNLABELLED and folder.is_dir()
    ]


def _content(path: Path, reading: Reading) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        if reading.encoding is None:
            raise DataError(
                f"{path} is not UTF-8; give {ENCODING} NAME (cp1252, latin-1, …), or save it as UTF-8"
            ) from None
    try:
        return raw.decode(reading.encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not {reading.encoding} ({error.reason}); give another {ENCODING}"
        ) from None
