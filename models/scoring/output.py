"""Writes scores to a pipe, or to a file that can be resumed after an interruption.

A file is written as `scores.csv.partial`, beside a note on how much of it is valid and on the settings
it depends on. It is renamed when it is complete. Resuming drops everything after the note, so the
result is the same, byte for byte, as without the interruption.
"""

import dataclasses
import hashlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from worthit.datasets.cache import write_whole
from worthit.datasets.errors import OutputError
from worthit.datasets.formats.chunks import Values
from worthit.datasets.tables.comments import CommentChunk
from worthit.models.scoring import encoding

_NOTE_EVERY_S = 1.0


@dataclass(frozen=True)
class Note:
    """How much of a partial file is valid."""

    begun_with: dict[str, str]
    rows: int
    size_bytes: int
    digest: str  # of the input that these rows came from


class Output(ABC):
    """Takes scored chunks in order."""

    def skip(self, rows: CommentChunk) -> bool:
        """True if these rows were written before an interruption.

        Raises:
            OutputError: other rows were written.
        """
        return False

    @abstractmethod
    def append(self, rows: CommentChunk, scores: encoding.ScoreTable) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Complete the output after the last row."""

    def suspend(self) -> str:
        """Stop before the last row; returns how to resume, for people."""
        return ""


def _with_scores(rows: CommentChunk, scores: encoding.ScoreTable) -> encoding.ScoreTable:
    """The number of each row (from 1), the columns carried along, and the scores."""
    numbers: dict[str, Values] = {"row": list(range(rows.first, rows.last + 1))}
    return numbers | rows.extras | scores


class Pipe(Output):
    """A stream that is written once."""

    def __init__(self, stream: IO[bytes], form: str, empty: encoding.ScoreTable) -> None:
        self._stream, self._encode, self._empty = stream, encoding.encoder(form), empty
        self._is_first = True

    def append(self, rows: CommentChunk, scores: encoding.ScoreTable) -> None:
        self._write(_with_scores(rows, scores))

    def finish(self) -> None:
        if self._is_first:  # a header without rows
            self._write(self._empty)

    def _write(self, table: encoding.ScoreTable) -> None:
        content = self._encode(table, self._is_first)
        try:
            self._stream.write(content)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"stdout cannot be written ({error.strerror})") from error
        self._is_first = False


class File(Output):
    """A file, new or resumed.

    Args:
        target: its path when it is complete.
        form: one of `worthit.datasets.formats.formats.STREAMED`.
        empty: the table without rows.
        begun_with: the model and the settings that the output depends on, for people.
        resume: continue a partial file if there is one.

    Raises:
        OutputError: it exists, was begun with other settings, or cannot be written.
    """

    def __init__(
        self,
        target: Path,
        form: str,
        empty: encoding.ScoreTable,
        begun_with: dict[str, str],
        *,
        resume: bool,
    ) -> None:
        self._target, self._form, self._empty = target, form, empty
        self._partial = target.with_name(f"{target.name}.partial")
        self._note_file = target.with_name(f"{target.name}.partial.json")
        self._refuse_to_overwrite(resume)
        is_resumed = self._partial.exists()
        self._note = self._read_note(begun_with) if is_resumed else Note(begun_with, 0, 0, "")
        self._file = self._cut_to_note()
        self._encode = encoding.encoder(form, self._partial if self._note.size_bytes else None)
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows_done, self._expected_digest = self._note.rows, self._note.digest
        self._rows_seen = 0
        self._write_note()

    def skip(self, rows: CommentChunk) -> bool:
        self._add_to_digest(rows)
        if rows.last < self._rows_done:
            return True
        if rows.first > self._rows_done:
            return False
        if rows.last > self._rows_done or self._digest.hexdigest() != self._expected_digest:
            raise self._other_input()
        return True

    def append(self, rows: CommentChunk, scores: encoding.ScoreTable) -> None:
        self._write(_with_scores(rows, scores))
        self._note = dataclasses.replace(
            self._note,
            rows=rows.last,
            size_bytes=self._file.tell(),
            digest=self._digest.hexdigest(),
        )
        if time.monotonic() - self._noted_s >= _NOTE_EVERY_S:
            self._write_note()

    def finish(self) -> None:
        if self._rows_seen < self._rows_done:
            raise self._other_input()
        if not self._note.size_bytes:
            self._write(self._empty)
        self._write_note()
        with writable(self._target):
            self._file.close()
            if self._form == "parquet":
                scratch = self._target.with_name(f"{self._target.name}.finishing")
                encoding.to_parquet(self._partial, scratch)
                scratch.replace(self._target)
                self._partial.unlink()
            else:
                self._partial.replace(self._target)
            self._note_file.unlink(missing_ok=True)

    def suspend(self) -> str:
        if not self._file.closed:  # else the note is complete
            self._write_note()
            self._file.close()
        if self._note.rows:
            return (
                f"{self._note.rows:,} rows are written; continue with the same command and --resume"
            )
        self._partial.unlink(missing_ok=True)
        self._note_file.unlink(missing_ok=True)
        return "nothing was written"

    def _refuse_to_overwrite(self, resume: bool) -> None:
        if self._target.exists():
            raise OutputError(f"{self._target} exists; give another --output")
        if self._partial.exists() and not resume:
            raise OutputError(
                f"{self._target} is not complete; continue with --resume, or {self._start_over()}"
            )

    def _read_note(self, begun_with: dict[str, str]) -> Note:
        try:
            note = msgspec.json.decode(self._note_file.read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError) as error:
            raise OutputError(f"{self._note_file} cannot be read; {self._start_over()}") from error
        for name in begun_with.keys() | note.begun_with.keys():
            then, now = note.begun_with.get(name, "none"), begun_with.get(name, "none")
            if then != now:
                raise OutputError(
                    f"{self._target} was begun with {name} {then}, not {now}; give the same value, or "
                    f"{self._start_over()}"
                )
        return note

    def _cut_to_note(self) -> IO[bytes]:
        """The partial file, cut to its valid part and open at the end."""
        size = self._note.size_bytes
        with writable(self._target):
            file = self._partial.open("r+b" if size else "wb")
            if os.fstat(file.fileno()).st_size < size:
                raise OutputError(f"{self._partial} is shorter than noted; {self._start_over()}")
            file.truncate(size)
            file.seek(size)
        return file

    def _add_to_digest(self, rows: CommentChunk) -> None:
        """Add everything that the output depends on."""
        extras = {name: encoding.to_python(name, values) for name, values in rows.extras.items()}
        self._digest.update(msgspec.json.Encoder(enc_hook=str).encode([rows.texts, extras]))
        self._rows_seen = rows.last

    def _write(self, table: encoding.ScoreTable) -> None:
        content = self._encode(table, not self._note.size_bytes)
        with writable(self._target):
            self._file.write(content)

    def _write_note(self) -> None:
        with writable(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())
            write_whole(self._note_file, msgspec.json.encode(self._note))
        self._noted_s = time.monotonic()

    def _start_over(self) -> str:
        return f"remove {self._partial} and {self._note_file.name} to start over"

    def _other_input(self) -> OutputError:
        return OutputError(
            f"the first {self._rows_done:,} rows are not those in {self._target}; "
            f"give the same input, or {self._start_over()}"
        )


@contextmanager
def writable(target: Path) -> Iterator[None]:
    """Raise OutputError for an error of the disk while `target` is written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written ({error.strerror or error}); solve this and continue with "
            "--resume, or give another --output"
        ) from error
