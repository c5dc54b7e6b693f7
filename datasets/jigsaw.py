"""The Kaggle Toxic Comment Classification Challenge's train.csv, from a path the user gives.

159,571 comments with six labels, of which only `toxic` is read. Kaggle asks for an account, so
nothing is downloaded: https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from worthit.datasets.cache import sha256_of
from worthit.datasets.corpus import comments
from worthit.datasets.errors import DataError, OptionError
from worthit.datasets.registry import Source

_TEXT, _LABEL = "comment_text", "toxic"


@dataclass(frozen=True)
class Jigsaw:
    path: Path

    name = "jigsaw"
    citation = "Jigsaw / Conversation AI 2018, Kaggle; labels CC0, text CC BY-SA 3.0"

    @property
    def title(self) -> str:
        return f"Jigsaw toxic comments ({self.path.name})"

    def fingerprint(self) -> str:
        with _readable(self.path):
            return sha256_of(self.path)

    def read(self) -> pa.Table:
        rows = _parsed(_content(self.path), self.path)
        labels = pc.utf8_trim_whitespace(rows[_LABEL])
        _require_zero_or_one(labels, self.path)
        return comments(rows[_TEXT], pc.equal(labels, "1"))


def source(argument: str) -> Source:
    path = Path(argument).expanduser()
    if not argument:
        raise OptionError(
            "jigsaw needs the path of Kaggle's train.csv (plain, .gz or .zip): --dataset jigsaw:PATH"
        )
    if not path.is_file():
        raise DataError(
            f"there is no file {argument}; give the path of train.csv, train.csv.gz or train.csv.zip"
        )
    return Jigsaw(path.resolve())


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever reading or unpacking a file may raise into one line."""
    try:
        yield
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read or unpacked ({_one_line(error)}); "
            "mend its permissions, or download it again"
        ) from error


def _content(path: Path) -> bytes:
    with _readable(path):
        if zipfile.is_zipfile(path):
            return _from_zip(path.read_bytes(), path)
        if path.suffix == ".gz":
            with pa.input_stream(str(path), compression="gzip") as stream:
                return bytes(stream.read())
        return path.read_bytes()


def _from_zip(content: bytes, path: Path) -> bytes:
    """train.csv out of a zip, or out of the zip of train.csv within Kaggle's zip of everything."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            if Path(member).name == "train.csv":
                return archive.read(member)
            if Path(member).name == "train.csv.zip":
                return _from_zip(archive.read(member), path)
        held = ", ".join(archive.namelist()[:5]) or "nothing"
    raise DataError(f"{path} holds {held}, not train.csv; give Kaggle's archive or the file itself")


def _parsed(content: bytes, path: Path) -> pa.Table:
    if not content.strip():
        raise DataError(f"{path} is empty; give a CSV with the columns {_TEXT} and {_LABEL}")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 (line {line}); save it as UTF-8 and run again"
        ) from error
    try:
        rows = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            # A comment may span lines, and the parser wants each row within one block.
            read_options=pyarrow.csv.ReadOptions(block_size=max(len(content), 1 << 20)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={_TEXT: pa.string(), _LABEL: pa.string()}, strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a well-formed CSV ({_one_line(error)})") from error
    missing = [name for name in (_TEXT, _LABEL) if name not in rows.column_names]
    if missing:
        raise DataError(
            f"{path} has the columns {', '.join(rows.column_names)}, but not {' and '.join(missing)}; "
            "give Kaggle's train.csv (its test.csv has no labels)"
        )
    return rows


def _require_zero_or_one(labels: pa.ChunkedArray, path: Path) -> None:
    others = sorted(set(pc.unique(labels).to_pylist()) - {"0", "1"})
    if others:
        raise DataError(f"{path} has {others[0]!r} in the column {_LABEL}; allowed are 0 and 1")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
