"""A user's table, from a file or a folder. Nothing is downloaded, and nothing leaves the machine.

In a folder, either all files, or the folders they are in, are named after a side of the split, such as
train.csv and test.csv; or none is, and all are read as one table.
"""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from worthit.datasets.errors import DataError
from worthit.datasets.registry import Source
from worthit.datasets.tables import assemble, files, formats, whole
from worthit.datasets.tables.assemble import Piece
from worthit.datasets.tables.columns import SIDES, Choices

_MOST_FILES = 1_000
_NOT_DATA = re.compile(r"read.?me|licen[sc]e|requirements|notes?\b|changelog", re.IGNORECASE)
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
        present = [file for file in folder.rglob("*") if _is_visible(file, folder)]
    tables = sorted(file for file in present if _is_table(file))
    if not tables:  # else a .txt is more likely a licence or a note
        tables = sorted(file for file in present if _is_text(file))
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
    _require_one_kind(folder, sided)
    return sided


def _require_one_kind(folder: Path, sided: Sequence[_Sided]) -> None:
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
        return _side(Path(file.name)) is not None
    return _kind(file) is not None


def _is_text(file: Path) -> bool:
    return _bare(file).suffix.lower() == ".txt" and _NOT_DATA.search(file.name) is None


def _side(within: Path) -> str | None:
    """The side in the name of the file (train-00000-of-00001.parquet), or else of its folder."""
    for part in reversed(within.parts):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SIDES:
                return SIDES[word]
    return None
