"""Bytes of a file or a pipe, unpacked and decoded: what happens before any format is parsed.

Packed files are recognized by their first bytes. Text is UTF-8, or UTF-16 or UTF-32 with a byte-order
mark, or in the encoding that the user names.
"""

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa

from worthit.datasets.cache import sha256_of
from worthit.datasets.errors import DataError, counted, one_line
from worthit.datasets.formats import encodings
from worthit.datasets.formats.reading import ENCODING

#: suffixes of packed files
PACKED = (".gz", ".zst", ".zip", ".bz2", ".xz")
#: the largest table that is read into memory, unpacked
LARGEST_BYTES = 4_000_000_000
# Text packs to a tenth, at best to a fiftieth. A file that unpacks to more than this is not text.
_LARGEST_RATIO = 300
_SMALL_BYTES = 50_000_000  # below it the ratio does not matter
#: of text, in characters
BLOCK = 1 << 16
_BUFFER_BYTES = 1 << 20
_HEAD_BYTES = 1_000

_ZIP, _GZIP, _ZSTD = b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BZIP2, _XZ = b"BZh", b"\xfd7zX"
_EMPTY_ZIP = b"PK\x05\x06"
_WORKBOOK = "xl/workbook.xml"
#: zips that are documents: a file in them → what they are
_DOCUMENTS = {
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a presentation",
    "content.xml": "an OpenDocument file",
    "xl/workbook.bin": "a binary Excel file",
}


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn any error of reading or unpacking a file into a DataError of one line."""
    try:
        yield
    except MemoryError as error:
        raise DataError(f"{path.name} does not fit into memory; give a part of it") from error
    except (
        OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
        lzma.LZMAError, pa.ArrowException,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path} cannot be read or unpacked ({one_line(error)}); "
            "check its permissions, or download it again"
        ) from error


def existing(given: Path) -> Path:
    """The absolute path of a regular file. A link keeps its name, which tells the format.

    Raises:
        DataError: there is no such file.
    """
    with readable(given):
        path = given.expanduser().absolute()
        if not path.is_file():
            raise DataError(f"there is no file {given}; give the path of one that exists")
    return path


def sha256(path: Path) -> str:
    """The sha256 of a file, with errors of one line."""
    with readable(path):
        return sha256_of(path)


@dataclass(frozen=True)
class Unpacked:
    """An open stream of unpacked bytes."""

    name: str  # tells the format: train.csv of train.csv.gz
    stream: BinaryIO

    def head(self) -> bytes:
        """The first bytes, which stay in the stream."""
        return bytes(self.stream.peek(_HEAD_BYTES)[:_HEAD_BYTES])  # type: ignore[attr-defined]


class Input:
    """A file, packed or not, or an open stream such as stdin. A context that closes what it opened.

    Args:
        path: of the file; of a stream its name, for messages.
        stream: buffered; it is not unpacked.
        members: names of files, the first of which is taken out of a zip; else it holds one file.
        in_memory: refuse more than fits into memory. Streams may be of any length.
        encoding: of text that is not UTF-8.
    """

    def __init__(
        self,
        path: Path,
        stream: BinaryIO | None = None,
        *,
        members: Sequence[str] = (),
        in_memory: bool = False,
        encoding: str | None = None,
    ) -> None:
        self.path, self.in_memory = path, in_memory
        self._named_encoding = encoding
        self._mark: str | None = None
        self._survey: encodings.Survey | None = None  # None for a pipe
        self._stream, self._members = stream, members
        #: whether it can be opened more than once
        self.rereadable = stream is None or stream.seekable()
        self._start = stream.tell() if stream is not None and self.rereadable else 0
        self._packed: BinaryIO | None = stream
        self._size = _size(stream) if stream is not None and self.rereadable else 0
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    @contextmanager
    def open(self) -> Iterator[Unpacked]:
        """The unpacked bytes, from the beginning.

        Raises:
            DataError: unreadable, damaged, encrypted, or too large; also while it is read.
        """
        if self._stream is not None:
            if self.rereadable:
                self._stream.seek(self._start)
            yield Unpacked(self.path.name, self._stream)
            return
        with ExitStack() as stack:
            with readable(self.path):
                file: BinaryIO = stack.enter_context(self.path.open("rb"))
                self._opened.callback(file.close)  # after an error, readers may still be halfway
                self._packed, self._size = file, _size(file)
                if self.in_memory and self._size > LARGEST_BYTES:
                    raise self._too_large()
                unpacked = self._unpack(file, self.path.name, self._size, stack)
            yield unpacked

    def share_read(self) -> float | None:
        """How much has been read, from 0 to 1; None for a pipe."""
        if not self._size or self._packed is None:
            return None
        return 1.0 if self._packed.closed else min(self._packed.tell() / self._size, 1.0)

    def lines(self, newline: str) -> Generator[str, None, None]:
        r"""The lines of the text.

        Args:
            newline: "\n", or "" for any of \n, \r and \r\n.

        Raises:
            DataError: it cannot be read, or decoded; names the line.
        """
        return self._text(iter, newline)

    def blocks(self) -> Iterator[str]:
        """The text in blocks of `BLOCK` characters."""
        return self._text(lambda text: iter(partial(text.read, BLOCK), ""), "\n")

    @cached_property
    def encoding(self) -> str | None:
        """Of the text; None for UTF-8.

        A file that is UTF-8 is read as such, whatever the user named: its bytes mean something in
        nearly every other encoding, too.
        """
        with self.open() as unpacked, readable(self.path):
            self._mark = encodings.marked(unpacked.head())
            named = self._named_encoding
            if named in ("utf-8", "utf-8-sig"):
                named = None
            if self._mark:
                return self._mark
            if named in ("utf-16", "utf-32"):  # without a mark; Windows writes this order
                return f"{named}-le"
            if (named and not encodings.is_ascii_based(named)) or not self.rereadable:
                return named
            self._survey = encodings.survey(unpacked.stream)
        if named is None:
            return None
        if self._survey.utf8 and not self._survey.others:
            return None
        is_mixture = self._survey.is_mostly_utf8 and encodings.is_single_byte(named)
        return None if is_mixture else named

    def encoding_note(self, name: str) -> str:
        """What the user should know about it, if anything."""
        found, named, lines = self.encoding, self._named_encoding, self._survey
        is_named = named not in (None, "utf-8", "utf-8-sig")
        if found is None and lines and lines.others and is_named:
            others = counted(lines.others, "line")
            return f"{name} is UTF-8; {others} (the first is line {lines.first:,}) read as {named}"
        if found is None and lines and lines.has_stray_bytes:
            return (
                f"{name} is UTF-8, but not in {counted(lines.others, 'line')} (the first is line {lines.first:,}): "
                f"{counted(lines.bad_bytes, 'byte')} read as U+FFFD ({ENCODING} cp1252, or another, decodes them)"
            )
        if found is None and is_named:
            return f"{name} is UTF-8, so it is not read as {named}"
        if found and lines and lines.utf8 and encodings.is_single_byte(found):
            return f"{name} is read as {found}, though {lines.utf8:,} of its lines look like UTF-8"
        return f"{name} is read as {found.upper()}" if found and found != named else ""

    def _errors(self) -> str:
        """How bytes that are not in the encoding are read."""
        named, lines = self._named_encoding, self._survey
        if self.encoding:
            return "strict"
        if lines and lines.others and named not in (None, "utf-8", "utf-8-sig"):
            return encodings.errors_read_as(named)
        return "replace" if lines and lines.has_stray_bytes else "surrogateescape"

    def _text(
        self, split: Callable[[io.TextIOWrapper], Iterable[str]], newline: str
    ) -> Generator[str, None, None]:
        line, encoding = 1, self.encoding
        special = 0  # pieces of UTF-8 that are not ASCII
        with self.open() as unpacked, readable(self.path):
            # Bytes that are not UTF-8 pass here and are refused below with the number of their line.
            text = io.TextIOWrapper(
                unpacked.stream, encoding or "utf-8-sig", self._errors(), newline
            )
            pieces = iter(split(text))
            piece = ""
            try:
                for piece in pieces:
                    if not piece.isascii():
                        piece.encode()
                        special += 1
                    yield piece
                    line += piece.count("\n")
            except UnicodeEncodeError as error:
                line += piece.count("\n", 0, error.start)
                raise encodings.refusal(
                    unpacked.name, line, special, chain([piece], pieces), self._survey
                ) from error
            except UnicodeError as error:
                raise self._undecodable(unpacked.name, line) from error
            finally:
                with suppress(ValueError):  # the file is closed already
                    text.detach()  # else it would close stdin

    def _undecodable(self, name: str, line: int) -> DataError:
        if self._mark:
            return DataError(
                f"{name} has a {str(self.encoding).upper()} byte-order mark but breaks off or "
                "is damaged; save it as UTF-8 and run again"
            )
        return DataError(
            f"{name} is not {self.encoding} throughout (from about line {line:,} on); give "
            f"another {ENCODING}"
        )

    def _unpack(self, file: BinaryIO, name: str, size: int, stack: ExitStack) -> Unpacked:
        first = Unpacked(name, file).head()[:4]
        suffix = Path(name).suffix.lower()
        bare = name[: -len(suffix)] if suffix in PACKED else name
        if first in (_ZIP, _EMPTY_ZIP):
            return self._unzip(file, name, stack)
        if first.startswith(_GZIP) or suffix == ".gz":
            return Unpacked(bare, self._bounded(gzip.open(file), size))
        if first == _ZSTD or suffix == ".zst":
            return Unpacked(bare, self._bounded(pa.input_stream(file, compression="zstd"), size))
        if first.startswith(_BZIP2) or suffix == ".bz2":
            return Unpacked(bare, self._bounded(bz2.open(file), size))
        if first == _XZ or suffix == ".xz":
            return Unpacked(bare, self._bounded(lzma.open(file), size))
        if suffix == ".zip":
            raise DataError(f"{self.path} is not a zip; correct its name, or download it again")
        return Unpacked(name, file)

    def _unzip(self, file: BinaryIO, name: str, stack: ExitStack) -> Unpacked:
        archive = stack.enter_context(zipfile.ZipFile(file))
        if _is_workbook(archive, name):
            self._require_small(archive)
            file.seek(0)
            return Unpacked(name, file)
        present = [
            member
            for member in archive.infolist()
            if not member.is_dir()
            and not member.filename.startswith("__MACOSX/")
            and not Path(member.filename).name.startswith(".")
        ]
        wanted = [member for member in present if Path(member.filename).name in self._members]
        if not self._members and len(present) == 1:
            wanted = present
        if not wanted:
            names = ", ".join(member.filename for member in present[:5]) or "nothing"
            sought = f"not {self._members[0]}" if self._members else "but must hold one file"
            raise DataError(
                f"{self.path} holds {names}, {sought}; unpack it and give the file itself"
            )
        member = wanted[0]
        if member.flag_bits & 1:
            raise DataError(f"{self.path} is encrypted; unpack it and give the file itself")
        name, size = Path(member.filename).name, max(member.compress_size, 1)
        stream = self._bounded(stack.enter_context(archive.open(member)), size)
        if Unpacked(name, stream).head().startswith(_ZIP):
            inner = stream.read()  # a zip is read from its end
            if not self._members and not _is_workbook(zipfile.ZipFile(io.BytesIO(inner)), name):
                raise DataError(
                    f"{self.path} holds another zip, {name}; unpack it and give the file itself"
                )
            stream = cast("BinaryIO", io.BufferedReader(io.BytesIO(inner)))
        return self._unpack(stream, name, size, stack)

    def _require_small(self, archive: zipfile.ZipFile) -> None:
        """A workbook is unpacked by the library that reads it."""
        for member in archive.infolist():
            limit = max(_SMALL_BYTES, _LARGEST_RATIO * member.compress_size)
            if member.file_size > min(limit, LARGEST_BYTES):
                raise self._too_large()

    def _bounded(self, stream: Any, packed_bytes: int) -> BinaryIO:
        limit = max(_SMALL_BYTES, _LARGEST_RATIO * packed_bytes)
        if self.in_memory:
            limit = min(limit, LARGEST_BYTES)
        return io.BufferedReader(_Bounded(stream, limit, self._too_large()), _BUFFER_BYTES)

    def _too_large(self) -> DataError:
        limit = f"{LARGEST_BYTES / 1e9:g} GB, or " if self.in_memory else ""
        return DataError(
            f"{self.path.name} unpacks to more than a table of comments would (over {limit}"
            f"{_LARGEST_RATIO} times its packed size); unpack it and give a part of it"
        )


class _Bounded(io.RawIOBase):
    """Bytes of a stream; raises an error once there are more than a limit."""

    def __init__(self, stream: Any, limit_bytes: int, error: DataError) -> None:
        self._stream, self._left_bytes, self._error = stream, limit_bytes, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise self._error
        buffer[: len(data)] = data
        return len(data)


def _size(file: BinaryIO) -> int:
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:  # not of the file system
        return 0


def _is_workbook(archive: zipfile.ZipFile, name: str) -> bool:
    """True for an Excel file, whatever its name.

    Raises:
        DataError: it is another document.
    """
    present = {*archive.namelist()}
    if _WORKBOOK in present:
        return True
    for member, kind in _DOCUMENTS.items():
        if member in present:
            raise DataError(
                f"{name} is {kind}, which cannot be read; open it and save the table as .xlsx or CSV"
            )
    if name.lower().endswith((".xlsx", ".xlsm")):
        raise DataError(f"{name} is not an Excel file or is damaged; save it again")
    return False
