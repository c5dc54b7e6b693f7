"""A folder of scores in Parquet parts, each with consecutive rows, that can be resumed.

A part is named by the numbers of its rows, so the order of names is that of the rows, and the names say
what is done. A part is complete or absent: it is written beside and renamed. `_manifest.json` tells what
all parts depend on; readers of Parquet folders skip such a name.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from worthit.datasets.cache import write_whole
from worthit.datasets.errors import OutputError, listed
from worthit.models.scoring.output import writable

MANIFEST = "_manifest.json"
_NAME = re.compile(r"part-(\d{12})-(\d{12})\.parquet")


@dataclass(frozen=True)
class InputFile:
    """A file of the input as it was when the output was begun."""

    name: str
    size_bytes: int
    changed_ns: int  # time of the last change, since 1970
    before: int  # rows of the files before it
    rows: int | None  # None: unknown until all are read; only of a single file
    is_splittable: bool  # True: any of its rows can be read without those before

    @property
    def state(self) -> tuple[str, int, int]:
        """What changes when somebody writes to it."""
        return self.name, self.size_bytes, self.changed_ns


@dataclass(frozen=True)
class Manifest:
    """What the parts depend on."""

    begun_with: dict[str, str]  # the model and the settings, for people
    files: tuple[InputFile, ...]
    rows: int | None = None  # of all parts; None: not complete


def part_name(first: int, last: int) -> str:
    return f"part-{first:012}-{last:012}.parquet"


def begun(folder: Path) -> Manifest | None:
    """The manifest of an output folder; None if it has none.

    Raises:
        OutputError: it is damaged.
    """
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OutputError(f"{folder} is a file; give a new folder as --output") from error
    except (OSError, msgspec.DecodeError) as error:
        raise OutputError(f"{folder / MANIFEST} cannot be read; {_start_over(folder)}") from error


def continued(folder: Path, manifest: Manifest, *, resume: bool) -> tuple[InputFile, ...]:
    """The files of an output to resume, with their counted rows; none for a new output.

    Args:
        manifest: of the command as given now; its files need not be counted.

    Raises:
        OutputError: the folder is complete, not empty, begun and not to be resumed, or was begun with other
            settings or input.
    """
    found = begun(folder)
    if found is None:
        if folder.is_dir() and (others := [path.name for path in folder.iterdir()]):
            raise OutputError(
                f"{folder} exists and holds {listed(others, 3)}; give a new folder as --output"
            )
        return ()
    if found.rows is not None:
        raise OutputError(f"{folder} is complete; give another --output")
    if not resume:
        raise OutputError(
            f"{folder} is not complete; continue with --resume, or {_start_over(folder)}"
        )
    for name in manifest.begun_with.keys() | found.begun_with.keys():
        then, now = found.begun_with.get(name, "none"), manifest.begun_with.get(name, "none")
        if then != now:
            raise OutputError(
                f"{folder} was begun with {name} {then}, not {now}; give the same value, or "
                f"{_start_over(folder)}"
            )
    for before, after in itertools.zip_longest(found.files, manifest.files):
        if before is None or after is None or before.state != after.state:
            raise OutputError(
                f"{folder} was begun with another {(after or before).name}, or with other files; give the "
                f"same input, or {_start_over(folder)}"
            )
    return found.files


def _start_over(folder: Path) -> str:
    return f"remove {folder} to start over"


class PartFolder:
    """The output folder, new or to be continued.

    Args:
        manifest: with counted files; see `continued`.

    Attributes:
        done: first → last row of the parts that are complete.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        with writable(self._folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._write_manifest()
            self.done = dict(self._complete_parts())

    @property
    def rows_done(self) -> int:
        return sum(last - first + 1 for first, last in self.done.items())

    def write(self, first: int, last: int, content: bytes) -> bool:
        """Write one part; False if it is there already."""
        if first in self.done:
            return False
        with writable(self._folder):
            write_whole(self._folder / part_name(first, last), content)
        self.done[first] = last
        return True

    def finish(self) -> None:
        """Mark the output as complete.

        Raises:
            OutputError: rows are missing, or twice in the parts.
        """
        expected = 1
        for first, last in sorted(self.done.items()):
            if first != expected:
                raise OutputError(
                    f"the parts in {self._folder} have row {min(first, expected):,} "
                    f"{'twice' if first < expected else 'nowhere'}; {_start_over(self._folder)}"
                )
            expected = last + 1
        known = [file.before + file.rows for file in self._manifest.files if file.rows is not None]
        if known and max(known) != expected - 1:
            raise OutputError(
                f"the parts in {self._folder} have {expected - 1:,} rows, the input {max(known):,}; "
                f"{_start_over(self._folder)}"
            )
        self._manifest = dataclasses.replace(self._manifest, rows=expected - 1)
        self._write_manifest()

    def suspend(self) -> str:
        """How to resume, for people; removes a folder without parts."""
        if self.done:
            return (
                f"{self.rows_done:,} rows are written; continue with the same command and --resume"
            )
        with suppress(OSError):
            (self._folder / MANIFEST).unlink(missing_ok=True)
            self._folder.rmdir()
        return "nothing was written"

    def _complete_parts(self) -> Iterator[tuple[int, int]]:
        for file in sorted(self._folder.iterdir()):
            if file.name.startswith(".part-"):  # of a writer that was killed
                file.unlink(missing_ok=True)
            elif match := _NAME.fullmatch(file.name):
                first, last = map(int, match.groups())
                if _rows(file) == last - first + 1:
                    yield first, last
                else:  # damaged, by other hands than ours
                    file.unlink(missing_ok=True)

    def _write_manifest(self) -> None:
        with writable(self._folder):
            content = msgspec.json.format(msgspec.json.encode(self._manifest))
            write_whole(self._folder / MANIFEST, content)


def _rows(file: Path) -> int | None:
    """The rows of a part; None if its index is damaged."""
    try:
        return int(pq.read_metadata(file).num_rows)
    except (OSError, pa.ArrowException):
        return None
