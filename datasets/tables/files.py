"""A file's bytes, unpacked, and its text: what comes before any format is parsed.

Packed files are told by their first bytes, and unpacked no further than to a limit. Text is UTF-8,
or UTF-16 or UTF-32 with a byte-order mark. Nothing else is guessed: a wrong guess reads as well as a
right one, and changes what is classified.
"""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from worthit.datasets.errors import DataError

#: what a table may hold, unpacked; a CSV of more is a sample's job, not one for memory
LARGEST_BYTES = 4_000_000_000
# Text packs to a tenth, at best to a fiftieth. What unpacks to more than this many times its size
# is no text.
_LARGEST_RATIO = 300
_SMALL_BYTES = 50_000_000  # below it no ratio matters
_CHUNK_BYTES = 1 << 20

_ZIP, _GZIP, _ZSTD = b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_EMPTY_ZIP = b"PK\x05\x06"
_SHEETS = (".xlsx", ".xlsm", ".ods")  # zips, too, but not to be unpacked
_SUFFIXES = {".zip": _ZIP, ".gz": _GZIP, ".zst": _ZSTD}

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Content:
    """What a file holds when it is unpacked."""

    name: str  # tells the format: train.csv of train.csv.gz
    data: bytes


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever reading or unpacking a file may raise into one line."""
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
            "mend its permissions, or download it again"
        ) from error


def existing(given: Path) -> Path:
    """The file's whole path.

    Raises:
        DataError: it is not there, or is no regular file.
    """
    with readable(given):
        path = given.expanduser().resolve()
        if not path.is_file():
            raise DataError(f"there is no file {given}; give the path of one that exists")
    return path


def unpacked(path: Path, wanted: Sequence[str] = ()) -> Content:
    """The bytes of a file, taken out of .gz, .zst or .zip.

    Args:
        wanted: names of members, the first of which is taken out of a zip; else it holds one file.

    Raises:
        DataError: unreadable, damaged, encrypted, or larger unpacked than any table would be.
    """
    with readable(path):
        return _unpacked(path.name, path.read_bytes(), path, wanted)


def _unpacked(name: str, data: bytes, path: Path, wanted: Sequence[str]) -> Content:
    suffix = Path(name).suffix.lower()
    kind = next((mark for mark in _SUFFIXES.values() if data.startswith(mark)), None)
    bare = name[: -len(suffix)] if suffix in _SUFFIXES else name
    if suffix in _SHEETS:
        return Content(name, data)
    if kind == _ZIP or data.startswith(_EMPTY_ZIP):
        return _from_zip(data, path, wanted)
    if kind == _GZIP or suffix == ".gz":
        with gzip.open(io.BytesIO(data)) as stream:
            return Content(bare, _bounded(cast("BinaryIO", stream), len(data), path))
    if kind == _ZSTD or suffix == ".zst":
        with pa.input_stream(pa.BufferReader(data), compression="zstd") as stream:
            return Content(bare, _bounded(stream, len(data), path))
    if suffix == ".zip":
        raise DataError(f"{path} is called .zip and is none; mend its name, or download it again")
    if len(data) > LARGEST_BYTES:
        raise DataError(_too_large(path))
    return Content(name, data)


def _from_zip(data: bytes, path: Path, wanted: Sequence[str]) -> Content:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX/")
        ]
        chosen = [member for member in members if Path(member.filename).name in wanted]
        if not wanted and len(members) == 1:
            chosen = members
        if not chosen:
            held = ", ".join(member.filename for member in members[:5]) or "nothing"
            sought = f"not {wanted[0]}" if wanted else "and one file is read"
            raise DataError(f"{path} holds {held}, {sought}; unpack it and give the file itself")
        member = chosen[0]
        if member.flag_bits & 1:
            raise DataError(f"{path} is encrypted; unpack it and give the file itself")
        with archive.open(member) as stream:
            taken = _bounded(cast("BinaryIO", stream), max(member.compress_size, 1), path)
    name = Path(member.filename).name
    if taken.startswith(_ZIP) and not wanted:
        raise DataError(f"{path} holds another zip, {name}; unpack it and give the file itself")
    return _unpacked(name, taken, path, wanted)


def _bounded(stream: BinaryIO, packed_bytes: int, path: Path) -> bytes:
    """All of a stream, unless it swells to what no text does."""
    held = bytearray()
    limit = min(LARGEST_BYTES, max(_SMALL_BYTES, _LARGEST_RATIO * packed_bytes))
    while chunk := stream.read(_CHUNK_BYTES):
        held += chunk
        if len(held) > limit:
            raise DataError(_too_large(path))
    return bytes(held)


def _too_large(path: Path) -> str:
    return (
        f"{path.name} unpacks to more than a table of comments would (over {LARGEST_BYTES / 1e9:g} GB, "
        f"or {_LARGEST_RATIO} times its packed size); unpack it and give a part of it"
    )


def decoded(content: Content) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a line on every repair.

    Raises:
        DataError: empty, not text, or in an encoding that does not say which it is.
    """
    name, data = content.name, content.data
    _require_text(content)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{name} has the mark of {encoding.upper()} but breaks off or is damaged; "
                    "save it as UTF-8 and run again"
                ) from error
            return text, (f"{name} is {encoding.upper()}; it is read as such",)
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name} is not UTF-8 (line {line:,}); save it as UTF-8 and run again"
        ) from error


def _require_text(content: Content) -> None:
    name, head = content.name, content.data[:1000]
    if not content.data.strip():
        raise DataError(f"{name} is empty; give a table of texts and labels")
    marked = any(head.startswith(mark) for mark, _ in _MARKS)
    if not marked and head.count(0) > len(head) // 10:
        raise DataError(
            f"{name} is not UTF-8 text but UTF-16 without a mark, or binary; save it as UTF-8 and run again"
        )
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{name} is a web page, not a table; download the file itself, signed in if need be"
        )
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{name} is a pointer of Git LFS, not a table; run `git lfs pull` for it")
