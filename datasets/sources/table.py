"""A user's table, from a file or a folder. Nothing is downloaded, and nothing leaves the machine.

In a folder, either all files, or the folders they are in, are named after a side of the split, such as
train.csv and test.csv; or none is, and all are read as one table.
"""

import json
import re
from functools import partial
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import DataError
from worthit.datasets.registry import Source
from worthit.datasets.tables import assemble, files, formats, whole
from worthit.datasets.tables.assemble import Piece
from worthit.datasets.tables.columns import SIDES, Choices

_MOST_FILES = 1_000
_Sided = tuple[str | None, Path]


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
    hashes = (
        f"{side}:{file.name}:{files.sha256(file)}" for side, file in _files(path, choices.test_file)
    )
    return "; ".join((assemble.VERSION, *hashes, json.dumps(choices.settings())))


def _read(path: Path, choices: Choices) -> pa.Table:
    sided = _files(path, choices.test_file)
    pieces = [Piece(whole.read(file, reading=choices.reading), side) for side, file in sided]
    return assemble.corpus_of(pieces, choices)


def _files(path: Path, test_file: Path | None) -> list[_Sided]:
    """Each file and its side of the split."""
    sided: list[_Sided] = _in_folder(path) if path.is_dir() else [(None, path)]
    if test_file is None:
        return sided
    if any(side == "test" for side, _ in sided):
        raise DataError(
            f"{path.name} already has a test side; omit --test-file, or give the training file itself"
        )
    train = [(side or "train", file) for side, file in sided]
    return [*train, ("test", files.existing(test_file))]


def _in_folder(folder: Path) -> list[_Sided]:
    with files.readable(folder):
        tables = sorted(file for file in folder.rglob("*") if _is_table(file, folder))
    if not tables or len(tables) > _MOST_FILES:
        content = f"{len(tables):,} tables" if tables else "no table"
        raise DataError(
            f"the folder {folder} holds {content} ({', '.join(formats.SUFFIXES)}); give a file, or a "
            "folder with a few"
        )
    sided = [(_side(file.relative_to(folder)), file) for file in tables]
    without = [file for side, file in sided if side is None]
    if without and len(without) < len(tables):
        raise DataError(
            f"the folder {folder} holds {without[0].name}, whose name says neither train nor test, while "
            "others do; move it, or give one file (and --test-file)"
        )
    return sided


def _is_table(file: Path, folder: Path) -> bool:
    within = file.relative_to(folder)
    bare = Path(file.stem) if file.suffix.lower() in files.PACKED else file
    known = bare.suffix.lower() in formats.SUFFIXES and bare.suffix.lower() != ".txt"
    return known and file.is_file() and not any(part.startswith(".") for part in within.parts)


def _side(within: Path) -> str | None:
    """The side in the name of the file (train-00000-of-00001.parquet), or else of its folder."""
    for part in reversed(within.parts):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SIDES:
                return SIDES[word]
    return None
