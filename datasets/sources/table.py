"""A user's table, from a file or a folder. Nothing is downloaded, and nothing leaves the machine.

In a folder, either all files, or the folders they are in, are named after a side of the split, such as
train.csv and test.csv; or none is, and all are read as one table.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa

from worthit.datasets.cache import sha256_of
from worthit.datasets.errors import DataError
from worthit.datasets.registry import Source
from worthit.datasets.tables import assemble, files, formats, whole
from worthit.datasets.tables.columns import SIDES, Choices

_MOST_FILES = 1_000


@dataclass(frozen=True)
class Table:
    path: Path  # of a file or a folder
    choices: Choices

    name = "table"
    citation = "the user's data"
    own = True

    @property
    def title(self) -> str:
        return self.path.name

    def fingerprint(self) -> str:
        hashes = []
        for side, file in self._files():
            with files.readable(file):
                hashes.append(f"{side}:{file.name}:{sha256_of(file)}")
        settings = asdict(replace(self.choices, test_file=None))
        return "; ".join((assemble.VERSION, *hashes, json.dumps(settings)))

    def read(self) -> pa.Table:
        pieces = [assemble.Piece(whole.read(file), side) for side, file in self._files()]
        return assemble.corpus_of(pieces, self.choices)

    def _files(self) -> Iterator[tuple[str | None, Path]]:
        """Each file and its side of the split."""
        sided = _in_folder(self.path) if self.path.is_dir() else [(None, self.path)]
        if self.choices.test_file is None:
            yield from sided
            return
        if any(side == "test" for side, _ in sided):
            raise DataError(
                f"{self.title} already has a test side; omit --test-file, or give the training file "
                "itself"
            )
        for side, file in sided:
            yield side or "train", file
        yield "test", files.existing(self.choices.test_file)


def _in_folder(folder: Path) -> list[tuple[str | None, Path]]:
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


def source(argument: str, choices: Choices) -> Source:
    path = Path(argument).expanduser()
    with files.readable(path):
        if path.is_dir() and {"dataset_dict.json", "state.json"} & {f.name for f in path.iterdir()}:
            from worthit.datasets.sources import hub  # saved by Hugging Face's `datasets`

            return hub.saved(path.resolve(), choices)
        if path.is_dir():
            return Table(path.resolve(), choices)
    return Table(files.existing(Path(argument)), choices)
