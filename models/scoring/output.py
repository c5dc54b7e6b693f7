"""Where scores go: a pipe, or a file that an interrupted stream can go on with.

A file grows under another name, `scores.csv.partial`, beside a note of how far it is good and what it
was begun with. Only when all is written does it get its own name. Going on cuts off what came after
the note, so that the outcome is the same, byte for byte, as without an interruption.
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
from worthit.datasets.tables.comments import CommentChunk
from worthit.datasets.tables.stream import Values
from worthit.models.scoring import encoding

_NOTE_EVERY_S = 1.0


@dataclass(frozen=True)
class Note:
    """How far a partial file is good."""

    begun_with: dict[str, str]
    rows: int
    size_bytes: int
    digest: str  # of the input that these rows came from


class Output(ABC):
    """Takes scored chunks in order."""

    @abstractmethod
    def skip(self, rows: CommentChunk) -> bool:
        """Whether these rows have been written before an interruption.

        Raises:
            OutputError: they have, but were others.
        """

    @abstractmethod
    def append(self, rows: CommentChunk, scores: encoding.Columns) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """All rows have come."""

    def keep(self) -> str:
        """No more rows come for now; says for people how to go on."""
        return ""


def columns(rows: CommentChunk, scores: encoding.Columns) -> encoding.Columns:
    """The number of each row (from 1), what is carried along, its scores."""
    numbers: dict[str, Values] = {"row": list(range(rows.first, rows.last + 1))}
    return numbers | rows.kept | scores


class Pipe(Output):
    """A stream that is written once, to whom it may concern."""

    def __init__(self, stream: IO[bytes], form: str, empty: encoding.Columns) -> None:
        self._stream, self._encode, self._empty = stream, encoding.encoder(form), empty
        self._is_first = True

    def skip(self, rows: CommentChunk) -> bool:
        return False

    def append(self, rows: CommentChunk, scores: encoding.Columns) -> None:
        self._write(columns(rows, scores))

    def finish(self) -> None:
        if self._is_first:  # a header says that there was nothing to score
            self._write(self._empty)

    def _write(self, table: encoding.Columns) -> None:
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
    """A file, begun or gone on with.

    Args:
        target: what it is called when it is whole.
        form: one of `worthit.datasets.tables.formats.STREAMED`.
        empty: the table without rows.
        begun_with: the model and the settings that decide the output, for people.
        resume: whether to go on with a partial file if there is one.

    Raises:
        OutputError: it is there already, was begun otherwise, or cannot be written.
    """

    def __init__(
        self,
        target: Path,
        form: str,
        empty: encoding.Columns,
        begun_with: dict[str, str],
        *,
        resume: bool,
    ) -> None:
        self._target, self._form, self._empty = target, form, empty
        self._partial = target.with_name(f"{target.name}.partial")
        self._note_file = target.with_name(f"{target.name}.partial.json")
        self._refuse_to_overwrite(resume)
        goes_on = self._partial.exists()
        self._note = self._read_note(begun_with) if goes_on else Note(begun_with, 0, 0, "")
        self._file = self._cut_to_note()
        self._encode = encoding.encoder(form, self._partial if self._note.size_bytes else None)
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows_done, self._expected_digest = self._note.rows, self._note.digest
        self._rows_seen = 0
        self._take_note()

    def skip(self, rows: CommentChunk) -> bool:
        self._take_in(rows)
        if rows.last < self._rows_done:
            return True
        if rows.first > self._rows_done:
            return False
        if rows.last > self._rows_done or self._digest.hexdigest() != self._expected_digest:
            raise self._other_input()
        return True

    def append(self, rows: CommentChunk, scores: encoding.Columns) -> None:
        self._write(columns(rows, scores))
        self._note = dataclasses.replace(
            self._note,
            rows=rows.last,
            size_bytes=self._file.tell(),
            digest=self._digest.hexdigest(),
        )
        if time.monotonic() - self._noted_s >= _NOTE_EVERY_S:
            self._take_note()

    def finish(self) -> None:
        if self._rows_seen < self._rows_done:
            raise self._other_input()
        if not self._note.size_bytes:
            self._write(self._empty)
        self._take_note()
        with self._writable():
            self._file.close()
            if self._form == "parquet":
                scratch = self._target.with_name(f"{self._target.name}.finishing")
                encoding.to_parquet(self._partial, scratch)
                scratch.replace(self._target)
                self._partial.unlink()
            else:
                self._partial.replace(self._target)
            self._note_file.unlink(missing_ok=True)

    def keep(self) -> str:
        if not self._file.closed:  # else all is noted
            self._take_note()
            self._file.close()
        if self._note.rows:
            return f"{self._note.rows:,} rows are kept; the same command with --resume goes on"
        self._partial.unlink(missing_ok=True)
        self._note_file.unlink(missing_ok=True)
        return "nothing was written yet"

    def _refuse_to_overwrite(self, resume: bool) -> None:
        if self._target.exists():
            raise OutputError(f"{self._target} is there already; give another --output")
        if self._partial.exists() and not resume:
            raise OutputError(
                f"{self._target} was begun and not finished; go on with --resume, or "
                f"{self._begin_anew()}"
            )

    def _read_note(self, begun_with: dict[str, str]) -> Note:
        try:
            note = msgspec.json.decode(self._note_file.read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError) as error:
            raise OutputError(f"{self._note_file} cannot be read; {self._begin_anew()}") from error
        for name in begun_with.keys() | note.begun_with.keys():
            then, now = note.begun_with.get(name, "none"), begun_with.get(name, "none")
            if then != now:
                raise OutputError(
                    f"{self._target} was begun with {name} {then}, not {now}; give the same, or "
                    f"{self._begin_anew()}"
                )
        return note

    def _cut_to_note(self) -> IO[bytes]:
        """The partial file, open at the end of what is known to be good."""
        size = self._note.size_bytes
        with self._writable():
            file = self._partial.open("r+b" if size else "wb")
            if os.fstat(file.fileno()).st_size < size:
                raise OutputError(f"{self._partial} has lost its end; {self._begin_anew()}")
            file.truncate(size)
            file.seek(size)
        return file

    def _take_in(self, rows: CommentChunk) -> None:
        """Into the digest, all that the output depends on."""
        kept = {name: encoding.plain(name, values) for name, values in rows.kept.items()}
        self._digest.update(msgspec.json.Encoder(enc_hook=str).encode([rows.texts, kept]))
        self._rows_seen = rows.last

    def _write(self, table: encoding.Columns) -> None:
        content = self._encode(table, not self._note.size_bytes)
        with self._writable():
            self._file.write(content)

    def _take_note(self) -> None:
        with self._writable():
            self._file.flush()
            os.fsync(self._file.fileno())
            write_whole(self._note_file, msgspec.json.encode(self._note))
        self._noted_s = time.monotonic()

    def _begin_anew(self) -> str:
        return f"remove {self._partial} and {self._note_file.name} to begin anew"

    def _other_input(self) -> OutputError:
        return OutputError(
            f"the first {self._rows_done:,} rows are not those that {self._target} was begun with; "
            f"give the same input, or {self._begin_anew()}"
        )

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self._target} cannot be written ({error.strerror or error}); mend that, then "
                "go on with --resume, or give another --output"
            ) from error
