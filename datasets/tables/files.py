"""Bytes of a file or a pipe, unpacked and decoded: what happens before any format is parsed.

Packed files are recognized by their first bytes. Text is UTF-8, or UTF-16 or UTF-32 with a byte-order
mark. No other encoding is guessed: text decoded with the wrong one looks fine but changes what is
classified.
"""

import codecs
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa

from worthit.datasets.cache import sha256_of
from worthit.datasets.errors import DataError, one_line

#: suffixes of packed files
PACKED = (".gz", ".zst", ".zip")
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
_EMPTY_ZIP = b"PK\x05\x06"
_SHEETS = (".xlsx", ".xlsm", ".ods")  # zips that are not to be unpacked
_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn any error of reading or unpacking a file into a DataError of one line."""
    try:
        yield
    except MemoryError as error:
        raise DataError(f"{path.name} does not fit into memory; give a part of it") from error
    except (
        OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
        pa.ArrowException,
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
    """

    def __init__(
        self,
        path: Path,
        stream: BinaryIO | None = None,
        *,
        members: Sequence[str] = (),
        in_memory: bool = False,
    ) -> None:
        self.path, self.in_memory = path, in_memory
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

    def _text(
        self, split: Callable[[io.TextIOWrapper], Iterable[str]], newline: str
    ) -> Generator[str, None, None]:
        line = 1
        with self.open() as unpacked, readable(self.path):
            encoding = encoding_of(unpacked.head())
            # Bytes that are not UTF-8 pass here and are refused below with the number of their line.
            errors = "strict" if encoding else "surrogateescape"
            text = io.TextIOWrapper(unpacked.stream, encoding or "utf-8-sig", errors, newline)
            try:
                for piece in split(text):
                    if not piece.isascii():
                        piece.encode()
                    yield piece
                    line += piece.count("\n")
            except UnicodeEncodeError as error:
                line += piece.count("\n", 0, error.start)
                raise DataError(
                    f"{unpacked.name} is not UTF-8 (line {line:,}); save it as UTF-8 and run again"
                ) from error
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{unpacked.name} has a {str(encoding).upper()} byte-order mark but breaks off or "
                    "is damaged; save it as UTF-8 and run again"
                ) from error
            finally:
                with suppress(ValueError):  # the file is closed already
                    text.detach()  # else it would close stdin

    def _unpack(self, file: BinaryIO, name: str, size: int, stack: ExitStack) -> Unpacked:
        first = Unpacked(name, file).head()[:4]
        suffix = Path(name).suffix.lower()
        bare = name[: -len(suffix)] if suffix in PACKED else name
        if suffix in _SHEETS:
            return Unpacked(name, file)
        if first in (_ZIP, _EMPTY_ZIP):
            return self._unzip(file, stack)
        if first.startswith(_GZIP) or suffix == ".gz":
            return Unpacked(bare, self._bounded(gzip.open(file), size))
        if first == _ZSTD or suffix == ".zst":
            return Unpacked(bare, self._bounded(pa.input_stream(file, compression="zstd"), size))
        if suffix == ".zip":
            raise DataError(f"{self.path} is not a zip; correct its name, or download it again")
        return Unpacked(name, file)

    def _unzip(self, file: BinaryIO, stack: ExitStack) -> Unpacked:
        archive = stack.enter_context(zipfile.ZipFile(file))
        present = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX/")
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
            if not self._members:
                raise DataError(
                    f"{self.path} holds another zip, {name}; unpack it and give the file itself"
                )
            inner = stream.read()  # a zip is read from its end
            stream = cast("BinaryIO", io.BufferedReader(io.BytesIO(inner)))
        return self._unpack(stream, name, size, stack)

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


def encoding_of(head: bytes) -> str | None:
    """UTF-16 or UTF-32 if the text begins with their mark."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def require_text(name: str, head: bytes) -> None:
    """Raises DataError if the first bytes are not of a table in text."""
    if encoding_of(head) is None and head.count(0) > len(head) // 10:
        raise DataError(
            f"{name} is not UTF-8 text but UTF-16 without a byte-order mark, or binary; "
            "save it as UTF-8 and run again"
        )
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{name} is a web page, not a table; download the file itself, after signing in if needed"
        )
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{name} is a Git LFS pointer, not a table; run `git lfs pull` to fetch it")
